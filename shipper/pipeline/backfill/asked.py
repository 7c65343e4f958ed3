"""Leaves out what is not of the time asked for, exactly: record by record where a chunk lies on the border.

A record's time is the one that it was read with, before any re-stamping for
its age. Most chunks lie wholly inside or outside, which their events' JSON
shows at little cost.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from shipper.core.chunk_stamps import ms_of
from shipper.core.converter import Converter, encode_reading
from shipper.core.model import Carry, Chunk, Encoded, FileFacts, Produced, Span
from shipper.core.ranges import merged
from shipper.core.rule import Rule, TooOld
from shipper.pipeline.backfill.stamps import event_ms
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.rehearsal import is_first_part, without_age_limits

OUTSIDE: Final = "outside"
"""Why such a record is not sent, among the reasons that records are filtered for."""

# Quotes within a value are escaped, so this stands where a key does and nowhere else.
_STAMP: Final = re.compile(rb'"timestamp":"([^"]{24})"')
_OWN_STAMP: Final = re.compile(rb'"log\.original_timestamp":"([^"]{24})"')


class Window(NamedTuple):
    """The time asked for: records from *since_ms* on and before *until_ms*; None for no bound.

    *disorder_ms*: by how much the stamps of a file may be out of order.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    disorder_ms: int = 120_000

    @property
    def bounded(self) -> bool:
        """Whether it leaves anything out."""
        return self.since_ms is not None or self.until_ms is not None

    def has(self, stamp_ms: int) -> bool:
        """Return whether a record of that time is asked for."""
        after = self.since_ms is None or stamp_ms >= self.since_ms
        return after and (self.until_ms is None or stamp_ms < self.until_ms)

    def misses(self, earliest_ms: int, latest_ms: int) -> bool:
        """Return whether no record between these times is asked for."""
        too_early = self.since_ms is not None and latest_ms < self.since_ms
        return too_early or (self.until_ms is not None and earliest_ms >= self.until_ms)

    def is_past(self, stamp_ms: int) -> bool:
        """Return whether nothing asked for comes after a record of that time."""
        return self.until_ms is not None and stamp_ms >= self.until_ms + self.disorder_ms

    def is_long_before(self, stamp_ms: int) -> bool:
        """Return whether nothing asked for comes before a record of that time."""
        return self.since_ms is not None and stamp_ms < self.since_ms - self.disorder_ms


class Asked(NamedTuple):
    """What of a chunk is asked for.

    Attributes:
        encoded: Of all of the chunk's records, those outside counted as filtered.
        events: One by one, where some are left out; None where the chunk can be read again.
        outside: Bytes of the records that are left out.
        past: Whether nothing that is asked for can follow.
    """

    encoded: Encoded
    events: list[Produced] | None
    outside: list[Span]
    past: bool = False


class Selection:
    """Applies a window to the chunks of one rule; used on the process's main thread."""

    def __init__(self, window: Window, guard: MatchGuard) -> None:
        """Patterns that run away are stopped by *guard*."""
        self._window = window
        self._guard = guard
        self._ageless: dict[str, Converter] = {}

    def of(self, converter: Converter, chunk: Chunk, facts: FileFacts, carry: Carry, now_ms: int) -> Asked:
        """Return what of *chunk* is to be sent."""
        seen = encoded = self._guard.convert(converter, chunk, facts, carry, now_ms)
        if not self._window.bounded:
            return Asked(encoded, None, [])
        if converter.rule.too_old is not TooOld.RESTAMP:  # what is too old is not among the events
            seen = self._guard.convert(self._without_age(converter), chunk, facts, carry, now_ms)
        stamps = _stamps(seen)
        if stamps is not None:
            earliest, latest = stamps
            if self._window.has(earliest) and self._window.has(latest):
                return Asked(encoded, None, [])
            if self._window.misses(earliest, latest):
                outside = [Span(chunk.start, chunk.end)]
                return Asked(_nothing(encoded), None, outside, past=self._window.is_past(earliest))
        return self._some_of(converter, chunk, facts, carry, now_ms)

    def _some_of(self, converter: Converter, chunk: Chunk, facts: FileFacts, carry: Carry, now_ms: int) -> Asked:
        seen = self._guard.read(self._without_age(converter), chunk, facts, carry, now_ms)
        inside: dict[Span, bool] = {}
        for produced in seen.produced:
            inside.setdefault(produced.span, self._window.has(event_ms(produced.event)))
        reading = self._guard.read(converter, chunk, facts, carry, now_ms)
        kept = [produced for produced in reading.produced if inside.get(produced.span, True)]
        refused = [refused for refused in reading.refused if inside.get(refused.span, True)]
        left_out = [span for span, is_inside in inside.items() if not is_inside]
        records = sum(is_first_part(produced.event) for produced in kept)
        spoken_for = {produced.span for produced in kept} | {each.span for each in refused}
        reading.filtered = {reason: count for reason, count in reading.filtered.items() if reason != "too_old"}
        too_old = sum(is_inside and span not in spoken_for for span, is_inside in inside.items())
        if too_old:
            reading.filtered["too_old"] = too_old
        reading.filtered[OUTSIDE] = len(left_out)
        reading.produced, reading.refused, reading.records = kept, refused, records
        reading.parts = len(kept) - records
        reading.restamped = sum("log.original_timestamp" in produced.event for produced in kept)
        return Asked(encode_reading(reading), kept, _joined(chunk, left_out, list(inside)))

    def _without_age(self, converter: Converter) -> Converter:
        layout = converter.rule.layout
        if layout not in self._ageless:
            self._ageless[layout] = Converter(_ageless(converter.rule))
        return self._ageless[layout]


def _ageless(rule: Rule) -> Rule:
    return without_age_limits(msgspec.structs.replace(rule, candidates=()))


def _stamps(encoded: Encoded) -> tuple[int, int] | None:
    """Return the earliest and the latest time of the events; None where that cannot be told for all."""
    found = _OWN_STAMP.findall(encoded.json) if encoded.restamped else _STAMP.findall(encoded.json)
    if len(found) != encoded.events or not found:
        return None
    return ms_of(min(found).decode()), ms_of(max(found).decode())


def _nothing(encoded: Encoded) -> Encoded:
    outside = encoded.records + sum(encoded.filtered.values()) + len(encoded.refused)
    return Encoded(json=b"", events=0, records=0, carry=encoded.carry, filtered={OUTSIDE: outside})


def _joined(chunk: Chunk, left_out: list[Span], records: list[Span]) -> list[Span]:
    """Return the bytes of what is left out, with those up to the next record: a record's line end is its own."""
    starts = sorted(span.start for span in records)
    following = dict(zip(starts, [*starts[1:], chunk.end], strict=True))
    begin = {starts[0]: chunk.start} if starts else {}
    return merged(Span(begin.get(span.start, span.start), following[span.start]) for span in left_out)
