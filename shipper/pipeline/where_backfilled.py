"""Says whether a backfill has sent a line that the agent did not read."""

from __future__ import annotations

import os
from collections.abc import Sequence

from shipper.core.shipped import Shipped


def backfilled(path: str, offset: int, shipped: Sequence[Shipped]) -> str:
    """Return what a backfill has done with the line at *offset* of the text of the file at *path*; empty for nothing.

    It is known by its inode, whatever it is called now: a compressed file must
    be as it was, a plain one may have grown.
    """
    try:
        status = os.stat(path)
    except OSError:
        return ""
    for one in shipped:
        same = (one.device, one.inode) == (status.st_dev, status.st_ino)
        whole = (one.size, one.mtime_ns) == (status.st_size, status.st_mtime_ns)
        grown = not one.packing and one.size < status.st_size
        if same and (whole or grown) and any(part.start <= offset < part.end for part in one.settled):
            return "a backfill has read it: it was sent, or left out by the rules, or is a dead letter of the backfill"
    return ""
