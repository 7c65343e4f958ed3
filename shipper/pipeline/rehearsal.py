"""Reads bytes as the agent would, and sends nothing: for `check`, `explain` and whoever asks what becomes of a text.

A `Followed` is driven as the tailer drives it: the same choice of a layout and
second thoughts, framing, compiled converter and limits on patterns. Events come
from the reference reader, which knows the bytes of each.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from shipper.adapters.offsets import Life
from shipper.core.converter import Converter
from shipper.core.model import Carry, Chunk, Encoded, Event, FileFacts, Reading
from shipper.core.rule import Rule, TooOld
from shipper.pipeline.followed import Followed
from shipper.pipeline.guard import BYPASS_SECONDS, PATTERN_TIMEOUTS_ALLOWED, MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.reads import READ_BYTES

_MOST_AHEAD_MS: Final = 200_000_000_000_000  # six thousand years, and still a date
_FEW_BYTES: Final = 16 << 10  # so much is converted twice: the first time, what a layout needs is compiled


class Rehearsed(NamedTuple):
    """What becomes of one chunk.

    Attributes:
        facts: Of the file.
        carry: As the chunk before left it.
        encoded: What the agent would send.
        reading: The same from the reference reader, event by event.
        evidence: Why the layout was chosen, with the first chunk that is read by it; empty with the others.
        convert_seconds, read_seconds: What the converter and the reference reader took.
    """

    chunk: Chunk
    facts: FileFacts
    carry: Carry
    converter: Converter
    encoded: Encoded
    reading: Reading
    evidence: str
    convert_seconds: float
    read_seconds: float


def without_age_limits(rule: Rule) -> Rule:
    """Return *rule* for events as they are before any re-stamping: what stands in a test or an old file is not late."""
    candidates = tuple(without_age_limits(candidate) for candidate in rule.candidates)
    return msgspec.structs.replace(
        rule, max_age_ms=_MOST_AHEAD_MS, max_ahead_ms=_MOST_AHEAD_MS, too_old=TooOld.RESTAMP, candidates=candidates
    )


def rehearse(
    reading: SourceReading, pieces: Iterable[bytes], facts: FileFacts, now_ms: int, guard: MatchGuard
) -> Iterator[Rehearsed]:
    """Give what becomes of each chunk of a file, in file order; memory is bounded as the agent's is.

    Args:
        reading: Of the source.
        pieces: The file's bytes, in pieces of any size.
        facts: Of the file.
        now_ms: Records without any stamp take it.
        guard: Stops a pattern that runs away.
    """
    life = Life(
        file_id=facts.key.file_id, generation=facts.key.generation, source=reading.rule.source, path=facts.path,
        device=0, inode=0, mtime_ns=facts.mtime_ms * 1_000_000,
    )  # fmt: skip
    followed = Followed(life, reading, facts.attributes, lineage=facts.key.file_id)
    window = _Window(pieces)
    while True:
        data = window.read(followed.read_offset, READ_BYTES)
        chunks = followed.feed(data) if data else followed.close_record()
        for chunk in chunks:
            yield _convert(followed, chunk, facts, now_ms, guard)
            if followed.reframe:
                followed.frame_anew()
                break
        else:
            if not data:
                return
        window.forget(followed.chunk_end)


def _convert(followed: Followed, chunk: Chunk, facts: FileFacts, now_ms: int, guard: MatchGuard) -> Rehearsed:
    now = time.monotonic()
    carry, converter = followed.carry, followed.converter_now(now)
    began = time.perf_counter()
    encoded = guard.convert(converter, chunk, facts, carry, now_ms)
    if followed.look_again(chunk, encoded):
        carry, converter = followed.carry, followed.converter_now(now)
        began = time.perf_counter()
        encoded = guard.convert(converter, chunk, facts, carry, now_ms)
    converting = time.perf_counter() - began
    if len(chunk.data) <= _FEW_BYTES and not encoded.pattern_timeouts:
        began = time.perf_counter()
        guard.convert(converter, chunk, facts, carry, now_ms)
        converting = min(converting, time.perf_counter() - began)
    began = time.perf_counter()
    reading = guard.read(converter, chunk, facts, carry, now_ms)
    reading_again = time.perf_counter() - began
    followed.timeouts += encoded.pattern_timeouts
    if followed.timeouts >= PATTERN_TIMEOUTS_ALLOWED:
        followed.timeouts, followed.bypassed_until = 0, now + BYPASS_SECONDS
    followed.watermark.ack(followed.track(chunk, encoded))
    followed.watermark.take()
    choice, followed.chosen = followed.chosen, None
    evidence = choice.evidence if choice is not None else ""
    return Rehearsed(
        chunk, facts, carry, converter, encoded, reading, evidence, converting, reading_again
    )  # fmt: skip


def is_first_part(event: Event) -> bool:
    """Return whether *event* stands for its record: it is whole, or the first part of one that was split."""
    return str(event.get("log.part", "1")).partition("/")[0] == "1"


class _Window:
    """The bytes of a file from where they may be read once more, as a change of layout does."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._begin = 0
        self._held = b""

    def read(self, offset: int, size: int) -> bytes:
        """Return *size* bytes at *offset*, fewer at the end."""
        wanted = offset - self._begin + size
        more = [self._held]
        length = len(self._held)
        while length < wanted and (piece := next(self._pieces, b"")):
            more.append(piece)
            length += len(piece)
        self._held = b"".join(more)
        return self._held[offset - self._begin : wanted]

    def forget(self, offset: int) -> None:
        """Give up what stands before *offset*."""
        if offset > self._begin:
            self._held = self._held[offset - self._begin :]
            self._begin = offset
