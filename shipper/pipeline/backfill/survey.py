"""Looks at the files before anything is sent: their order, times, sizes, and what of each is left to send.

Of a plain file some places are read, of a compressed one its beginning. What
comes out is a `Job` for each file and the figures of the plan.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from shipper.adapters.discovery_content import LOOK_BYTES
from shipper.adapters.texts import STDIN, Place, Text, is_address, open_text, seal_of
from shipper.adapters.texts_shared import Stat
from shipper.core.converter import Converter
from shipper.core.encodings import configured_name, find_mark
from shipper.core.identity import HEAD_BYTES, head_of
from shipper.core.model import Carry, Chunk, FileFacts, FileKey, Span
from shipper.core.plan import OPEN_END, PlannedFile, infer_last_times, ordered, share_before
from shipper.core.ranges import size_of, without
from shipper.core.rule import Rule
from shipper.core.shipped import Shipped
from shipper.core.timeline import Sighting, bracket, found
from shipper.errors import SourceError
from shipper.pipeline.backfill.asked import Window
from shipper.pipeline.backfill.known import AgentFile, Known
from shipper.pipeline.backfill.stamps import Places, Subject
from shipper.pipeline.backfill.wanted import Wanted
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.rehearsal import without_age_limits

SAMPLE_BYTES: Final = 131_072
PACKED_SAMPLE_BYTES: Final = 1 << 20  # a bzip2 block, and enough to tell how well the rest is packed
_TAIL_LOOKS: Final = 8


class Job(msgspec.Struct, kw_only=True):
    """One text to send, as the coordinator deals it out.

    Attributes:
        source: Index of its source among those of the survey.
        carry: As after the file's first lines.
        length: Bytes of its text when it was looked at; None where that is not known.
        todo: What is to be sent, in order; the end may be OPEN_END.
        shipped: Its row; new ones have no id yet.
        can_be_cut: Whether several workers may read it at once.
        planned: Its figures.
    """

    place: Place
    source: int
    facts: FileFacts
    carry: Carry = Carry()
    length: int | None = None
    todo: list[Span] = []
    shipped: Shipped
    can_be_cut: bool = False
    planned: PlannedFile


class Sampled(NamedTuple):
    """What the first bytes of a text become."""

    bytes: int
    events: int
    json_bytes: int
    seconds: float


class Surveyor:
    """Owns one reading a source; used on the process's main thread.

    Attributes:
        readings: The sources' readings, in the order in which jobs name them.
        sampled_events, sampled_seconds: What converting the samples took: the rate of this machine.
    """

    def __init__(
        self,
        rule_of: Callable[[Wanted], Rule],
        known: Known,
        window: Window,
        guard: MatchGuard,
        now_ms: int,
        *,
        again: bool = False,
        attributes_of: Callable[[Wanted], dict[str, str]] = lambda _: {},
    ) -> None:
        """*again*: what was sent before is sent once more."""
        self.readings: list[SourceReading] = []
        self.sampled_events = 0
        self.sampled_seconds = 0.0
        self._rule_of, self._attributes_of = rule_of, attributes_of
        self._known = known
        self._window = window
        self._guard = guard
        self._now_ms = now_ms
        self._again = again
        self._by_source: dict[str, int] = {}
        self._ageless: dict[int, SourceReading] = {}

    def jobs(self, everything: Sequence[Wanted]) -> list[Job]:
        """Return a job for each text, in the order in which they are sent."""
        jobs = {id(job.planned): job for job in map(self._job, everything)}
        files = ordered(job.planned for job in jobs.values())
        infer_last_times(files)
        oldest = self._now_ms
        for file in files:
            rule = self.readings[jobs[id(file)].source].rule
            oldest = self._now_ms - rule.max_age_ms
            if not file.last_exact and file.events:
                file.too_old = round(file.events * share_before(oldest, file.first_ms, file.last_ms))
        return [jobs[id(file)] for file in files]

    # -- one file --------------------------------------------------------------------------------------

    def _job(self, wanted: Wanted) -> Job:
        index = self._reading(wanted)
        path = wanted.place.shown
        status = wanted.status
        mtime_ms = status.mtime_ns // 1_000_000 or self._now_ms
        facts = FileFacts(FileKey(0, 0), path, path.rpartition("/")[2], mtime_ms, self._attributes_of(wanted))
        planned = PlannedFile(
            file=path, source=wanted.source.name, lineage=wanted.lineage, packed_bytes=wanted.place.size or status.size,
            mtime_ms=mtime_ms, problem=wanted.problem,
        )  # fmt: skip
        shipped = Shipped(
            file_id=0, source=wanted.source.name, place=path, device=status.device, inode=status.inode,
            size=status.size, mtime_ns=status.mtime_ns, settled=[],
        )  # fmt: skip
        job = Job(place=wanted.place, source=index, facts=facts, shipped=shipped, planned=planned)
        if wanted.problem:
            return job
        if wanted.place.path == STDIN:
            job.todo, planned.plain_exact = [Span(0, OPEN_END)], False
            return job
        try:
            text = open_text(wanted.place)
            try:
                self._look(job, text, status, binary=wanted.source.binary == "always")
            finally:
                text.close()
        except SourceError as error:
            planned.problem, job.todo = str(error), []
        return job

    def _look(self, job: Job, text: Text, status: Stat, *, binary: bool) -> None:
        planned, shipped = job.planned, job.shipped
        planned.packing = shipped.packing = text.packing
        head = text.read_at(0, PACKED_SAMPLE_BYTES if text.packing else SAMPLE_BYTES)[:SAMPLE_BYTES]
        job.length = text.length()
        if not head:
            planned.plain_bytes = job.length = 0
            return
        if not binary and _is_binary(head):
            planned.problem = "binary (NUL bytes): source.binary: always sends it"
            return
        subject = self._subject(job, text, head)
        job.carry = subject.carry
        shipped.head = head_of(head[:HEAD_BYTES])
        shipped.seal = seal_of(job.place) if text.packing or is_address(job.place.path) else b""
        planned.layout = _layout_name(subject)
        sampled = self._sample(subject, head)
        planned.plain_exact = job.length is not None
        planned.plain_bytes = job.length if job.length is not None else text.guess_length()
        places = Places(subject, self._guard)
        job.can_be_cut = places.can_be_cut and not text.packing and self._same_layout(job, text)
        self._subtract_sent(job, text, status)
        self._find_times(job, text, places)
        self._estimate(job, places, sampled)

    def _reading(self, wanted: Wanted) -> int:
        name = wanted.source.name
        if name not in self._by_source:
            self._by_source[name] = len(self.readings)
            self.readings.append(SourceReading(self._rule_of(wanted), wanted.source.rate_limit_bytes))
        return self._by_source[name]

    def _subject(self, job: Job, text: Text, head: bytes) -> Subject:
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
        read = self._guard.read(
            subject.converter, Chunk(mark, mark + len(whole), whole), subject.facts, carry, self._now_ms
        )
        return msgspec.structs.replace(carry, header=read.carry.header)

    def _sample(self, subject: Subject, head: bytes) -> Sampled:
        """Convert the file's first lines as they would be sent."""
        mark, _ = _encoding_of(head, subject.converter.rule)
        whole = head[mark : head.rfind(b"\n") + 1] or head[mark:]
        chunk = Chunk(mark, mark + len(whole), whole)
        began = time.process_time()
        encoded = self._guard.convert(subject.converter, chunk, subject.facts, subject.carry, self._now_ms)
        seconds = time.process_time() - began
        self.sampled_events += encoded.events
        self.sampled_seconds += seconds
        return Sampled(len(whole), encoded.events, len(encoded.json), seconds)

    def _same_layout(self, job: Job, text: Text) -> bool:
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

    # -- what is left to send ----------------------------------------------------------------------------

    def _subtract_sent(self, job: Job, text: Text, status: Stat) -> None:
        known = self._known.shipped(text, status, job.shipped.seal)
        if known is not None:
            job.shipped = msgspec.structs.replace(
                job.shipped, file_id=known.file_id, length=known.length,
                settled=[] if self._again else list(known.settled),
            )  # fmt: skip
        end = job.length if job.length is not None else OPEN_END
        if known is not None and known.length is not None and job.length is None:
            end = job.length = known.length
            job.planned.plain_bytes, job.planned.plain_exact = end, True
        whole = [Span(0, end)]
        sent = [settled.span for settled in job.shipped.settled]
        agent = None if self._again else self._known.agents(text, status)
        agents = _agents_spans(agent, end)
        job.todo = without(whole, [*sent, *agents])
        job.planned.sent_bytes = size_of(without(whole, without(whole, sent))) if sent else 0
        job.planned.agent_bytes = _known_size(without(agents, sent), job.planned.plain_bytes)

    def _find_times(self, job: Job, text: Text, places: Places) -> None:
        planned, length = job.planned, job.length
        first = places.sighting_at(0, length or OPEN_END)
        planned.first_ms = first.stamp_ms if first else None
        places.timed = first is not None
        if text.packing or not length or not places.narrow or first is None:
            planned.last_exact = False
            return
        planned.last_ms = places.last_ms_before(length)
        if self._window.bounded:
            before = size_of(job.todo)
            job.todo = without(job.todo, _outside(places, length, self._window))
            planned.outside_bytes = before - size_of(job.todo)

    def _estimate(self, job: Job, places: Places, sampled: Sampled) -> None:
        planned = job.planned
        planned.todo_bytes = _known_size(job.todo, planned.plain_bytes)
        share = planned.todo_bytes / sampled.bytes if sampled.bytes else 0.0
        if self._window.bounded and not planned.last_exact:
            share *= self._share_asked_for(planned)
        planned.events = round(sampled.events * share)
        planned.json_bytes = round(sampled.json_bytes * share)
        if planned.last_exact and planned.todo_bytes and job.length:
            oldest = self._now_ms - self.readings[job.source].rule.max_age_ms
            border = found(bracket(0, job.length, oldest), _look(places, job.length)).high
            old = size_of(without(job.todo, [Span(border, job.length)]))
            planned.too_old = round(planned.events * old / planned.todo_bytes)

    def _share_asked_for(self, planned: PlannedFile) -> float:
        window, last = self._window, max(planned.mtime_ms, planned.first_ms or 0)
        before = share_before(window.since_ms, planned.first_ms, last) if window.since_ms is not None else 0.0
        until = share_before(window.until_ms, planned.first_ms, last) if window.until_ms is not None else 1.0
        return max(until - before, 0.0)


