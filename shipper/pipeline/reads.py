"""Reads pieces of the followed files, one ahead where it pays; a device that does not answer keeps nobody else waiting.

A dead NFS server hangs whoever opens or reads, for as long as it likes. So
there is one slow read at a time for each device, in a thread: the other files
of that device wait for it, and those of others are read meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from shipper.adapters.files import OpenFile, Turn, try_open
from shipper.adapters.watch import is_far, type_of_device
from shipper.pipeline.descriptors import Descriptors
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal

READ_BYTES: Final = 256 * 1024
READS_AHEAD: Final = 4  # files that are read one piece ahead at a time: each piece is memory
SLOW_READ_SECONDS: Final = 0.02  # others are read meanwhile
HUNG_READ_SECONDS: Final = 10.0


class Reads:
    """Owns the reads under way and the descriptors; belongs to the tailer.

    Attributes:
        hanging: Device to the file that does not answer there, and since when (monotonic); the others of it wait.
    """

    def __init__(
        self,
        descriptors: Descriptors,
        journal: Journal,
        monotonic: Callable[[], float],
        look_at: Callable[[Followed], None],
    ) -> None:
        """Read through *descriptors*; *look_at* gives a file its turn when it may be opened, or its piece is there."""
        self.hanging: dict[int, tuple[str, float]] = {}
        self._descriptors = descriptors
        self._journal = journal
        self._monotonic = monotonic
        self._look_at = look_at
        self._ahead: list[Followed] = []
        self._from_cache = False
        self._slow: dict[int, list[Followed]] = {}
        self._far: dict[int, bool] = {}

    # -- pieces ----------------------------------------------------------------------------------

    async def piece(self, followed: Followed) -> Turn | None:
        """Return what the file holds at the read offset; None where that takes long: its turn comes when it is there.

        Raises:
            SourceError: It cannot be opened or read.
        """
        return await self._read(followed) if await self._hold(followed) else None

    async def _hold(self, followed: Followed) -> bool:
        """Open *followed* where it is not; return False where that takes long: its turn comes when it may be opened.

        Opening is quick, or hangs with a server that is dead: then it must not be this loop that hangs.
        """
        if followed.file is None and self._is_far(followed.device):
            if followed.device in self._slow:
                self._slow[followed.device].append(followed)
                return False
            attempt = asyncio.ensure_future(asyncio.to_thread(try_open, followed.path))
            if not (await asyncio.wait({attempt}, timeout=SLOW_READ_SECONDS))[0]:
                self._put_aside(followed, attempt)
                return False
        self._descriptors.hold(followed)
        return True

    def _is_far(self, device: int) -> bool:
        if device not in self._far:
            self._far[device] = is_far(type_of_device(device))
        return self._far[device]

    async def _read(self, followed: Followed) -> Turn | None:
        if followed.file is None:
            return None
        self._from_cache = False
        if followed.ahead is None:
            cached = _cached(followed)
            if cached is not None:
                self._from_cache = True
                return cached
            if followed.device in self._slow:
                self._slow[followed.device].append(followed)
                return None
            followed.ahead = asyncio.ensure_future(followed.file.read(followed.read_offset, READ_BYTES, followed.tail))
        done, _ = await asyncio.wait({followed.ahead}, timeout=SLOW_READ_SECONDS)
        if not done:
            self._put_aside(followed, followed.ahead)
            return None
        ahead, followed.ahead = followed.ahead, None
        return ahead.result()

    def ahead(self, followed: Followed) -> None:
        """Ask for the next piece of *followed* before it is wanted: not where it is had at once, nor of many files."""
        if followed.file is not None and not self._from_cache and len(self._ahead) < READS_AHEAD:
            self._ahead.append(followed)
            followed.ahead = asyncio.ensure_future(followed.file.read(followed.read_offset, READ_BYTES, followed.tail))

    def again(self, followed: Followed) -> None:
        """Begin the read of *followed* that hangs once more; what the first one finds is not waited for."""
        if followed.file is not None:
            followed.ahead = asyncio.ensure_future(followed.file.read(followed.read_offset, READ_BYTES, followed.tail))
            self._put_aside(followed, followed.ahead)

    @property
    def held_bytes(self) -> int:
        """Memory that what is read ahead takes."""
        self._ahead = [followed for followed in self._ahead if followed.ahead is not None]
        return len(self._ahead) * READ_BYTES

    # -- what takes long -------------------------------------------------------------------------

    def _put_aside(self, followed: Followed, read: asyncio.Future[Turn] | asyncio.Future[None]) -> None:
        """Let *followed* and those of its device have their turn when *read* is done."""
        device = followed.device
        self._slow.setdefault(device, []).append(followed)
        self.hanging.setdefault(device, (followed.path, self._monotonic()))
        loop = asyncio.get_running_loop()
        hung = loop.call_later(HUNG_READ_SECONDS, self._say_hung, followed)

        def done(read: asyncio.Future[Turn] | asyncio.Future[None]) -> None:
            hung.cancel()
            if not read.cancelled():
                read.exception()  # nobody may ask any more
            if self._journal.over("read_hangs", followed.path):
                self._journal.say("read_goes_on", file=followed.path)
            self.hanging.pop(device, None)
            for one in self._slow.pop(device, ()):
                self._look_at(one)

        read.add_done_callback(done)

    def _say_hung(self, followed: Followed) -> None:
        self._journal.once("read_hangs", followed.path, file=followed.path, seconds=HUNG_READ_SECONDS)

    def waits_for_device(self, followed: Followed) -> bool:
        """Return whether *followed* waits until its device has answered another file."""
        return followed.device in self._slow and followed.ahead is None

    @property
    def any_slow(self) -> bool:
        """Whether there is a file that waits for its device."""
        return bool(self._slow)

    # -- descriptors -----------------------------------------------------------------------------

    def holds(self, count: int) -> bool:
        """Return whether so many files are all held open, once they were read."""
        return self._descriptors.holds(count)

    def limit(self, open_files: int) -> None:
        """Hold about *open_files* open from now on."""
        self._descriptors.limit(open_files)

    def scanned(self, files: Iterable[Followed]) -> None:
        """Close what need not be open, and open those of *files* that are deleted next."""
        self._descriptors.close_idle()
        self._descriptors.secure(files, self._is_far)

    def taken(self, followed: Followed) -> OpenFile | None:
        """Return the file that *followed* was read from, open and not its own any more; None where it has none."""
        file = followed.file
        if not isinstance(file, OpenFile):
            return None
        followed.file = None
        self._descriptors.drop(followed)
        return file

    def give_up(self, followed: Followed) -> None:
        """Give up what *followed* is read from, and what was asked of it."""
        ahead, followed.ahead = followed.ahead, None
        if ahead is not None:
            ahead.add_done_callback(_unasked)
        self._descriptors.drop(followed)


def _unasked(read: asyncio.Future[Turn]) -> None:
    if not read.cancelled():
        read.exception()  # its file was closed under it, as may be: nobody wants to know


def _cached(followed: Followed) -> Turn | None:
    """Return what stands at the read offset, where it is had without waiting."""
    if not isinstance(followed.file, OpenFile):
        return None
    return followed.file.cached_now(followed.read_offset, READ_BYTES, followed.tail)
