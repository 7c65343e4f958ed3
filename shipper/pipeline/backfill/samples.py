"""The first bytes of a text: how it is read, and what so much of it becomes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from shipper.adapters.discovery_content import LOOK_BYTES
from shipper.adapters.texts import Text
from shipper.core.converter import Converter
from shipper.core.encodings import configured_name, find_mark
from shipper.core.model import Carry, Chunk
from shipper.core.rule import RecordFormat, Rule
from shipper.pipeline.backfill.jobs import Job
from shipper.pipeline.backfill.stamps import Subject
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.rehearsal import without_age_limits

SAMPLE_BYTES: Final = 131_072
PACKED_SAMPLE_BYTES: Final = 1 << 20  # a bzip2 block, and enough to tell how well the rest is packed


class Sampled(NamedTuple):
    """What the first bytes of a text become."""

    bytes: int
    events: int
    json_bytes: int
    seconds: float


class Sampler:
    """Owns one reading a source; used on the process's main thread.

    Attributes:
        readings: The sources' readings, in the order in which jobs name them.
        events, seconds: What converting the samples gave and took: the rate of this machine.
    """

    def __init__(self, guard: MatchGuard, now_ms: int) -> None:
        """Nothing is read yet."""
        self.readings: list[SourceReading] = []
        self.events = 0
        self.seconds = 0.0
        self._guard = guard
        self._now_ms = now_ms
        self._by_source: dict[str, int] = {}
        self._ageless: dict[int, SourceReading] = {}

    def reading(self, name: str, rule: Callable[[], Rule], rate_limit: int) -> int:
        """Return the index of the reading of source *name*, which is made where it is new."""
        if name not in self._by_source:
            self._by_source[name] = len(self.readings)
            self.readings.append(SourceReading(rule(), rate_limit))
        return self._by_source[name]

    def subject(self, job: Job, text: Text, head: bytes) -> Subject:
        """Return how *text* is read, which begins with *head*."""
        reading = self.readings[job.source]
        layout = reading.choose(head, "", job.facts.mtime_ms).layout
        ageless = self._ageless.get(job.source)
        if ageless is None:
            ageless = self._ageless[job.source] = SourceReading(without_age_limits(reading.rule))
        converter = ageless.converter(layout) if ageless.knows(layout) else _ageless_of(reading, ageless, layout)
        carry = Carry(layout=layout if reading.chooses else "")
        subject = Subject(text, converter, job.facts, carry, self._now_ms)
        return subject._replace(carry=self._carry_after(subject, head))

    def _carry_after(self, subject: Subject, head: bytes) -> Carry:
        """Return what the first lines say to all that follow: the encoding, the header of a W3C file."""
        mark, encoding = _encoding_of(head, subject.converter.rule)
        whole = head[mark : head.rfind(b"\n") + 1] or head[mark:]
        carry = msgspec.structs.replace(subject.carry, encoding=encoding)
        if subject.converter.rule.format is not RecordFormat.W3C:
            return carry
        read = self._guard.read(
            subject.converter, Chunk(mark, mark + len(whole), whole), subject.facts, carry, self._now_ms
        )
        return msgspec.structs.replace(carry, header=read.carry.header)

    def sample(self, subject: Subject, head: bytes) -> Sampled:
        """Convert the file's first lines as they would be sent."""
        mark, _ = _encoding_of(head, subject.converter.rule)
        whole = head[mark : head.rfind(b"\n") + 1] or head[mark:]
        chunk = Chunk(mark, mark + len(whole), whole)
        began = time.process_time()
        encoded = self._guard.convert(subject.converter, chunk, subject.facts, subject.carry, self._now_ms)
        seconds = time.process_time() - began
        self.events += encoded.events
        self.seconds += seconds
        return Sampled(len(whole), encoded.events, len(encoded.json), seconds)

    def same_layout(self, job: Job, text: Text) -> bool:
        """Return whether a file that nobody described reads the same at its middle and its end."""
        reading = self.readings[job.source]
        if not reading.chooses or not job.length:
            return True
        for at in (job.length // 2, max(job.length - SAMPLE_BYTES, 0)):
            data = text.read_at(at, SAMPLE_BYTES // 4).partition(b"\n")[2]
            again = (
                reading.choose_again(job.carry.layout, data, job.carry.encoding, job.facts.mtime_ms) if data else None
            )
            if again is not None:
                return False
        return True


def _encoding_of(head: bytes, rule: Rule) -> tuple[int, str]:
    return find_mark(head, configured_name(rule.encoding), final=True) or (0, "utf-8")


def is_binary(head: bytes) -> bool:
    """Return whether *head* begins what is no text: as adapters/discovery_content.py, of what may be unpacked."""
    head = head[:LOOK_BYTES].lstrip(b"\0")
    return not head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) and head.count(b"\0") * 10 > len(head)


def layout_name(subject: Subject) -> str:
    """Return what the layout is called."""
    layout = subject.carry.layout
    if not layout:
        return subject.converter.rule.layout
    return layout.partition("{")[0].strip("+") or "learned"


def _ageless_of(reading: SourceReading, ageless: SourceReading, layout: str) -> Converter:
    """Return a converter for a layout that was learned from the text."""
    rule = without_age_limits(reading.converter(layout).rule)
    return SourceReading(rule).converter(rule.layout) if ageless.chooses else ageless.converter(layout)
