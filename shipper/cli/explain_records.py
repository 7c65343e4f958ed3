"""The records of a rehearsal with the lines that they stand on: counted in the bytes, as a pager counts them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

import msgspec

from shipper.core.containers import Message, messages
from shipper.core.encodings import newline_of
from shipper.core.model import Event, Span
from shipper.core.records import RecordSplitter
from shipper.core.reference import CONTAINERS, ReferenceReader, split_lines
from shipper.core.rule import Rule
from shipper.core.text import without_ansi
from shipper.pipeline.rehearsal import Rehearsed, is_first_part


class Record(msgspec.Struct):
    """One record.

    Attributes:
        line: Number of its first line, from 1.
        lines: How many lines are its own.
        event: As it would be sent, with its own time; the first part of one that is split; None where it is left out.
        plain: The same as if nothing were left out.
        raw: Its bytes; of one that is too long to hold, the first of them.
        of: The chunk in which it begins.
        parts: Events that it is sent as.
    """

    span: Span
    line: int
    lines: int
    event: Event | None
    plain: Event
    raw: bytes
    of: Rehearsed
    parts: int = 1


class _Lines:
    """Where the lines of a chunk begin."""

    def __init__(self, done: Rehearsed, first: int) -> None:
        newline = newline_of(done.carry.encoding or "utf-8")
        self.starts, self.first = [done.chunk.start], first
        data, at = done.chunk.data, done.chunk.data.find(newline)
        while at >= 0:
            if at % len(newline) == 0:
                self.starts.append(done.chunk.start + at + len(newline))
            at = data.find(newline, at + 1)
        self.ends = len(self.starts) - 1

    def of(self, span: Span) -> tuple[int, int]:
        """Return the number of the first line of *span*, and how many it reaches over."""
        begin = bisect_right(self.starts, span.start)
        return self.first + begin - 1, max(bisect_left(self.starts, span.end) - begin + 1, 1)


def records_of(rehearsed: Iterable[Rehearsed]) -> Iterator[Record]:
    """Give the records in the order in which they are read; one at a time is held."""
    first = 1
    waiting: Record | None = None
    plain_readers: dict[int, ReferenceReader] = {}
    for done in rehearsed:
        lines = _Lines(done, first)
        sent = {(span, str(event.get("log.part", ""))): event for span, event in done.reading.produced}
        for span, event in _all_events(done, plain_readers):
            if waiting is not None and not is_first_part(event):
                waiting.parts += 1
                waiting.span = Span(waiting.span.start, max(span.end, waiting.span.end))
                continue
            if waiting is not None:
                yield waiting
            line, count = lines.of(span)
            raw = done.chunk.data[span.start - done.chunk.start : span.end - done.chunk.start]
            own = _own_lines(done.converter.rule, done, raw) or count
            waiting = Record(span, line, own, sent.get((span, str(event.get("log.part", "")))), event, raw, done)
        first += lines.ends
    if waiting is not None:
        yield waiting


def _all_events(done: Rehearsed, readers: dict[int, ReferenceReader]) -> list[tuple[Span, Event]]:
    """Return the events of a chunk, with those that a filter leaves out."""
    if not done.reading.filtered or not (done.converter.rule.keep or done.converter.rule.drop):
        return [(span, event) for span, event in done.reading.produced]
    rule = done.converter.rule
    if id(rule) not in readers:
        readers[id(rule)] = ReferenceReader(msgspec.structs.replace(rule, keep=(), drop=()))
    from_all = readers[id(rule)].read(done.chunk, done.facts, done.carry, 0)
    return [(span, event) for span, event in from_all.produced]


def _own_lines(rule: Rule, done: Rehearsed, raw: bytes) -> int:
    """Return how many lines a message was joined from, other messages between them left out; 0 for no container."""
    if rule.format not in CONTAINERS:
        return 0
    texts = [line.text for line in split_lines(done.chunk._replace(data=raw), _encoding(done), inside_line=False)[0]]
    message = _first_message(rule, texts)
    return len(message.lines) if message is not None else 0


def _first_message(rule: Rule, texts: list[str]) -> Message | None:
    """Return what a container's log says from the first of *texts* on."""
    return next((one for one in messages(texts, rule.format, RecordSplitter(rule)) if 0 in one.lines), None)


def text_of(record: Record) -> str:
    """Return the text that the patterns see."""
    rule = record.of.converter.rule
    chunk = record.of.chunk._replace(data=record.raw)
    texts = [line.text for line in split_lines(chunk, _encoding(record.of), inside_line=False)[0]]
    if rule.ansi:
        texts = [without_ansi(text) for text in texts]
    if rule.format in CONTAINERS:
        message = _first_message(rule, texts)
        return message.text if message is not None else ""
    return "\n".join(texts)


def _encoding(done: Rehearsed) -> str:
    return done.carry.encoding or "utf-8"
