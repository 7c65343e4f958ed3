"""Stops a pattern that runs away, while it matches.

Python's `re` looks for signals as it matches, so an interval timer can
interrupt it, but only on the process's main thread. The timer counts CPU time
of this process (ITIMER_VIRTUAL), so a busy machine does not make a good
pattern look bad. The handler raises only while a conversion runs: at any
other moment the exception would hit code that does not expect it.

A chunk that runs out of time is read again by the reference reader with a
budget for each record; see docs/design.md, "The way of the data".
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from shipper.core.converter import Converter, MatchTimeout
from shipper.core.model import Carry, Chunk, Encoded, FileFacts, Reading

CHUNK_SECONDS: Final = 0.5
RECORD_SECONDS: Final = 0.02
PATTERN_TIMEOUTS_ALLOWED: Final = 3  # in one file, before its pattern is bypassed there
BYPASS_SECONDS: Final = 300.0


class MatchGuard:
    """Owns the process's virtual interval timer; one per process, used on its main thread only."""

    def __init__(self, chunk_seconds: float = CHUNK_SECONDS, record_seconds: float = RECORD_SECONDS) -> None:
        """Take over SIGVTALRM until `close`."""
        self._chunk_seconds = chunk_seconds
        self._record_seconds = record_seconds
        self._running = False
        self._previous = signal.signal(signal.SIGVTALRM, self._expired)

    def close(self) -> None:
        """Give the signal back."""
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, self._previous)

    def convert(self, converter: Converter, chunk: Chunk, facts: FileFacts, carry: Carry, now_ms: int) -> Encoded:
        """Convert *chunk*; records whose pattern runs away come back as the reference reader leaves them."""
        try:
            with self._limit(self._chunk_seconds):
                return converter.convert(chunk, facts, carry, now_ms)
        except MatchTimeout:
            return converter.convert_slowly(chunk, facts, carry, now_ms, self.record_budget)

    def read(self, converter: Converter, chunk: Chunk, facts: FileFacts, carry: Carry, now_ms: int) -> Reading:
        """Read *chunk* by the reference reader, as `convert` does: a budget for each record only where it is needed.

        A budget that short is used up now and then by a collection of garbage, too.
        """
        try:
            with self._limit(self._chunk_seconds):
                return converter.reference.read(chunk, facts, carry, now_ms)
        except MatchTimeout:
            return converter.reference.read(chunk, facts, carry, now_ms, self.record_budget)

    @contextmanager
    def record_budget(self) -> Iterator[None]:
        """Let the block run for at most the time of one record."""
        with self._limit(self._record_seconds):
            yield

    @contextmanager
    def _limit(self, seconds: float) -> Iterator[None]:
        self._running = True
        # It rings again: the first exception is lost where it hits a callback of the garbage collector.
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)
        try:
            yield
        finally:
            self._running = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def _expired(self, _signal: int, _frame: FrameType | None) -> None:
        if self._running:
            raise MatchTimeout
