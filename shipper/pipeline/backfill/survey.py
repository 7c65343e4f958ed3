"""Looks at the files before anything is sent: their order, times, sizes, and what of each is left to send.

Of a plain file some places are read, of a compressed one its beginning. What
comes out is a `Job` for each file and the figures of the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from shipper.adapters.texts import STDIN, Text, is_address, open_text, seal_of
from shipper.adapters.texts_shared import Stat
from shipper.core.identity import HEAD_BYTES, head_of
from shipper.core.model import FileFacts, FileKey, Span
from shipper.core.plan import OPEN_END, PlannedFile, infer_last_times, ordered, share_before
from shipper.core.ranges import size_of, without
from shipper.core.rule import Rule
from shipper.core.shipped import Shipped
from shipper.core.timeline import bracket, found
from shipper.errors import SourceError
from shipper.pipeline.backfill.asked import Window
from shipper.pipeline.backfill.jobs import Job, agents_spans, known_size, looking_into, outside
from shipper.pipeline.backfill.known import Known
from shipper.pipeline.backfill.outcome import UNPACK_BYTES
from shipper.pipeline.backfill.samples import (
    PACKED_SAMPLE_BYTES,
    SAMPLE_BYTES,
    Sampled,
    Sampler,
    is_binary,
    layout_name,
)
from shipper.pipeline.backfill.stamps import Places
from shipper.pipeline.backfill.wanted import Wanted
from shipper.pipeline.guard import MatchGuard


class Surveyor:
    """Used on the process's main thread.

    Attributes:
        sampler: Owns the sources' readings, in the order in which jobs name them.
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
        unpack_bytes: int = UNPACK_BYTES,
    ) -> None:
        """*again*: what was sent before is sent once more."""
        self.sampler = Sampler(guard, now_ms)
        self._rule_of, self._attributes_of = rule_of, attributes_of
        self._known = known
        self._window = window
        self._guard = guard
        self._now_ms = now_ms
        self._again = again
        self._unpack_bytes = unpack_bytes

    def jobs(self, everything: Sequence[Wanted]) -> list[Job]:
        """Return a job for each text, in the order in which they are sent."""
        jobs = {id(job.planned): job for job in map(self._job, everything)}
        files = ordered(job.planned for job in jobs.values())
        infer_last_times(files)
        for file in files:
            rule = self.sampler.readings[jobs[id(file)].source].rule
            oldest = self._now_ms - rule.max_age_ms
            if not file.last_exact and file.events:
                file.too_old = round(file.events * share_before(oldest, file.first_ms, file.last_ms))
        return [jobs[id(file)] for file in files]

    # -- one file --------------------------------------------------------------------------------------

    def _job(self, wanted: Wanted) -> Job:
        index = self.sampler.reading(wanted.source.name, lambda: self._rule_of(wanted), wanted.source.rate_limit_bytes)
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
            text = open_text(wanted.place, unpack_bytes=self._unpack_bytes)
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
        if not binary and is_binary(head):
            planned.problem = "binary (NUL bytes): source.binary: always sends it"
            return
        subject = self.sampler.subject(job, text, head)
        job.carry = subject.carry
        shipped.head = head_of(head[:HEAD_BYTES])
        shipped.seal = seal_of(job.place) if text.packing or is_address(job.place.path) else b""
        planned.layout = layout_name(subject)
        sampled = self.sampler.sample(subject, head)
        planned.plain_exact = job.length is not None
        planned.plain_bytes = job.length if job.length is not None else text.guess_length()
        places = Places(subject, self._guard)
        job.can_be_cut = places.can_be_cut and not text.packing and self.sampler.same_layout(job, text)
        self._subtract_sent(job, text, status)
        self._find_times(job, text, places)
        self._estimate(job, places, sampled)

    # -- what is left to send ----------------------------------------------------------------------------

    def _subtract_sent(self, job: Job, text: Text, status: Stat) -> None:
        known = self._known.shipped(text, status, job.shipped.seal)
        if known is not None:
            unchanged = bool(known.seal) and known.seal == job.shipped.seal
            job.shipped = msgspec.structs.replace(
                job.shipped, file_id=known.file_id, length=known.length if unchanged else None,
                settled=[] if self._again else list(known.settled),
            )  # fmt: skip
        if job.length is None and job.shipped.length is not None:
            job.length = job.planned.plain_bytes = job.shipped.length
            job.planned.plain_exact = True
        end = job.length if job.length is not None else OPEN_END
        whole = [Span(0, end)]
        sent = [settled.span for settled in job.shipped.settled]
        agent = None if self._again else self._known.agents(text, status)
        agents = agents_spans(agent, end)
        job.todo = without(whole, [*sent, *agents])
        job.planned.sent_bytes = size_of(without(whole, without(whole, sent))) if sent else 0
        job.planned.agent_bytes = known_size(without(agents, sent), job.planned.plain_bytes)

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
            job.todo = without(job.todo, outside(places, length, self._window))
            planned.outside_bytes = before - size_of(job.todo)

    def _estimate(self, job: Job, places: Places, sampled: Sampled) -> None:
        planned = job.planned
        planned.todo_bytes = known_size(job.todo, planned.plain_bytes)
        share = planned.todo_bytes / sampled.bytes if sampled.bytes else 0.0
        if self._window.bounded and not planned.last_exact:
            share *= self._share_asked_for(planned)
        planned.events = round(sampled.events * share)
        planned.json_bytes = round(sampled.json_bytes * share)
        if planned.last_exact and planned.todo_bytes and job.length:
            oldest = self._now_ms - self.sampler.readings[job.source].rule.max_age_ms
            border = found(bracket(0, job.length, oldest), looking_into(places, job.length)).high
            old = size_of(without(job.todo, [Span(border, job.length)]))
            planned.too_old = round(planned.events * old / planned.todo_bytes)

    def _share_asked_for(self, planned: PlannedFile) -> float:
        window, last = self._window, max(planned.mtime_ms, planned.first_ms or 0)
        before = share_before(window.since_ms, planned.first_ms, last) if window.since_ms is not None else 0.0
        until = share_before(window.until_ms, planned.first_ms, last) if window.until_ms is not None else 1.0
        return max(until - before, 0.0)
