"""When bytes go to the spill: those of a file without a name, while only our descriptor keeps them.

Such a file is gone with this process, and takes its room on the disk until
then. Where it is not delivered soon (the endpoint does not answer, or it
takes more than a scan or two) what is unsaved of it is copied; once it is
copied and quiet, or the disk is nearly full, the descriptor is closed, and
reading goes on from the spill at the same offsets. Used between the tailer's
turns only.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from shipper.adapters.discovery_siblings import Inode
from shipper.adapters.files import OpenFile, Turn, map_os_errors
from shipper.adapters.offsets import Life, LifeState
from shipper.adapters.spill import FULL, Origin, Segment, Spill, free_share
from shipper.core.model import FileKey
from shipper.errors import SourceError
from shipper.pipeline.committer import Committer
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal
from shipper.pipeline.tailer import Tailer

SCANS_BEFORE_SPILL: Final = 2
QUIET_SCANS_BEFORE_CLOSE: Final = 3
BYTES_A_SCAN: Final = 64 << 20
LOW_DISK_SHARE: Final = 0.05
_HUNG_READ_SECONDS: Final = 1.0


class SpilledFile:
    """What is read instead of a file that is gone."""

    def __init__(self, spill: Spill, key: FileKey, path: str, mtime_ns: int) -> None:
        """Read what *spill* has of *key*; *path* is the file's last name."""
        self.path = path
        self._spill = spill
        self._key = key
        self._mtime_ns = mtime_ns

    async def read(self, offset: int, size: int, expect: bytes) -> Turn:
        """Do as `read_now` in a thread."""
        return await asyncio.to_thread(self.read_now, offset, size, expect)

    def read_now(self, offset: int, size: int, _expect: bytes) -> Turn:
        """Return up to *size* bytes at *offset*, or behind what is missing there.

        Raises:
            FileUnreadable: The disk fails.
        """
        with map_os_errors(self.path):
            piece = self._spill.read(self._key, offset, size)
        span = self._spill.span(self._key)
        end = max(span[1] if span else 0, piece.at + len(piece.data))
        return Turn(piece.data, end, self._mtime_ns, 0, guard_ok=True, skipped=piece.at - offset, why=piece.why)

    async def first(self) -> bytes:
        """Return nothing: the first bytes may be gone, and the fingerprint was taken before."""
        return b""

    pins = False

    def close(self) -> None:
        """Do nothing: nothing is held."""


