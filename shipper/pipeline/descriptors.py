"""Which files are held open: those that were read last.

A descriptor keeps a file's bytes within reach whatever becomes of its name, so
one is only given up where nothing is lost by it: the file stands under its
own name and all that was read of it is safe. Where the process may hold no
more at all, one with bytes on their way is given up too, the longest unread
first: it is found again by its name, and its bytes by what stood before them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from shipper.adapters.files import OpenFile
from shipper.adapters.offsets import LifeState
from shipper.core.model import FileKey
from shipper.errors import FileVanished, SourceError
from shipper.pipeline.contents import Content, open_content
from shipper.pipeline.followed import Followed

LOOKED_AT: Final = 8
"""Files that are looked at for each one that is opened: what is opened one by one is closed so too."""


class Descriptors:
    """Owned by the tailer."""

    def __init__(self, wanted: int, most: int) -> None:
        """Hold about *wanted* open, and never more than *most* of those that have a name."""
        self._wanted = min(wanted, most)
        self._most = most
        self._held: OrderedDict[FileKey, Followed] = OrderedDict()

    def limit(self, wanted: int) -> None:
        """Hold about *wanted* open from now on."""
        self._wanted = min(wanted, self._most)

    def holds(self, count: int) -> bool:
        """Return whether so many files are all held open, once they were read."""
        return count <= self._wanted

    def hold(self, followed: Followed) -> None:
        """Open *followed* where it is not, and count it as read last.

        Raises:
            SourceError: It cannot be opened.
        """
        if followed.file is None:
            self.close_idle(LOOKED_AT)
            followed.file = open_wherever(followed)
        self._held[followed.key] = followed
        self._held.move_to_end(followed.key)

    def secure(self, files: Iterable[Followed], is_far: Callable[[int], bool]) -> None:
        """Open those of *files* that wait to be read, as long as there is room, rotated ones first: they go next.

        Without a descriptor nothing would be left of them once they are deleted, neither to read nor to spill.
        """
        live: list[Followed] = []
        for followed in files:
            if len(self._held) >= self._wanted // 2:
                return
            if followed.file is not None or followed.at_end:
                continue
            if followed.state is LifeState.DRAINING:
                self._secure(followed, is_far)
            elif followed.live and followed.size > followed.read_offset:
                live.append(followed)
        for followed in live:
            if len(self._held) >= self._wanted // 2:
                return
            self._secure(followed, is_far)

    def _secure(self, followed: Followed, is_far: Callable[[int], bool]) -> None:
        with suppress(SourceError):  # said when it is to be read
            if not is_far(followed.device):
                self.hold(followed)

    def drop(self, followed: Followed) -> None:
        """Close *followed*."""
        self._held.pop(followed.key, None)
        if followed.file is not None:
            followed.file.close()
            followed.file = None

    def close_idle(self, looked_at: int | None = None) -> None:
        """Of more files than wanted, close those that need not be open; look at *looked_at* of them, else at each."""
        if len(self._held) < self._wanted:
            return
        candidates = [key for key, _ in zip(self._held, range(looked_at or len(self._held)), strict=False)]
        for key in candidates:
            idle = self._held[key]
            if idle.file is None or (idle.live and idle.ahead is None and (idle.finished or self._crowded)):
                self.drop(idle)
                idle.rest()
            else:
                self._held.move_to_end(key)  # looked at again when the others were
            if len(self._held) < self._wanted:
                return

    @property
    def _crowded(self) -> bool:
        return len(self._held) >= self._most


def open_wherever(followed: Followed) -> Content:
    """Open what *followed* is read from, also where its name has changed since it was looked at.

    Raises:
        SourceError: It is not there, or cannot be opened.
    """
    path, device, inode = followed.path, followed.device, followed.inode
    try:
        return open_content(followed.state, path, device, inode)
    except FileVanished:
        moved = None if followed.state is LifeState.UNPACKING else OpenFile.open_beside(path, device, inode)
        if moved is None:
            raise
        try:
            if _is_still(followed, moved):
                return moved
        except SourceError:
            pass
        moved.close()
        raise


def _is_still(followed: Followed, moved: OpenFile) -> bool:
    """Return whether *moved* is no other file that has got the inode: what stands before an offset is seen later."""
    if followed.head.length:
        return followed.head.fits(moved.first_now())
    now = moved.read_now(0, 0, b"")
    return (now.size_now, now.mtime_ns) == (followed.size, followed.mtime_ns)
