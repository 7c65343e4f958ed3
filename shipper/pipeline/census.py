"""Scans the directories and carries out what a scan means for the followed files.

What to do is core/follow.py's decision; here it is done: rows made and saved
before the first byte is read, descriptors opened, generations begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence

import msgspec

from shipper.adapters.discovery import Discovery, Scan
from shipper.adapters.files import OpenFile
from shipper.adapters.offsets import Life, LifeState
from shipper.adapters.offsets_thread import OffsetThread
from shipper.config import Source
from shipper.core.follow import Decision, Do, decide, missing_name
from shipper.core.identity import HEAD_BYTES
from shipper.core.model import FileKey
from shipper.pipeline.births import Births, take_fingerprints
from shipper.pipeline.committer import Committer
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal
from shipper.pipeline.looks import Looks
from shipper.pipeline.ownership import Owners
from shipper.pipeline.partings import Partings
from shipper.pipeline.passages import Passages
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.sent_before import SentBefore
from shipper.pipeline.spilling import Spilling
from shipper.pipeline.succession import Succession
from shipper.pipeline.tailer import Tailer


class Census:
    """Owns which files are followed; used between the tailer's turns only.

    Attributes:
        looks: Looks at the directories; says whether they answer.
        last: What the last scan has found, but the files that it saw.
        scans: How many were carried out.
        hidden: Files of which the last one could see nothing.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        readings: Sequence[SourceReading],
        discovery: Discovery,
        tailer: Tailer,
        committer: Committer,
        offsets: OffsetThread,
        journal: Journal,
        now_ms: Callable[[], int],
        spilling: Spilling,
        sent_before: SentBefore,
    ) -> None:
        """*readings* stand beside *sources*, in the same order."""
        self._owners = Owners(sources)
        self._births = Births(sources, readings, tailer, offsets, now_ms, sent_before)
        self._partings = Partings(tailer, committer, journal, spilling)
        self._passages = Passages(tailer, self._births, self._partings, committer, journal)
        self._succession = Succession(tailer)
        self._spilling = spilling
        self.looks = Looks(sources, discovery, tailer.wake.set)
        self._tailer = tailer
        self._committer = committer
        self._journal = journal
        self._now_ms = now_ms
        self._waited: dict[str, int] = {}
        self._taken_up = set[FileKey]()  # since the last scan: for how long they are gone nobody knows
        self.last = Scan()
        self.scans = 0
        self.hidden: frozenset[FileKey] = frozenset()

    # -- beginning -------------------------------------------------------------------------------

    def take_up(self, lives: Sequence[Life]) -> None:
        """Follow again what was followed before the last stop."""
        self._settle(self._taken(self._owners.inherit(lives)))

    async def take_up_all(self, pages: AsyncIterator[Sequence[Life]]) -> None:
        """Do as `take_up` with all rows, a page at a time, and with what is in the spill without one.

        Rows of sources that are gone wait for the last page: any of them may tell who reads a lineage now.
        """
        taken: list[Followed] = []
        left: list[Life] = []
        spilled, known = set(self._spilling.spill.keys), set[FileKey]()
        async for lives in pages:
            known |= spilled.intersection(life.key for life in lives)
            left += [life for life in lives if not self._births.knows(life.source)]
            taken += self._taken(life for life in lives if self._births.knows(life.source))
        left += self._spilling.strays(known)
        taken += self._taken(self._owners.inherit(left))
        self._settle(taken)

    def _taken(self, lives: Iterable[Life]) -> list[Followed]:
        taken: list[Followed] = []
        for life in lives:
            self._partings.recall(life.key)
            if not self._births.knows(life.source):
                hint = "its offsets are kept: name the source again, or 'shipper state forget'"
                self._journal.once("source_removed", life.source, source=life.source, file=life.path, hint=hint)
                continue
            if life.state is LifeState.DONE:
                self._partings.remember(life)
                continue
            followed = self._births.again(life)
            self._spilling.take_up(followed)
            followed.at_end = followed.state is LifeState.ORPHAN
            taken.append(followed)
            self._taken_up.add(followed.key)
            self._tailer.followed[followed.key] = followed
            self._tailer.suspects.add(followed.key)  # until the first scan has looked at its bytes
            if followed.live:
                self._tailer.by_path[followed.path] = followed
        return taken

    def _settle(self, taken: Sequence[Followed]) -> None:
        self._succession.arrange(taken)
        self.looks.settle_anew()

    def exchange(self, sources: Sequence[Source], readings: Sequence[SourceReading], discovery: Discovery) -> None:
        """Go by other sources from the next scan on; what is followed stays as it is."""
        self._owners = Owners(sources)
        self._births.exchange(sources, readings)
        self.looks.exchange(sources, discovery)

    def owner_of(self, path: str) -> str | None:
        """Return the name of the source whose patterns match *path*."""
        return self._owners.of(path)

    def reading_of(self, source: str, path: str) -> tuple[SourceReading, dict[str, str]]:
        """Return what reads a file of *source*, and the attributes that its path gives."""
        return self._births.reading_of(source, path)

    def forget(self, keys: Collection[FileKey]) -> None:
        """Know nothing more of *keys*, whose rows the operator has removed: neither their copies nor their spill."""
        for key in keys:
            self._partings.recall(key)
            self._spilling.spill.forget(key)

    # -- a scan ------------------------------------------------------------------------------------

    async def scan(self) -> Scan | None:
        """Look at every directory and act on what is there; None while one does not answer: read on meanwhile."""
        if self.looks.hangs:
            return None
        tailer = self._tailer
        now_ms = self._now_ms()
        files = list(tailer.followed.values())
        look = await self.looks.look(files, tailer.suspects, self._partings.done, now_ms)
        if look is None:
            return None
        scan = look.scan
        waited = self._waited | {missing_name(one.key): 1 for one in look.known if one.key in self._taken_up}
        decisions = decide(look.known, scan.seen, look.answers, waited)
        for followed, size, mtime_ns in look.changed:
            self._passages.grown(followed, size, mtime_ns)
        await self._carry_out(decisions, now_ms, look.hidden)
        await self._spilling.look(scan.there)
        self._partings.close_finished(scan.there, now_ms, hopeful=look.hopeful)
        tailer.suspects.clear()
        tailer.scanned(scan.there)
        self._say_skipped(scan, decisions)
        self.last = msgspec.structs.replace(scan, seen=[], there=())  # there may be very many, and nobody asks again
        self.scans += 1
        self.hidden = look.hidden
        self._births.scanned()
        return scan

    def _say_skipped(self, scan: Scan, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            if decision.seen is not None and decision.seen.packed and decision.do is not Do.WAIT:
                scan.skipped.pop(decision.seen.path, None)
            elif decision.seen is not None and decision.seen.path in scan.skipped:
                scan.skipped[decision.seen.path] += f"; {decision.evidence}"
        for path, reason in scan.skipped.items():
            self._journal.once("file_skipped", path, file=path, reason=reason)
        for path in self.last.skipped.keys() - scan.skipped.keys():
            self._journal.over("file_skipped", path)

    # -- carrying out ------------------------------------------------------------------------------

    async def _carry_out(self, decisions: list[Decision], now_ms: int, hidden: Collection[FileKey]) -> None:
        fresh: list[Followed] = []
        families: dict[str, int] = {}
        waited: dict[str, int] = {}
        behind = self._give_up_files(decisions)  # before copies of the same files are taken up
        for decision in decisions:
            seen = decision.seen
            followed = self._tailer.followed.get(decision.known.key) if decision.known else None
            begun = None
            if decision.do is Do.WAIT:
                name = seen.path if seen is not None else missing_name(decision.known.key) if decision.known else ""
                waited[name] = self._waited.get(name, 0) + 1
            elif decision.do is Do.START and seen is not None:
                met = await self._births.first(decision, seen, families)
                if met is not None:
                    begun, decided = met
                    self._passages.say(decided, begun.key, "start", seen.path)
            elif followed is not None and followed.key in behind:
                begun = self._passages.behind(decision, followed, behind[followed.key])
            elif followed is not None:
                begun = self._passages.act(decision, followed)
            if begun is not None:
                fresh.append(begun)
        self._waited = waited
        self._taken_up.clear()
        if fresh:
            await asyncio.to_thread(take_fingerprints, fresh)
            for followed in fresh:
                self._committer.changed(followed)
            while not await self._committer.save():  # no byte is sent of a file whose row is not saved
                await asyncio.sleep(0.2)
        for followed in fresh:
            self._tailer.add(followed)
        self._succession.arrange(fresh)
        await self._look_at_unread(hidden)

    async def _look_at_unread(self, hidden: Collection[FileKey]) -> None:
        """Give those a turn that there is more of; of *hidden* ones only a read can tell."""
        unread: list[Followed] = []
        for followed in list(self._tailer.followed.values()):
            if followed.key in hidden:
                self._tailer.look_at(followed)
            elif followed.file is None and (followed.pending_bytes or not followed.at_end):
                self._tailer.look_at(followed)
                if not followed.read_offset and followed.head.length < min(followed.size, HEAD_BYTES):
                    unread.append(followed)
        if unread:  # they wait for older ones, and have grown since they were met
            await asyncio.to_thread(take_fingerprints, unread)

    def _give_up_files(self, decisions: Sequence[Decision]) -> dict[FileKey, OpenFile]:
        """Take their files from those that are truncated or gone; return what must be read from its beginning.

        That is what stands behind the descriptor of a file that was truncated before its name was gone.
        """
        named = {(decision.seen.device, decision.seen.inode) for decision in decisions if decision.seen is not None}
        behind: dict[FileKey, OpenFile] = {}
        for decision in decisions:
            followed = self._tailer.followed.get(decision.known.key) if decision.known else None
            if followed is None or decision.do not in (Do.TRUNCATED, Do.GONE):
                continue
            keep = decision.do is Do.GONE and (followed.device, followed.inode) not in named
            file = self._partings.begin(followed, keep=keep)
            if file is not None:
                behind[followed.key] = file
            if decision.do is Do.GONE:
                self._passages.say(decision, followed.key, "gone", followed.path)
        return behind
