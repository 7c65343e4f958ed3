"""When a file is let go: rotated, read, safe and quiet; or gone, and no copy of it has turned up.

A few that were let go are remembered in each lineage: a copy of one that
appears later (a slow compressor's) is known by them and not read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Final

from shipper.adapters.discovery_siblings import Inode
from shipper.adapters.files import OpenFile
from shipper.adapters.offsets import Life, LifeState
from shipper.core.evidence import Known
from shipper.core.ledger import UNREACHABLE
from shipper.core.model import FileKey
from shipper.pipeline.committer import Committer
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal
from shipper.pipeline.known import known_of
from shipper.pipeline.spilling import Spilling
from shipper.pipeline.tailer import Tailer

QUIET_SCANS_BEFORE_CLOSE: Final = 3
ORPHAN_MS: Final = 3_600_000
SCANS_BEFORE_LOST: Final = 2
SCANS_OF_HOPE: Final = 60  # while a compressed file is not whole that may be the copy
REMEMBERED_IN_A_LINEAGE: Final = 3
REMEMBERED: Final = 20_000


class Partings:
    """Owns what is remembered of files that were let go; used between the tailer's turns only."""

    def __init__(self, tailer: Tailer, committer: Committer, journal: Journal, spilling: Spilling) -> None:
        """Nothing is remembered yet."""
        self._tailer = tailer
        self._spilling = spilling
        self._committer = committer
        self._journal = journal
        self._quiet: dict[FileKey, int] = {}
        self._orphaned: dict[FileKey, int] = {}
        self._declared: dict[FileKey, int] = {}
        self._done: dict[FileKey, Known] = {}

    @property
    def done(self) -> list[Known]:
        """Files that were let go, by which their copies are known."""
        return list(self._done.values())

    def remember(self, life: Life) -> None:
        """Take up a file that was let go before the last stop."""
        self._done[life.key] = known_of(life)

    def recall(self, key: FileKey) -> None:
        """Forget that *key* was let go: it is followed again, or its row is."""
        self._done.pop(key, None)

    def unname(self, followed: Followed) -> None:
        """Say that what stands at its path is *followed* no more."""
        if self._tailer.by_path.get(followed.path) is followed:
            del self._tailer.by_path[followed.path]

    def begin(self, followed: Followed, *, keep: bool) -> OpenFile | None:
        """Take its file from *followed*, and count from now on for how long it is without; return it where to *keep*.

        An open line is not closed here: its rest may stand in a copy. Quiet closes it where there is none.
        """
        kept = self._tailer.reads.taken(followed) if keep else None
        followed.at_end = True
        self.unname(followed)
        self._tailer.reads.give_up(followed)
        if followed.state is LifeState.SPILLED:
            self._spilling.take_up(followed)  # its rest may be there
        else:
            followed.state = LifeState.ORPHAN
        if followed.state is LifeState.ORPHAN:
            self._quiet[followed.key] = self._orphaned[followed.key] = 0
        self._committer.changed(followed)
        return kept

    def found(self, followed: Followed) -> None:
        """Take back that the rest of *followed* was lost: a copy of it has turned up."""
        self._orphaned.pop(followed.key, None)
        lost = followed.counters.pop("lost_bytes", 0)
        if lost:
            declared = self._declared.pop(followed.key, 0)  # none before the last stop: that is in no total of ours
            self._tailer.conversion.count(followed.source, {"lost_bytes": -declared})
            self._journal.say(
                "bytes_found", file=followed.path, source=followed.source, unread_bytes=lost,
                reason="a copy has turned up: what was said to be lost is read from it",
            )  # fmt: skip

    def close_finished(self, there: Collection[Inode], now_ms: int, *, hopeful: bool) -> None:
        """Let go of what is finished; *there* are the files of the last scan, *hopeful* if it could not read all."""
        let_go = False
        for followed in list(self._tailer.followed.values()):
            if followed.at_end and not followed.pending_bytes:
                followed.settled_ms = now_ms
            if followed.live or followed.state is LifeState.DONE:
                continue
            if followed.state is LifeState.ORPHAN:
                let_go |= self._forget_orphan(followed, now_ms, hopeful=hopeful)
            elif not followed.finished:
                self._quiet[followed.key] = 0
            else:
                scans = self._quiet[followed.key] = self._quiet.get(followed.key, 0) + 1
                gone = followed.state is LifeState.SPILLED or (followed.device, followed.inode) not in there
                if scans >= QUIET_SCANS_BEFORE_CLOSE and gone:
                    self._let_go(followed, now_ms)
                    let_go = True
        if let_go:
            self._forget_surplus()

    def _forget_orphan(self, followed: Followed, now_ms: int, *, hopeful: bool) -> bool:
        scans = self._orphaned[followed.key] = self._orphaned.get(followed.key, 0) + 1
        unread = followed.size - followed.read_offset
        patience = SCANS_OF_HOPE if hopeful else SCANS_BEFORE_LOST
        if scans >= patience and unread > 0 and not followed.counters["lost_bytes"]:
            self._count_lost(followed, unread)
            self._journal.say(
                "bytes_lost", file=followed.path, source=followed.source, unread_bytes=unread,
                reason="the file was truncated, deleted or moved away, and no copy of it is found",
                hint="if one turns up within the hour, this is taken back: event=bytes_found",
            )  # fmt: skip
        if followed.watermark.pending:
            return False
        since = self._quiet.setdefault(followed.key, 0)
        if since == 0:
            self._quiet[followed.key] = now_ms
        elif now_ms - since > ORPHAN_MS:
            self._let_go(followed, now_ms)
            return True
        return False

    def _count_lost(self, followed: Followed, count: int) -> None:
        self._tailer.conversion.count(followed.source, {"lost_bytes": count})
        followed.counters["lost_bytes"] += count
        self._declared[followed.key] = count
        self._committer.changed(followed)

    def _let_go(self, followed: Followed, now_ms: int) -> None:
        self._tailer.remove(followed)
        self._quiet.pop(followed.key, None)
        self._orphaned.pop(followed.key, None)
        self._declared.pop(followed.key, None)
        if followed.read_offset < followed.size or not followed.head.length:
            followed.pass_over(followed.chunk_end, followed.size, UNREACHABLE, now_ms)
            self._committer.changed(followed)  # for its account; the row goes with the same round
            self._committer.forget(followed.key)
            return
        followed.state = LifeState.DONE
        self._done[followed.key] = known_of(followed.row(now_ms))
        self._committer.changed(followed)

    def _forget_surplus(self) -> None:
        lineages: defaultdict[int, list[FileKey]] = defaultdict(list)
        for key, known in self._done.items():
            lineages[known.lineage].append(key)
        surplus = [key for keys in lineages.values() for key in sorted(keys)[:-REMEMBERED_IN_A_LINEAGE]]
        surplus += sorted(self._done.keys() - set(surplus))[: max(len(self._done) - len(surplus) - REMEMBERED, 0)]
        for key in surplus:
            del self._done[key]
            self._committer.forget(key)
