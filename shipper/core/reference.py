"""The plain reader: record by record, with the exact bytes of each. Slow, and obviously right.

The compiled converter must give the same; it falls back on this one for what
is rare, and delivery uses it to learn which bytes an event came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypedDict

import msgspec

from shipper.core.containers import messages
from shipper.core.encodings import decode, ends_line, newline_of
from shipper.core.event import ChunkState, EventRules, MatchBudget, Outer, Withheld, carry_after, oldest_of, record_id
from shipper.core.model import (
    Carry,
    Chunk,
    ChunkKind,
    Event,
    FileFacts,
    OpenPart,
    Produced,
    Reading,
    Refused,
    Span,
)  # fmt: skip
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat, Rule
from shipper.core.text import without_ansi

CONTAINERS = (RecordFormat.CRI, RecordFormat.DOCKER)
SEEN_BY_MASKS: Final = 256
"""Characters of a part that the masks of the next one see."""


class Unit(NamedTuple):
    """One record's text and where its bytes stand."""

    text: str
    span: Span
    outer: Outer | None = None


class Line(NamedTuple):
    """One line's text and where its bytes stand, line end included."""

    text: str
    start: int
    end: int


class ReferenceReader:
    """Reads the chunks of one rule; holds no state between them."""

    def __init__(self, rule: Rule, rules: EventRules | None = None) -> None:
        """Compile *rule*, or share *rules* that were compiled from it."""
        self.rule = rule
        self._rules = rules or EventRules(rule)
        self._splitter = RecordSplitter(rule)

    def read(
        self, chunk: Chunk, facts: FileFacts, carry: Carry, now_ms: int, budget: MatchBudget | None = None
    ) -> Reading:
        """Return the events of *chunk*, what was left out and why, and what the next chunk must know.

        Args:
            chunk: As the framer cut it.
            facts: Of its file.
            carry: As the chunk before left it.
            now_ms: Ages are measured against it; records without any stamp take it.
            budget: Entered around each record's matching.
        """
        encoding = carry.encoding or "utf-8"
        lines, bad_bytes, nul_bytes = split_lines(chunk, encoding, inside_line=carry.part is not None)
        if self.rule.ansi:
            lines = [line._replace(text=without_ansi(line.text)) for line in lines]
        state = self._rules.state(facts, carry, now_ms, outer=self.rule.format in CONTAINERS)
        reading = Reading([], carry, bad_bytes=bad_bytes, nul_bytes=nul_bytes, refused=[])
        if chunk.kind is ChunkKind.RECORDS:
            part = self._read_records(chunk, lines, state, reading, budget)
        else:
            part = self._read_part(chunk, lines, state, reading, carry, budget)
        reading.carry = msgspec.structs.replace(carry_after(state, carry), part=part)
        reading.filtered = state.filtered
        reading.restamped, reading.unparsed = state.restamped, state.unparsed
        reading.trimmed, reading.pattern_timeouts = state.trimmed, state.pattern_timeouts
        reading.oldest_ms = oldest_of(state)
        return reading

    # -- whole records -------------------------------------------------------------------------------

    def _read_records(
        self, chunk: Chunk, lines: list[Line], state: ChunkState, reading: Reading, budget: MatchBudget | None
    ) -> OpenPart | None:
        part: OpenPart | None = None
        for unit in self._units(lines):
            event = self._event(unit, state, reading, budget)
            opened = event if isinstance(event, OpenPart) else self._add(unit, event, state, reading)
            if unit.span.end == chunk.end:
                part = opened
        return None if ends_line(chunk.data, state.encoding) else part

    def _units(self, lines: list[Line]) -> Iterator[Unit]:
        if self.rule.format in CONTAINERS:
            for message in messages((line.text for line in lines), self.rule.format, self._splitter):
                span = Span(lines[message.lines[0]].start, lines[message.lines[-1]].end)
                yield Unit(message.text, span, message.outer)
            return
        text = "\n".join(line.text for line in lines)
        starts: dict[int, int] = {}
        at = 0
        for index, line in enumerate(lines):
            starts[at] = index
            at += len(line.text) + 1
        for begin, end in self._splitter.spans(text):
            first = starts[begin]
            last = first + text.count("\n", begin, end)
            yield Unit(text[begin:end], Span(lines[first].start, lines[last].end))

    def _event(self, unit: Unit, state: ChunkState, reading: Reading, budget: MatchBudget | None) -> Event | OpenPart:
        """Return a record's event, or what is to be known of one that is not sent, should it go on."""
        try:
            return self._rules.build(unit.text, state, unit.outer, budget)
        except Withheld as verdict:
            if not verdict.refused:
                state.leave_out(verdict.reason)
                return OpenPart(sent=-1, timestamp="", severity="")
            reading.refused.append(Refused(unit.span, verdict.reason, verdict.detail, verdict.event))
            if verdict.event is None:
                return OpenPart(sent=-1, timestamp="", severity="", refused=verdict.reason)
            return OpenPart(sent=-1, refused=verdict.reason, **_kept(verdict.event))

    def _add(self, unit: Unit, event: Event, state: ChunkState, reading: Reading) -> OpenPart:
        """Add a record's event, in parts where its content is too long."""
        pieces = split_content(str(event["content"]), self.rule.limits.content_bytes)
        reading.records += 1
        reading.parts += len(pieces) - 1
        for number, piece in enumerate(pieces, 1):
            made = {**event, "content": piece}
            if len(pieces) > 1:
                made["log.part"] = f"{number}/{len(pieces)}"
            self._produce(made, unit.span, number if len(pieces) > 1 else 0, state, reading)
        return self._open(len(pieces), event)

    def _open(self, sent: int, event: Event, tail: str = "") -> OpenPart:
        seen = (tail + str(event["content"]))[-SEEN_BY_MASKS:] if self._rules.mask is not None else ""
        return OpenPart(sent=sent, tail=seen, **_kept(event))

    def _produce(self, event: Event, span: Span, part: int, state: ChunkState, reading: Reading) -> None:
        if self.rule.record_id:
            event["log.record_id"] = record_id(state.facts.key, span.start, part)
        reading.produced.append(Produced(span, event))

    # -- pieces of a record that is too long to hold -----------------------------------------------

    def _read_part(
        self, chunk: Chunk, lines: list[Line], state: ChunkState, reading: Reading, carry: Carry,
        budget: MatchBudget | None,
    ) -> OpenPart | None:  # fmt: skip
        text = "\n".join(line.text for line in lines)
        span = Span(chunk.start, chunk.end)
        last = chunk.kind is ChunkKind.LAST_PART
        goes_on = not last or not ends_line(chunk.data, state.encoding)
        before = carry.part
        if not text:
            return before if goes_on else None
        if before is None:
            event = self._event(Unit(text, span), state, reading, budget)
            if isinstance(event, OpenPart):
                return event if goes_on else None
            reading.records += 1
            reading.parts -= 1
            before = OpenPart(sent=0, **_kept(event))
        else:
            later = self._later_part(text, state, reading, before, span, budget)
            if later is None:
                return before if goes_on else None
            event = later
        pieces = split_content(str(event["content"]), self.rule.limits.content_bytes)
        for number, piece in enumerate(pieces, before.sent + 1):
            made = {**event, "content": piece, "log.part": str(number)}
            if not goes_on and number == before.sent + len(pieces):
                made["log.part"] = f"{number}/{number}"
            if made["log.part"] == "1/1":
                del made["log.part"]
            self._produce(made, span, number, state, reading)
        reading.parts += len(pieces)
        sent = before.sent + len(pieces)
        return self._open(sent, event, before.tail) if goes_on else None

    def _later_part(
        self, text: str, state: ChunkState, reading: Reading, before: OpenPart, span: Span, budget: MatchBudget | None
    ) -> Event | None:
        """Return the event of what goes on a record; None where that was left out, or must not be sent."""
        if before.sent < 0 and not before.refused:
            return None
        event: Event | None = None
        reason, detail = before.refused, "goes on a record that was refused"
        if before.timestamp:
            event = {"content": text, **_own(before), **state.base}
            try:
                self._rules.mask_later_part(event, before.tail, budget)
            except Withheld as verdict:
                event, reason, detail = None, verdict.reason, verdict.detail
        if reason:
            reading.refused.append(Refused(span, reason, detail, event))
            return None
        if state.oldest is None or before.timestamp < state.oldest:
            state.oldest = before.timestamp
        return event


