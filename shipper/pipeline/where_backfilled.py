"""Says whether a backfill has read a line that the agent did not, and which files only it has read."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from shipper.core.shipped import Shipped
from shipper.pipeline.remains import Inode, inode_at

IN_WORDS: Final = "a backfill has read it: it was sent, or left out by the rules, or is a dead letter of the backfill"


def backfilled_by(path: str, offset: int, shipped: Sequence[Shipped]) -> Shipped | None:
    """Return the file of a backfill whose settled bytes hold *offset* of the text of the file at *path*.

    It is known by its inode, whatever it is called now: a compressed file must
    be as it was, a plain one may have grown.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    for one in shipped:
        same = (one.device, one.inode) == (status.st_dev, status.st_ino)
        whole = (one.size, one.mtime_ns) == (status.st_size, status.st_mtime_ns)
        grown = not one.packing and one.size < status.st_size
        if same and (whole or grown) and any(part.start <= offset < part.end for part in one.settled):
            return one
    return None


def places_of(shipped: Sequence[Shipped], source: str | None) -> Iterator[tuple[str, Inode | None]]:
    """Give where backfills met the files of *source* (of all, for None), and the inode that each had.

    The inode is None of what stands in an archive, or in no file system of this host.
    """
    for one in shipped:
        if one.settled and source in {None, one.source}:
            yield one.place, (one.device, one.inode) if one.inode else None


def still_there(places: Collection[tuple[str, Inode | None]], beside: Collection[str]) -> tuple[dict[Inode, str], int]:
    """Return the paths at which the files of *places* stand now, by inode, and how many are found nowhere.

    One that was renamed since is found by its inode among the paths *beside* those places.
    """
    wanted = {inode: path for path, inode in places if inode is not None}
    found = {inode: path for inode, path in wanted.items() if inode_at(path) == inode}
    for path in beside:
        inode = inode_at(path)
        if inode in wanted and inode is not None:
            found.setdefault(inode, path)
    return found, len(places) - len(found)
