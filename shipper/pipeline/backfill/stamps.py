"""Looks at single places of a text: which record begins there, and of what time it is.

For bisection on stamps and for cutting a file at record borders: nothing is
read but some KiB about each place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from shipper.adapters.texts import Text
from shipper.core.chunk_stamps import ms_of
from shipper.core.converter import Converter
from shipper.core.encodings import newline_of
from shipper.core.model import Carry, Chunk, Event, FileFacts, Produced
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat
from shipper.core.timeline import Sighting
from shipper.pipeline.guard import MatchGuard

FIRST_LOOK_BYTES: Final = 4096
LAST_LOOK_BYTES: Final = 512  # before a place: one record is enough, and each cut of a file needs one
WIDEST_LOOK_BYTES: Final = 1 << 20
_CONTAINERS: Final = (RecordFormat.CRI, RecordFormat.DOCKER)


class Subject(NamedTuple):
    """A text and how it is read.

    Attributes:
        converter: Without age limits: what is too old is looked at all the same.
        carry: As it is after the file's first lines: layout, encoding and header.
    """

    text: Text
    converter: Converter
    facts: FileFacts
    carry: Carry
    now_ms: int


def own_ms(event: Event) -> int | None:
    """Return the time that *event*'s record bore itself; None where it took another's."""
    if "log.timestamp_source" in event:
        return None
    return event_ms(event)


def event_ms(event: Event) -> int:
    """Return the time of *event* before any re-stamping for its age."""
    return ms_of(str(event.get("log.original_timestamp", event["timestamp"])))


class Places:
    """Looks at places of one text; used on the process's main thread, for the guard's sake.

    Attributes:
        timed: Whether it is worth while to look for times.
        narrow: Whether a line end is one byte.
    """

    def __init__(self, subject: Subject, guard: MatchGuard, *, timed: bool = True) -> None:
        """Look at *subject*; a pattern that runs away is stopped by *guard*. *timed*: its records bear times."""
        self.timed = timed
        self._subject = subject
        self._guard = guard
        self._splitter = RecordSplitter(subject.converter.rule)
        self.narrow = len(newline_of(subject.carry.encoding or "utf-8")) == 1

    @property
    def can_be_cut(self) -> bool:
        """Whether reading can begin at any record of the text and give what it gives when all of it is read.

        Not where a line says what later ones mean, or where the pieces of two messages interleave.
        """
        rule = self._subject.converter.rule
        headed = rule.multiline is not None and rule.multiline.heading is not None
        return self.narrow and not headed and rule.format not in (*_CONTAINERS, RecordFormat.W3C)

    def record_at(self, offset: int, end: int) -> int | None:
        """Return where the first record begins at or behind *offset* and before *end*; None where none is near."""
        for begin, data in self._widening(offset, end):
            found = self._first_start(begin, data, offset)
            if found is not None:
                return found if found < end else None
        return None

    def sighting_at(self, offset: int, end: int) -> Sighting | None:
        """Return the first record from *offset* on that bears a time; None where none is near, or before *end*."""
        for begin, data in self._widening(offset, end):
            start = self._first_start(begin, data, offset)
            if start is None:
                continue
            for produced in self._read(start, _whole_lines(data[start - begin :], final=begin + len(data) >= end)):
                stamp = own_ms(produced.event)
                if stamp is not None:
                    return Sighting(produced.span.start, stamp) if produced.span.start < end else None
        return None

    def last_ms_before(self, offset: int) -> int | None:
        """Return the time of the last record before *offset*, a record's first byte, that bears one."""
        size = LAST_LOOK_BYTES
        while True:
            begin = max(offset - size, 0)
            data = self._subject.text.read_at(begin, offset - begin)
            start = self._first_start(begin, data, begin) if begin else 0
            if start is not None:
                stamps = [own_ms(produced.event) for produced in self._read(start, data[start - begin :])]
                known = [stamp for stamp in stamps if stamp is not None]
                if known:
                    return known[-1]
            if not begin or size >= WIDEST_LOOK_BYTES:
                return None
            size *= 8

    def carry_at(self, offset: int) -> Carry:
        """Return with what reading begins at *offset*, a record's first byte."""
        if not self.timed:
            return self._subject.carry
        return msgspec.structs.replace(self._subject.carry, stamp_ms=self.last_ms_before(offset))

    def _widening(self, offset: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Give more and more of what stands from before *offset* on, and where it begins."""
        begin = max(offset - 1, 0)
        size = FIRST_LOOK_BYTES
        while True:
            data = self._subject.text.read_at(begin, min(size, end - begin)) if end > begin else b""
            if not data:
                return
            yield begin, data
            if len(data) < size or size >= WIDEST_LOOK_BYTES:
                return
            size *= 8

    def _first_start(self, begin: int, data: bytes, offset: int) -> int | None:
        """Return where the first record begins at or behind *offset* in *data*, which stands at *begin*."""
        if offset == 0:
            return 0
        if not self.narrow:
            return None
        at = data.find(b"\n", max(offset - 1 - begin, 0)) + 1
        above: str | None = None
        while 0 < at < len(data):
            line_end = data.find(b"\n", at)
            if line_end < 0:
                return None
            line = self._text_of(data[at:line_end])
            if self._splitter.is_start(line, above):
                return begin + at
            above, at = line, line_end + 1
        return None

    def _text_of(self, line: bytes) -> str:
        return line.removesuffix(b"\r").decode(self._subject.carry.encoding or "utf-8", "backslashreplace")

    def _read(self, start: int, data: bytes) -> list[Produced]:
        subject = self._subject
        chunk = Chunk(start, start + len(data), data)
        carry = subject.carry if start else msgspec.structs.replace(subject.carry, header=())
        return self._guard.read(subject.converter, chunk, subject.facts, carry, subject.now_ms).produced


def _whole_lines(data: bytes, *, final: bool) -> bytes:
    return data if final else data[: data.rfind(b"\n") + 1]
