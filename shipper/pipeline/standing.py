"""Which followed files a scan need not make anything of: those that stand where they stood, as nearly all do.

Of a hundred thousand files an object each would be most of what a scan costs,
in time and in memory. So a file that only goes on under its name is settled as
soon as the scan meets it, its bytes looked at where they must be, and what is
left to decide about are the others, and those that may be kin of a stranger.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from shipper.adapters.discovery import Scan
from shipper.adapters.discovery_siblings import Inode, Place
from shipper.adapters.offsets import LifeState
from shipper.core.evidence import Answer, Known, Question, Seen
from shipper.core.follow import goes_on
from shipper.core.lineage import may_be_kin, names_of_kin
from shipper.core.model import FileKey
from shipper.pipeline.followed import Followed
from shipper.pipeline.known import known_now

_NOT_LOOKED_FOR = (LifeState.ORPHAN, LifeState.DONE)


class Changed(NamedTuple):
    """A file that goes on, and is not what it was; or one that was in doubt and is."""

    followed: Followed
    size: int
    mtime_ns: int


class Standing(Mapping[Inode, Place]):
    """Where the followed files were before a look; used by that look only, while nothing is read.

    Attributes:
        changed: What goes on and must be told of.
    """

    def __init__(
        self,
        files: Sequence[Followed],
        suspects: Collection[FileKey],
        raw: Collection[str],
        ask: Callable[[Question], Answer | None],
    ) -> None:
        """Prepare for *files*.

        Args:
            files: All that are followed.
            suspects: Those of which the bytes must be looked at.
            raw: Names of the sources that read what is compressed as it is.
            ask: Reads bytes.
        """
        self._all = files
        self._suspects = suspects
        self._raw = raw
        self._ask = ask
        # Of several with one inode the last has it: see core/follow.py.
        self._files = {(one.device, one.inode): one for one in files if _is_looked_for(one)}
        self.changed: dict[FileKey, Changed] = {}

    def __getitem__(self, inode: Inode) -> Place:
        one = self._files[inode]
        packed = one.state is LifeState.UNPACKING
        return Place(one.path, 0 if packed else one.read_offset, packed, one.source in self._raw)

    def __iter__(self) -> Iterator[Inode]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def paths(self) -> list[str]:
        """Those of all followed files."""
        return [one.path for one in self._all]

    @property
    def any_doubt(self) -> bool:
        """Whether the bytes of a file that was read must be looked at."""
        return bool(self._suspects) and any(one.read_offset for one in self._all if one.key in self._suspects)

    # -- while the scan goes on --------------------------------------------------------------------

    def goes_on(self, inode: Inode, path: str, status: os.stat_result, source: int) -> str:
        """Return the path of a file that only goes on, one string however often it is met; else nothing."""
        one = self._files.get(inode)
        if one is None or one.path != path or one.state is not LifeState.FOLLOWING or not stat.S_ISREG(status.st_mode):
            return ""
        is_same = status.st_size == one.size == one.read_offset and status.st_mtime_ns == one.mtime_ns
        if is_same and one.key not in self._suspects:
            return one.path
        now = Changed(one, status.st_size, status.st_mtime_ns)
        if self.changed.get(one.key) != now:
            file = Seen(one.path, *inode, now.size, now.mtime_ns, source)
            if not goes_on(known_now(one, suspect=one.key in self._suspects), file, self._ask):
                return ""
            self.changed[one.key] = now
        return one.path

    # -- after it ----------------------------------------------------------------------------------

    def left(self, scan: Scan, done: Sequence[Known]) -> list[Known]:
        """Return what must be known to decide about what *scan* has seen, to which kin of strangers are added.

        Args:
            scan: What the look has found.
            done: Files that were let go, by which their copies are known.
        """
        apart = {(file.device, file.inode) for file in scan.seen}
        strangers = (file for file in scan.seen if self._may_be_stranger(file))
        names = names_of_kin(strangers if self._all or done else ())
        known: list[Known] = []
        for one in self._all:
            inode = (one.device, one.inode)
            if inode in apart or inode not in scan.there or self._files.get(inode) is not one:
                self.changed.pop(one.key, None)
                known.append(known_now(one, suspect=one.key in self._suspects))
            elif names and may_be_kin(one.path, names):
                known.append(known_now(one, suspect=one.key in self._suspects))
                now = self.changed.get(one.key, Changed(one, one.size, one.mtime_ns))
                scan.seen.append(Seen(one.path, *inode, now.size, now.mtime_ns, 0))
        if any(file.packed for file in scan.seen):  # then it matters whether there is any
            return [*known, *done]
        return known + [one for one in done if may_be_kin(one.path, names)]

    def _may_be_stranger(self, file: Seen) -> bool:
        one = self._files.get((file.device, file.inode))
        return one is None or bool(file.packed) or one.state is LifeState.UNPACKING or one.path != file.path


def _is_looked_for(one: Followed) -> bool:
    is_open = one.file is not None and one.file.pins
    return one.state not in _NOT_LOOKED_FOR and (is_open or one.state is not LifeState.SPILLED)