# -- text ------------------------------------------------------------------------------------------


def split_lines(chunk: Chunk, encoding: str, *, inside_line: bool) -> tuple[list[Line], int, int]:
    """Return the lines of *chunk* with their bytes, the number of bytes that were no text, and of NULs left out.

    NULs at the start of a line are a hole; with *inside_line* the chunk's first bytes are not the start of one.
    """
    newline = newline_of(encoding)
    unit = len(newline)
    lines: list[Line] = []
    bad_bytes = nul_bytes = begin = 0
    data = chunk.data
    while begin < len(data):
        end = data.find(newline, begin)
        while end >= 0 and (end - begin) % unit:
            end = data.find(newline, end + 1)
        stop = end + unit if end >= 0 else len(data)
        text, bad = decode(data[begin : end if end >= 0 else stop], encoding)
        bad_bytes += bad
        if end >= 0:
            text = text.removesuffix("\r")
        hole = 0
        if text.startswith("\0") and not (inside_line and not begin):
            bare = text.lstrip("\0")
            hole = (len(text) - len(bare)) * unit
            text = bare
        nul_bytes += hole
        lines.append(Line(text, chunk.start + begin + hole, chunk.start + stop))
        begin = stop
    return lines, bad_bytes, nul_bytes


def split_content(content: str, limit: int) -> list[str]:
    """Return *content* in pieces of at most *limit* UTF-8 bytes, whole characters each."""
    if len(content) * 4 <= limit or len(content.encode("utf-8", "surrogatepass")) <= limit:
        return [content]
    raw = content.encode("utf-8", "surrogatepass")
    pieces: list[str] = []
    begin = 0
    while begin < len(raw):
        end = min(begin + limit, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(raw[begin:end].decode("utf-8", "surrogatepass"))
        begin = end
    return pieces


class _Kept(TypedDict):
    timestamp: str
    severity: str
    attributes: dict[str, str | int | float | bool | list[str]]


def _kept(event: Event) -> _Kept:
    """Return what later parts of a record take from its first."""
    attributes: dict[str, str | int | float | bool | list[str]] = {}
    for name, value in event.items():
        if name in ("content", "timestamp", "severity", "log.part", "log.record_id") or value is None:
            continue
        attributes[name] = [str(item) for item in value] if isinstance(value, list) else value
    return {"timestamp": str(event["timestamp"]), "severity": str(event["severity"]), "attributes": attributes}


def _own(part: OpenPart) -> Event:
    attributes: Event = {}
    for name, value in part.attributes.items():
        attributes[name] = list(value) if isinstance(value, list) else value
    return {"timestamp": part.timestamp, "severity": part.severity, **attributes}
