"""Shows events as they leave, to whoever taps the control socket, and never holds them up.

An event has left when the endpoint has answered for it; what is shown is the
very JSON that was sent, masked. Three bounds keep the agent unharmed: looking
costs at most a hundredth of its time over all taps, a tap is given so many
events a second, and what it does not fetch is not kept for it. What was not
shown for one of these reasons is counted and said.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from shipper.core.severity import SEVERITIES
from shipper.errors import ShipperError, UsageError

MOST_TAPS: Final = 8
SHARE: Final = 0.01  # of the agent's time goes into looking
BURST_SECONDS: Final = 0.01
QUEUED_EVENTS: Final = 2_000
QUEUED_BYTES: Final = 4 << 20
GATHER_SECONDS: Final = 0.1
HEARTBEAT_SECONDS: Final = 1.0
_SHARES_OF_A_SECOND: Final = 10

_split: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


class Sent(NamedTuple):
    """Events that have left: JSON objects of one source joined by commas, and how many."""

    source: str
    json: bytes | memoryview
    events: int


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of ``tap``.

    Attributes:
        source: Only of this one.
        severities: Only these; all where there are none.
        match: Only events in whose JSON, as it is sent, this text stands.
        per_second: Events at most.
    """

    source: str | None = None
    severities: list[str] = []
    match: str = ""
    per_second: int = 100


class Tapping:
    """Owns the open taps; used from the event loop only."""

    def __init__(
        self, monotonic: Callable[[], float], sources: Callable[[], Sequence[str]], endpoint: Callable[[], str]
    ) -> None:
        """*sources* are those there are; *endpoint* says in a word how it does, for taps that see nothing."""
        self._monotonic = monotonic
        self._sources = sources
        self._endpoint = endpoint
        self._taps: list[_Tap] = []
        self._allowance = BURST_SECONDS
        self._allowed_at = monotonic()

    @property
    def active(self) -> bool:
        """Whether anybody looks."""
        return bool(self._taps)

    def sent(self, parts: Sequence[Sent]) -> None:
        """Show what has left to the taps that want it."""
        started = self._monotonic()
        self._allowance = min(self._allowance + (started - self._allowed_at) * SHARE, BURST_SECONDS)
        self._allowed_at = started
        for tap in self._taps:
            for part in parts:
                if tap.wants_source(part.source):
                    self._show(tap, part, started)

    def _show(self, tap: _Tap, part: Sent, now: float) -> None:
        if self._allowance <= 0.0:
            tap.pass_by(part.events)
            return
        before = self._monotonic()
        tap.look(part, now)
        self._allowance -= self._monotonic() - before

    async def stream(self, args: dict[str, object]) -> AsyncGenerator[bytes, None]:
        """Yield what has left since the last line, as soon as there is something and at least once a second.

        ``{"events": [...], "passed": 1200, "not_shown": 1100, "not_looked_at": 0, "endpoint": "answering"}``:
        *passed* events have left (of the source, if one is wanted); of those, so many fit and were too many to be
        shown, and so many were not looked at.
        """
        tap = self._open(args)
        try:
            while True:
                await tap.wait()
                yield tap.take(self._endpoint())
        finally:
            self._taps.remove(tap)

    def _open(self, args: dict[str, object]) -> _Tap:
        try:
            wanted = msgspec.convert(args, Wanted)
        except msgspec.ValidationError as error:
            raise UsageError(f"wrong arguments: {error}") from error
        known = self._sources()
        if wanted.source is not None and wanted.source not in known:
            raise UsageError(f"{wanted.source}: no such source; there are: {', '.join(known)}")
        unknown = [severity for severity in wanted.severities if severity not in SEVERITIES]
        if unknown:
            raise UsageError(f"{unknown[0]}: no such severity; there are: {', '.join(SEVERITIES)}")
        if wanted.per_second < 1:
            raise UsageError("at least one event a second must be wanted")
        if len(self._taps) >= MOST_TAPS:
            raise ShipperError(f"{MOST_TAPS} taps are open already, and there may be no more; end one")
        tap = _Tap(wanted, self._monotonic())
        self._taps.append(tap)
        return tap


class _Tap:
    """One who looks."""

    def __init__(self, wanted: Wanted, now: float) -> None:
        self._source = wanted.source
        self._needle = _encode(wanted.match)[1:-1]
        self._severities = [b'"severity":' + _encode(severity) for severity in wanted.severities]
        self._per_second = wanted.per_second
        self._tokens = float(wanted.per_second)
        self._at = now
        self._events: deque[bytes] = deque()
        self._bytes = self._passed = self._not_shown = self._not_looked_at = 0
        self._news = asyncio.Event()

    def wants_source(self, source: str) -> bool:
        return self._source is None or self._source == source

    def pass_by(self, events: int) -> None:
        self._passed += events
        self._not_looked_at += events
        self._news.set()

    def look(self, part: Sent, now: float) -> None:
        """Take of *part* what fits and may be shown, spread over it."""
        self._tokens = min(self._tokens + (now - self._at) * self._per_second, self._per_second)
        self._at = now
        self._passed += part.events
        self._news.set()
        text = bytes(part.json)
        if self._needle not in text or (self._severities and not any(word in text for word in self._severities)):
            return
        room = QUEUED_EVENTS - len(self._events) if self._bytes < QUEUED_BYTES else 0
        most = min(int(self._tokens), max(self._per_second // _SHARES_OF_A_SECOND, 1), room)
        if not most and not self._needle and not self._severities:
            self._not_shown += part.events
            return
        fitting = [event for event in map(bytes, _split(b"[" + text + b"]")) if self._fits(event)]
        shown = min(len(fitting), most)
        for number in range(shown):
            event = fitting[number * len(fitting) // shown]
            self._events.append(event)
            self._bytes += len(event)
        self._tokens -= shown
        self._not_shown += len(fitting) - shown

    def _fits(self, event: bytes) -> bool:
        return self._needle in event and (not self._severities or any(word in event for word in self._severities))

    async def wait(self) -> None:
        """Return when there is something new, and a little later, so that it is more than one event; or in a second."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._news.wait()
            await asyncio.sleep(GATHER_SECONDS)
        except TimeoutError:
            return

    def take(self, endpoint: str) -> bytes:
        """Return what there is as a line, and forget it."""
        self._news.clear()
        events = b",".join(self._events)
        line = b'{"events":[%b],"passed":%d,"not_shown":%d,"not_looked_at":%d,"endpoint":%b}' % (
            events, self._passed, self._not_shown, self._not_looked_at, _encode(endpoint),
        )  # fmt: skip
        self._events.clear()
        self._bytes = self._passed = self._not_shown = self._not_looked_at = 0
        return line