def _look(places: Places, end: int) -> Callable[[int], Sighting | None]:
    return lambda offset: places.sighting_at(offset, end)


def _outside(places: Places, length: int, window: Window) -> list[Span]:
    """Return the bytes that hold nothing of the time asked for, however the stamps near its bounds are ordered."""
    outside = []
    if window.since_ms is not None:
        since = found(bracket(0, length, window.since_ms - window.disorder_ms), _look(places, length))
        outside.append(Span(0, since.low))
    if window.until_ms is not None:
        until = found(bracket(0, length, window.until_ms + window.disorder_ms), _look(places, length))
        outside.append(Span(until.high, length))
    return outside


def _agents_spans(agent: AgentFile | None, end: int) -> list[Span]:
    """Return what the agent has delivered, and what it will."""
    if agent is None:
        return []
    rest = [Span(agent.life.offset, end)] if agent.goes_on and agent.life.offset < end else []
    return [*agent.spans, *rest]


def _known_size(spans: Sequence[Span], about: int) -> int:
    """Return how many bytes *spans* are; an open end is taken to lie at *about*."""
    return size_of(Span(span.start, min(span.end, max(about, span.start))) for span in spans)


def _encoding_of(head: bytes, rule: Rule) -> tuple[int, str]:
    return find_mark(head, configured_name(rule.encoding), final=True) or (0, "utf-8")


def _is_binary(head: bytes) -> bool:
    """As the agent judges (adapters/discovery_content.py), of text that may be a compressed file's."""
    head = head[:LOOK_BYTES].lstrip(b"\0")
    return not head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) and head.count(b"\0") * 10 > len(head)


def _layout_name(subject: Subject) -> str:
    layout = subject.carry.layout
    if not layout:
        return subject.converter.rule.layout
    return layout.partition("{")[0].strip("+") or "learned"


def _ageless_of(reading: SourceReading, ageless: SourceReading, layout: str) -> Converter:
    """Return a converter for a layout that was learned from the text."""
    rule = without_age_limits(reading.converter(layout).rule)
    return SourceReading(rule).converter(rule.layout) if ageless.chooses else ageless.converter(layout)