class Spilling:
    """Owns which files are in the spill.

    Attributes:
        stalled: Says whether the endpoint takes nothing now.
        share_free: Says how much of a path's disk is free, from 0 to 1.
    """

    def __init__(
        self,
        spill: Spill,
        tailer: Tailer,
        committer: Committer,
        journal: Journal,
        *,
        stalled: Callable[[], bool],
        share_free: Callable[[str], float] = free_share,
    ) -> None:
        """Read and write *spill*; the rest are the agent's parts, and what the class says."""
        self.spill = spill
        self._tailer = tailer
        self._committer = committer
        self._journal = journal
        self.stalled = stalled
        self.share_free = share_free
        self._nameless: dict[FileKey, int] = {}
        self._quiet: dict[FileKey, int] = {}

    # -- beginning -------------------------------------------------------------------------------

    def take_up(self, followed: Followed) -> None:
        """Read *followed* from the spill, if its bytes are there."""
        span = self.spill.span(followed.key)
        if span is not None and span[1] > followed.saved_offset:
            followed.size = max(followed.size, span[1])
            self._read_from_spill(followed)
        elif followed.state is LifeState.SPILLED:  # all that was there is saved, or had to go
            followed.state = LifeState.ORPHAN

    def strays(self, known: Collection[FileKey]) -> list[Life]:
        """Return rows for what is in the spill without one: the offset store was replaced by an older copy."""
        found: list[Life] = []
        for key in self.spill.keys:
            span, origin = self.spill.span(key), None
            if key not in known and span is not None:
                origin = self.spill.origin(key)
            if origin is None or span is None:
                continue
            path = os.fsdecode(origin.path)
            self._journal.say("spill_found", file=path, source=origin.source, unread_bytes=span[1] - span[0])
            found.append(_row(origin, path, span))
        return found

    # -- after a scan ------------------------------------------------------------------------------

    async def look(self, there: Collection[Inode]) -> None:
        """Spill what is due, and remove what is saved; *there* are the files that the last scan met."""
        self._release()
        doomed = [one for one in self._tailer.followed.values() if self._is_doomed(one, there)]
        self._nameless = {one.key: self._nameless.get(one.key, 0) + 1 for one in doomed}
        room = BYTES_A_SCAN
        for followed in doomed:
            if self.spill.enabled and room > 0 and self._is_due(followed):
                room -= await self._move(followed, room)

    async def keep_of(self, followed: Followed) -> None:
        """Copy what only our descriptor has of a file that is let go with its source, for the day of its return.

        What cannot be copied is lost, and counted.
        """
        file = followed.file
        if not isinstance(file, OpenFile):
            return
        try:
            now = await asyncio.wait_for(asyncio.to_thread(file.read_now, 0, 0, b""), _HUNG_READ_SECONDS)
        except (SourceError, TimeoutError):
            return  # it stands where it stood, for all one knows
        if now.links:
            return
        if self.spill.enabled:
            await self._move(followed, now.size_now)
        lost = now.size_now - max(self._end(followed), followed.chunk_end)
        if lost > 0:
            self._tailer.conversion.count(followed.source, {"lost_bytes": lost})
            followed.counters["lost_bytes"] += lost
            self._committer.changed(followed)
            self._journal.say(
                "bytes_lost", file=followed.path, source=followed.source, unread_bytes=lost,
                reason="its source was removed, its name was gone, and it could not be spilled",
            )  # fmt: skip

    def _is_doomed(self, followed: Followed, there: Collection[Inode]) -> bool:
        return (
            followed.file is not None
            and not isinstance(followed.file, SpilledFile)
            and followed.state in (LifeState.DRAINING, LifeState.UNPACKING, LifeState.SPILLED)
            and (followed.device, followed.inode) not in there
            and not followed.finished
        )

    def _is_due(self, followed: Followed) -> bool:
        return (
            followed.state is LifeState.SPILLED
            or self._nameless[followed.key] > SCANS_BEFORE_SPILL
            or self.stalled()
            or self._is_low(followed)
        )

    def _is_low(self, followed: Followed) -> bool:
        return self.share_free(followed.path.rpartition("/")[0] or "/") < LOW_DISK_SHARE

    async def _move(self, followed: Followed, room: int) -> int:
        """Copy what is not saved of *followed*, and close it where nothing more is to come; return what was copied."""
        if followed.ahead is not None:
            done, _ = await asyncio.wait({followed.ahead}, timeout=_HUNG_READ_SECONDS)
            if not done:
                return 0
        before, dropped = self._end(followed), list[Segment]()
        try:
            whole = await asyncio.to_thread(self._copy, followed, _origin(followed), before + room, dropped)
        except (OSError, SourceError) as error:
            hint = "its descriptor is kept; free some space for state_dir: it is tried again with every scan"
            self._journal.once("spill_failed", followed.path, file=followed.path, error=str(error), hint=hint)
            return 0
        finally:
            for segment in dropped:
                self._say_dropped(segment)
        self._journal.over("spill_failed", followed.path)
        end = self._end(followed)
        self._quiet[followed.key] = self._quiet.get(followed.key, 0) + 1 if end == before else 0
        if end > before and followed.state is not LifeState.SPILLED:
            followed.state = LifeState.SPILLED
            self._committer.changed(followed)
        enough = self._quiet[followed.key] >= QUIET_SCANS_BEFORE_CLOSE or self._is_low(followed)
        if whole and enough and followed.state is LifeState.SPILLED and await self._committer.save():
            self._close(followed, end)
        return end - before

    def _end(self, followed: Followed) -> int:
        """Return up to where *followed* is in the spill, or need not be."""
        span = self.spill.span(followed.key)
        return max(span[1] if span else 0, followed.saved_offset)

    def _copy(self, followed: Followed, origin: Origin, most: int, dropped: list[Segment]) -> bool:
        """Write what is there from the end of the spill on; return whether all of it is copied.

        To *dropped* is added what had to go for it, also where this ends with an error.
        """
        at = self._end(followed)
        while followed.file is not None and at < most:
            data = followed.file.read_now(at, self.spill.segment_bytes, b"").data
            if not data:
                return True
            if len(data) == self.spill.segment_bytes:  # what may have to go ends with a line
                data = data[: data.rfind(b"\n") + 1] or data
            dropped += self.spill.write(origin, at, data)
            origin = msgspec.structs.replace(origin, carry=b"")
            at += len(data)
        return False

    def _close(self, followed: Followed, end: int) -> None:
        self._tailer.reads.give_up(followed)
        followed.size = end
        self._read_from_spill(followed)
        self._journal.say(
            "file_spilled", file=followed.path, source=followed.source, unread_bytes=end - followed.read_offset,
            spill_bytes=self.spill.used_bytes,
        )  # fmt: skip
        self._tailer.look_at(followed)

    def _read_from_spill(self, followed: Followed) -> None:
        followed.state = LifeState.SPILLED
        followed.file = SpilledFile(self.spill, followed.key, followed.path, followed.mtime_ns)
        followed.at_end = False

    # -- what goes ---------------------------------------------------------------------------------

    def _release(self) -> None:
        for key in self.spill.keys:
            followed = self._tailer.followed.get(key)
            if followed is None:
                continue
            if followed.state is not LifeState.SPILLED:  # it has been found again
                self.spill.forget(key)
            else:
                self.spill.release(key, followed.saved_offset)

    def _say_dropped(self, segment: Segment) -> None:
        followed = self._tailer.followed.get(segment.key)
        unread = segment.end - max(segment.start, followed.read_offset if followed else 0)
        if unread <= 0:
            return
        lost = {"lost_bytes": unread, f"dropped_bytes_{FULL}": unread}
        if followed is None:  # no source reads it any more: it waits for the day on which one does
            self._tailer.conversion.counters.update(lost)
        else:
            self._tailer.conversion.count(followed.source, lost)
            followed.counters.update(lost)
            self._committer.changed(followed)
        self._journal.say(
            "bytes_lost", file=followed.path if followed else None, source=followed.source if followed else None,
            id=None if followed else f"{segment.key.file_id}.{segment.key.generation}", unread_bytes=unread,
            lines=segment.lines if unread == segment.end - segment.start else None,
            reason="spill_full: the oldest of the spill made room; raise limits.spill",
        )  # fmt: skip


def _origin(followed: Followed) -> Origin:
    """Return whose bytes those are that come next; what the converter must know where they begin, if that is saved."""
    return Origin(
        file_id=followed.key.file_id, generation=followed.key.generation, lineage=followed.lineage,
        source=followed.source, path=os.fsencode(followed.path), device=followed.device, inode=followed.inode,
        mtime_ns=followed.mtime_ns, head_length=followed.head.length, head_digest=followed.head.digest,
        carry=followed.saved_carry,
    )  # fmt: skip


def _row(origin: Origin, path: str, span: tuple[int, int]) -> Life:
    return Life(
        file_id=origin.file_id, generation=origin.generation, source=origin.source, path=path,
        device=origin.device, inode=origin.inode, head_length=origin.head_length, head_digest=origin.head_digest,
        offset=span[0], size=span[1], mtime_ns=origin.mtime_ns, state=LifeState.SPILLED, carry=origin.carry,
        lineage=origin.lineage,
    )  # fmt: skip
