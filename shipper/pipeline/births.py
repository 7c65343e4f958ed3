"""Makes the rows of files that are new or begin anew: met for the first time, or truncated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from shipper.adapters.offsets import Life, LifeState
from shipper.adapters.offsets_thread import OffsetThread
from shipper.config import Source, fill_path_attributes
from shipper.core.evidence import Decision, Seen
from shipper.core.identity import GUARD_BYTES, HEAD_BYTES, NO_GUARD, NO_HEAD
from shipper.core.ledger import BACKFILLED, COPY, SKIPPED
from shipper.errors import SourceError
from shipper.pipeline.descriptors import open_wherever
from shipper.pipeline.followed import Followed
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.sent_before import SentBefore
from shipper.pipeline.succession import lineage_for
from shipper.pipeline.tailer import Tailer

NO_SOURCE: Final = -1
IDS_AT_A_TIME: Final = 64


class Births:
    """Knows which source reads what; used between the tailer's turns only."""

    def __init__(
        self,
        sources: Sequence[Source],
        readings: Sequence[SourceReading],
        tailer: Tailer,
        offsets: OffsetThread,
        now_ms: Callable[[], int],
        sent_before: SentBefore,
    ) -> None:
        """*readings* stand beside *sources*, in the same order."""
        self._sent_before = sent_before
        self._unscanned: set[str] = set()
        self._file_ids = deque[int]()
        self.exchange(sources, readings)
        self._tailer = tailer
        self._offsets = offsets
        self._now_ms = now_ms

    def exchange(self, sources: Sequence[Source], readings: Sequence[SourceReading]) -> None:
        """Take other sources; those that were not there before meet their files for the first time."""
        before = {source.name for source in getattr(self, "_sources", ())}
        self._sources = sources
        self._readings = readings
        self._by_name = {source.name: index for index, source in enumerate(sources)}
        self._unscanned |= self._by_name.keys() - before

    def scanned(self) -> None:
        """What is met from now on was born since."""
        self._unscanned.clear()
        self._sent_before.scanned()

    def reading_of(self, source: str, path: str) -> tuple[SourceReading, dict[str, str]]:
        """Return what reads a file of *source*, and the attributes that its path gives."""
        index = self._by_name[source]
        return self._readings[index], self._path_attributes(index, path)

    def knows(self, source: str) -> bool:
        """Return whether there is a source of that name."""
        return source in self._by_name

    def again(self, life: Life) -> Followed:
        """Return a file that is followed again, from its row."""
        return self._followed(life, life.lineage or life.file_id)

    async def first(self, decision: Decision, seen: Seen, families: dict[str, int]) -> tuple[Followed, Decision] | None:
        """Return a file that is met for the first time, with why; None where no source reads it.

        *families*: see lineage_for.
        """
        index = self._source_of(decision, seen)
        if index == NO_SOURCE:
            return None
        source = self._sources[index]
        file_id = await self._next_file_id()
        at_end = (
            source.start_at == "end" and source.name in self._unscanned and decision.live and decision.follows is None
        )
        sent = None if at_end or decision.begin_at else await self._sent_before.of(seen)
        head, guard = (sent.head, sent.guard) if sent is not None else (NO_HEAD, NO_GUARD)
        life = Life(
            file_id=file_id,
            generation=0,
            source=source.name,
            path=seen.path,
            device=seen.device,
            inode=seen.inode,
            head_length=head.length,
            head_digest=head.digest,
            guard_length=guard.length,
            guard_digest=guard.digest,
            offset=seen.size if at_end else sent.offset if sent is not None else decision.begin_at,
            carry=sent.carry_for(source.name) if sent is not None else b"",
            size=0 if seen.packed else seen.size,
            mtime_ns=seen.mtime_ns,
            state=state_for(seen, live=decision.live),
            born_ms=self._now_ms(),
            lineage=lineage_for(seen, decision.follows, families, file_id),
        )
        followed = self._followed(life, life.lineage)
        why = SKIPPED if at_end else BACKFILLED if sent is not None else COPY
        followed.pass_over(0, life.offset, why, life.born_ms)
        if sent is not None:
            evidence = f"{decision.evidence}; a backfill has read {sent.offset:,} bytes of it"
            decision = decision._replace(evidence=evidence)
        return followed, decision

    async def _next_file_id(self) -> int:
        """Return an id that no file has; taken from the store a few at a time, so that many files are met quickly."""
        if not self._file_ids:
            taken = await self._offsets.run(lambda store: [store.next_file_id() for _ in range(IDS_AT_A_TIME)])
            self._file_ids.extend(taken)
        return self._file_ids.popleft()

    def next_generation(self, followed: Followed, seen: Seen, *, live: bool) -> Followed:
        """Return what stands in the place of *followed*, which was truncated: a generation that begins at 0."""
        generation = 1 + max(key.generation for key in self._tailer.followed if key.file_id == followed.key.file_id)
        life = Life(
            file_id=followed.key.file_id,
            generation=generation,
            source=followed.source,
            path=seen.path,
            device=seen.device,
            inode=seen.inode,
            size=seen.size,
            mtime_ns=seen.mtime_ns,
            state=state_for(seen, live=live),
            born_ms=self._now_ms(),
            lineage=followed.lineage,
        )
        return self._followed(life, followed.lineage)

    def _followed(self, life: Life, lineage: int) -> Followed:
        index = self._by_name[life.source]
        return Followed(life, self._readings[index], self._path_attributes(index, life.path), lineage=lineage)

    def _path_attributes(self, index: int, path: str) -> dict[str, str]:
        source = self._sources[index]
        for pattern in source.paths if source.path_attributes else ():
            filled = fill_path_attributes(source, path, pattern)
            if filled:
                return filled
        return {}

    def _source_of(self, decision: Decision, seen: Seen) -> int:
        """Return the index of the source that reads *seen*; where no pattern says, that of what it was rotated from."""
        if decision.follows is not None and (seen.source is None or seen.packed):
            return self._by_name.get(decision.follows.source, NO_SOURCE)
        return seen.source if seen.source is not None else NO_SOURCE


def state_for(seen: Seen, *, live: bool) -> LifeState:
    """Return the state of a file that stands where *seen* does."""
    if seen.packed:
        return LifeState.UNPACKING
    return LifeState.FOLLOWING if live else LifeState.DRAINING


def take_fingerprints(born: Sequence[Followed]) -> None:
    """Look at the first bytes of new files, so that what becomes of them before they are read can be told; blocking."""
    for followed in born:
        if followed.state is LifeState.UNPACKING or not followed.size:
            continue
        try:
            file = open_wherever(followed)
        except SourceError:  # met again by the next scan, or said when it is to be read
            continue
        try:
            before = min(followed.read_offset, GUARD_BYTES)
            tail = file.read_now(followed.read_offset - before, before, b"").data if before else b""
            followed.begin_with(file.read_now(0, HEAD_BYTES, b"").data, tail)
        except SourceError:
            continue
        finally:
            file.close()
