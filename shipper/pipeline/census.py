"""Scans the directories and carries out what a scan means for the followed files.

What to do is core/follow.py's decision; here it is done: rows made and saved
before the first byte is read, descriptors opened, generations begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from shipper.adapters.discovery import Discovery, Scan
from shipper.adapters.files import answer
from shipper.adapters.offsets import Life, LifeState
from shipper.adapters.offsets_thread import OffsetThread
from shipper.config import Source, fill_path_attributes
from shipper.core.follow import Answer, Decision, Do, Known, Question, Seen, decide, questions
from shipper.core.model import FileKey
from shipper.core.rotation_names import lineage_of
from shipper.pipeline.committer import Committer
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.tailer import Tailer

QUIET_SCANS_BEFORE_CLOSE = 3
ORPHAN_MS = 3_600_000


class Census:
    """Owns which files are followed; used between the tailer's turns only."""

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
    ) -> None:
        """*readings* stand beside *sources*, in the same order."""
        self._sources = sources
        self._readings = readings
        self._by_name = {source.name: index for index, source in enumerate(sources)}
        self._discovery = discovery
        self._tailer = tailer
        self._committer = committer
        self._offsets = offsets
        self._journal = journal
        self._now_ms = now_ms
        self._waited: dict[str, int] = {}
        self._quiet: dict[FileKey, int] = {}
        self._first = True
        self.last = Scan()
        self.scans = 0

    # -- beginning -------------------------------------------------------------------------------

    def take_up(self, lives: Sequence[Life]) -> None:
        """Follow again what was followed before the last stop."""
        for life in lives:
            index = self._by_name.get(life.source)
            if index is None:
                hint = "its offsets are kept: name the source again, or 'shipper state forget'"
                self._journal.once("source_removed", life.source, source=life.source, file=life.path, hint=hint)
                continue
            followed = Followed(
                life, self._readings[index], self._path_attributes(index, life.path), lineage=life.file_id
            )
            self._tailer.followed[followed.key] = followed
            self._tailer.suspects.add(followed.key)  # until the first scan has looked at its bytes
            if followed.live:
                self._tailer.by_path[followed.path] = followed

    # -- a scan ------------------------------------------------------------------------------------

    async def scan(self) -> Scan:
        """Look at every directory and act on what is there."""
        tailer = self._tailer
        known = [f.known(suspect=f.key in tailer.suspects) for f in tailer.followed.values()]
        paths = {k.path for k in known}
        inodes = {(k.device, k.inode) for k in known if not k.orphan}
        now_ms = self._now_ms()
        scan, answers = await asyncio.to_thread(self._look, known, paths, inodes, now_ms)
        decisions = decide(known, scan.seen, answers, self._waited)
        await self._carry_out(decisions, now_ms)
        tailer.suspects.clear()
        tailer.close_idle()
        self._say_skipped(scan)
        self.last = scan
        self.scans += 1
        self._first = False
        return scan

    def _look(
        self, known: list[Known], paths: set[str], inodes: set[tuple[int, int]], now_ms: int
    ) -> tuple[Scan, dict[Question, Answer | None]]:
        scan = self._discovery.scan(paths, inodes, now_ns=now_ms * 1_000_000)
        return scan, {question: answer(question) for question in questions(known, scan.seen)}

    def _say_skipped(self, scan: Scan) -> None:
        for path, reason in scan.skipped.items():
            self._journal.once("file_skipped", path, file=path, reason=reason)
        for path in self.last.skipped.keys() - scan.skipped.keys():
            self._journal.over("file_skipped", path)

    # -- carrying out ------------------------------------------------------------------------------

    async def _carry_out(self, decisions: list[Decision], now_ms: int) -> None:
        fresh: list[Followed] = []
        finishing: set[FileKey] = set()
        waited: dict[str, int] = {}
        for decision in decisions:
            followed = self._tailer.followed.get(decision.known.key) if decision.known else None
            if decision.do is Do.WAIT and decision.seen is not None:
                waited[decision.seen.path] = self._waited.get(decision.seen.path, 0) + 1
            elif decision.do is Do.START and decision.seen is not None:
                fresh.append(await self._start(decision, decision.seen, now_ms))
            elif followed is not None:
                begun = await self._act(decision, followed, now_ms)
                if begun is not None:
                    fresh.append(begun)
            self._note_finishing(decision, followed, fresh, finishing)
        self._waited = waited
        if fresh:
            for followed in fresh:
                self._committer.changed(followed)
            while not await self._committer.save():  # no byte is sent of a file whose row is not saved
                await asyncio.sleep(0.2)
        for followed in fresh:
            if followed.live:
                followed.waits_for = {key for key in finishing if self._is_related(key, followed)}
            self._tailer.add(followed)
        for followed in list(self._tailer.followed.values()):
            if followed.file is None and (followed.pending_bytes or not followed.at_end):
                self._tailer.look_at(followed)
        self._close_finished(now_ms)

    def _note_finishing(
        self, decision: Decision, followed: Followed | None, fresh: list[Followed], finishing: set[FileKey]
    ) -> None:
        if decision.live and decision.do is not Do.TRUNCATED:
            return
        if decision.do is Do.START and fresh:
            finishing.add(fresh[-1].key)
        elif followed is not None and decision.do in (Do.ADOPT, Do.RENAMED, Do.DRAIN):
            finishing.add(followed.key)

    def _is_related(self, key: FileKey, followed: Followed) -> bool:
        older = self._tailer.followed.get(key)
        return older is not None and older.key != followed.key and older.lineage == followed.lineage

    async def _start(self, decision: Decision, seen: Seen, now_ms: int) -> Followed:
        index = seen.source if seen.source is not None else self._source_beside(seen.path)
        source = self._sources[index]
        file_id = await self._offsets.run(lambda store: store.next_file_id())
        older = self._tailer.by_path.get(seen.path) or self._rotated_from(seen)
        at_end = source.start_at == "end" and self._first and decision.live
        life = Life(
            file_id=file_id,
            generation=0,
            source=source.name,
            path=seen.path,
            device=seen.device,
            inode=seen.inode,
            offset=seen.size if at_end else decision.begin_at,
            size=seen.size,
            mtime_ns=seen.mtime_ns,
            state=LifeState.FOLLOWING if decision.live else LifeState.DRAINING,
            born_ms=now_ms,
        )
        self._say(decision, life.key, "start", seen.path)
        return self._followed(life, index, lineage=older.lineage if older else file_id)

    async def _act(self, decision: Decision, followed: Followed, now_ms: int) -> Followed | None:
        seen = decision.seen
        if decision.do is Do.TRUNCATED and seen is not None:
            return self._truncated(decision, followed, seen, now_ms)
        if decision.do is Do.ADOPT and seen is not None:
            followed.device, followed.inode = seen.device, seen.inode
            self._move(followed, seen, LifeState.DRAINING)
            followed.size, followed.mtime_ns = seen.size, seen.mtime_ns
            followed.at_end = False
            self._say(decision, followed.key, "adopt", seen.path)
        elif decision.do in (Do.RENAMED, Do.CONTINUE) and seen is not None:
            state = LifeState.FOLLOWING if decision.live else LifeState.DRAINING
            if followed.path != seen.path or followed.state is not state:
                self._move(followed, seen, state)
                self._say(decision, followed.key, "renamed", seen.path)
            if seen.size > followed.read_offset or seen.size != followed.size:
                self._tailer.look_at(followed)
            if followed.file is None:
                followed.size, followed.mtime_ns = seen.size, seen.mtime_ns
        elif decision.do is Do.DRAIN:
            if followed.state is not LifeState.DRAINING:
                followed.state = LifeState.DRAINING
                self._unname(followed)
                self._committer.changed(followed)
                self._say(decision, followed.key, "drain", followed.path)
            self._tailer.look_at(followed)
        elif decision.do is Do.GONE:
            self._gone(decision, followed)
        return None

    def _truncated(self, decision: Decision, followed: Followed, seen: Seen, now_ms: int) -> Followed:
        """Begin a new generation at 0; the old one waits for a copy that holds its rest."""
        index = self._by_name[followed.source]
        generation = 1 + max(key.generation for key in self._tailer.followed if key.file_id == followed.key.file_id)
        # An open line is not closed here: its rest may stand in the copy. Quiet closes it where no copy is found.
        followed.at_end = True
        followed.state = LifeState.ORPHAN
        self._unname(followed)
        if followed.file is not None:
            followed.file.close()
            followed.file = None
        followed.ahead = None
        self._quiet[followed.key] = 0
        self._committer.changed(followed)
        life = Life(
            file_id=followed.key.file_id,
            generation=generation,
            source=followed.source,
            path=seen.path,
            device=seen.device,
            inode=seen.inode,
            size=seen.size,
            mtime_ns=seen.mtime_ns,
            state=LifeState.FOLLOWING if decision.live else LifeState.DRAINING,
            born_ms=now_ms,
        )
        self._say(decision, life.key, "truncated", seen.path)
        return self._followed(life, index, lineage=followed.lineage)

    def _gone(self, decision: Decision, followed: Followed) -> None:
        if followed.state is LifeState.ORPHAN:
            return
        unread = followed.size - followed.read_offset
        followed.state = LifeState.ORPHAN
        self._unname(followed)
        self._committer.changed(followed)
        if unread > 0:
            self._tailer.counters["lost_bytes"] += unread
            self._tailer.by_source[followed.source]["lost_bytes"] += unread
            followed.counters["lost_bytes"] += unread
            self._journal.say("bytes_lost", file=followed.path, source=followed.source, unread_bytes=unread,
                              reason="the file was deleted or moved away while it was not open")  # fmt: skip
        self._say(decision, followed.key, "gone", followed.path)

    # -- small parts -------------------------------------------------------------------------------

    def _followed(self, life: Life, index: int, *, lineage: int) -> Followed:
        return Followed(life, self._readings[index], self._path_attributes(index, life.path), lineage=lineage)

    def _path_attributes(self, index: int, path: str) -> dict[str, str]:
        source = self._sources[index]
        for pattern in source.paths if source.path_attributes else ():
            filled = fill_path_attributes(source, path, pattern)
            if filled:
                return filled
        return {}

    def _source_beside(self, path: str) -> int:
        """Return the source of the file that *path* was rotated from."""
        directory = path.rpartition("/")[0] + "/"
        for followed in self._tailer.followed.values():
            if followed.path.startswith(directory):
                return self._by_name[followed.source]
        return 0

    def _rotated_from(self, seen: Seen) -> Followed | None:
        """Return the file that *seen* is a rotated form of, by its name."""
        by_path = {followed.path: followed for followed in self._tailer.followed.values()}
        return by_path.get(lineage_of(seen.path, by_path))

    def _move(self, followed: Followed, seen: Seen, state: LifeState) -> None:
        self._unname(followed)
        followed.path, followed.state = seen.path, state
        if followed.file is not None:
            followed.file.path = seen.path
        if followed.live:
            self._tailer.by_path[seen.path] = followed
        self._committer.changed(followed)

    def _unname(self, followed: Followed) -> None:
        if self._tailer.by_path.get(followed.path) is followed:
            del self._tailer.by_path[followed.path]

    def _close_finished(self, now_ms: int) -> None:
        """Let go of rotated files that are read, safe and quiet, and of orphans that no copy was found for."""
        for followed in list(self._tailer.followed.values()):
            if followed.at_end and not followed.pending_bytes:
                followed.settled_ms = now_ms
            if followed.live or followed.state is LifeState.DONE:
                continue
            if followed.state is LifeState.ORPHAN:
                self._forget_orphan(followed, now_ms)
                continue
            if not followed.finished:
                self._quiet[followed.key] = 0
                continue
            scans = self._quiet[followed.key] = self._quiet.get(followed.key, 0) + 1
            still_there = any((s.device, s.inode) == (followed.device, followed.inode) for s in self.last.seen)
            if scans >= QUIET_SCANS_BEFORE_CLOSE and not still_there:
                self._tailer.remove(followed)
                self._committer.forget(followed.key)
                self._quiet.pop(followed.key, None)

    def _forget_orphan(self, followed: Followed, now_ms: int) -> None:
        if followed.watermark.pending:
            return
        since = self._quiet.setdefault(followed.key, 0)
        if since == 0:
            self._quiet[followed.key] = now_ms
        elif now_ms - since > ORPHAN_MS:
            self._tailer.remove(followed)
            self._committer.forget(followed.key)
            self._quiet.pop(followed.key, None)

    def _say(self, decision: Decision, key: FileKey, what: str, path: str) -> None:
        self._committer.decided(key, what, decision.evidence)
        self._journal.say(f"file_{what}", file=path, id=f"{key.file_id}.{key.generation}", evidence=decision.evidence)
