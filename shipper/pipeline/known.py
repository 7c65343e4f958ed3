"""What a scan is judged by: of a file that is followed, and of one that was let go."""

from __future__ import annotations

from shipper.adapters.offsets import Life, LifeState
from shipper.core.evidence import Known
from shipper.core.identity import Guard, Head
from shipper.pipeline.followed import Followed


def known_now(followed: Followed, *, suspect: bool) -> Known:
    """Return how *followed* stands; *suspect* where its bytes did not fit what was known."""
    file = followed.file
    return Known(
        key=followed.key,
        source=followed.source,
        path=followed.path,
        device=followed.device,
        inode=followed.inode,
        head=followed.head,
        guard=followed.guard,
        offset=followed.read_offset,
        size=followed.size,
        mtime_ns=followed.mtime_ns,
        open=file is not None and file.pins,
        orphan=followed.state is LifeState.ORPHAN,
        live=followed.live,
        suspect=suspect,
        trail=followed.points,
        packed=followed.state is LifeState.UNPACKING,
        kept=followed.state is LifeState.SPILLED,
        lineage=followed.lineage,
    )


def known_of(life: Life) -> Known:
    """Return what a copy of a file that was let go is known by: *life* is its last row."""
    return Known(
        key=life.key,
        source=life.source,
        path=life.path,
        device=life.device,
        inode=life.inode,
        head=Head(life.head_length, life.head_digest),
        guard=Guard(life.guard_length, life.guard_digest),
        offset=life.offset,
        size=life.size,
        mtime_ns=life.mtime_ns,
        live=False,
        done=True,
        lineage=life.lineage or life.file_id,
    )
