"""What will be lost if nothing changes: rotated files deleted unread, and lines that pass the endpoint's window.

Both are estimates from what was seen so far, in time to act on: the rhythm of
a lineage's rotations and how many rotated files it keeps; what is unread, how
old it is, and how fast reading goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

ROTATIONS_LOOKED_AT: Final = 8
WARN_SHARE: Final = 4
"""Lines are named when a quarter of the window is left for the first of them: all would be when an outage begins."""


class Sibling(NamedTuple):
    """A rotated file that still has its name.

    Attributes:
        mtime_ms: Its last write, which is about when it was rotated.
    """

    path: str
    mtime_ms: int
    unread_bytes: int


class Deletion(NamedTuple):
    """A rotated file that will be deleted with bytes unread.

    Attributes:
        in_seconds: Until then, about; 0 where it is due already.
        unread_bytes: That will be lost: what cannot be read until then is not subtracted.
    """

    path: str
    in_seconds: float
    unread_bytes: int


def period_ms(rotated_at_ms: Sequence[int]) -> float | None:
    """Return the usual time between rotations, from the instants of the last ones, oldest first; None if unknown."""
    gaps = [later - sooner for sooner, later in pairwise(rotated_at_ms[-ROTATIONS_LOOKED_AT:]) if later > sooner]
    return median(gaps) if gaps else None


def deletions(siblings: Sequence[Sibling], keeps: int, bytes_per_second: float, now_ms: int) -> list[Deletion]:
    """Return which rotated files of a lineage are deleted before they are read.

    Args:
        siblings: The rotated files that are there, oldest first.
        keeps: How many the rotation was seen to keep.
        bytes_per_second: At which the lineage is read, in order.
        now_ms: The wall clock.
    """
    period = period_ms([sibling.mtime_ms for sibling in siblings])
    if period is None or keeps < 1:
        return []
    found: list[Deletion] = []
    unread = 0
    newest = siblings[-1].mtime_ms
    for older, sibling in enumerate(siblings):
        unread += sibling.unread_bytes
        # Each rotation from now on adds one; over `keeps` of them the oldest goes.
        rotations = max(keeps - len(siblings) + 1, 1) + older
        in_seconds = max((newest + rotations * period - now_ms) / 1000, 0.0)
        if sibling.unread_bytes and unread > bytes_per_second * in_seconds:
            found.append(Deletion(sibling.path, in_seconds, sibling.unread_bytes))
    return found


class Backlog(NamedTuple):
    """Unread bytes of one lineage, their stamps taken as evenly spread.

    Attributes:
        from_ms: Stamp of the next line to be read.
        until_ms: Of the last line.
        window_ms: How old a line may be when it arrives.
    """

    from_ms: int
    until_ms: int
    unread_bytes: int
    window_ms: int


class Passing(NamedTuple):
    """Bytes that will pass the window unsent.

    Attributes:
        in_seconds: Until the first of them does.
    """

    unread_bytes: int
    in_seconds: float


def passing(backlogs: Sequence[Backlog], bytes_per_second: float, now_ms: int) -> Passing | None:
    """Return what will be too old when its turn comes, read by deadline at *bytes_per_second*; None where nothing is.

    What has expired already is not counted: nothing can be done about it. Of
    what remains, as many bytes are lost as reading is ever behind a deadline.
    """
    live = [part for backlog in backlogs if (part := _unexpired(backlog, now_ms)) is not None]
    deadlines = sorted({ms for part in live for ms in (part.from_ms + part.window_ms, part.until_ms + part.window_ms)})
    worst, first = 0.0, None
    for deadline in deadlines:
        due = sum(_due_by(part, deadline) for part in live)
        behind = due - bytes_per_second * (deadline - now_ms) / 1000
        if behind > 0 and first is None:
            first = deadline
        worst = max(worst, behind)
    if first is None or worst < 1:
        return None
    starts = min(part.from_ms + part.window_ms for part in live)
    return Passing(round(worst), max(_first_late(live, bytes_per_second, now_ms, starts, first) - now_ms, 0) / 1000)


def _unexpired(backlog: Backlog, now_ms: int) -> Backlog | None:
    oldest_accepted = now_ms - backlog.window_ms
    if backlog.until_ms <= oldest_accepted or not backlog.unread_bytes:
        return None
    if backlog.from_ms >= oldest_accepted:
        return backlog
    share = (backlog.until_ms - oldest_accepted) / (backlog.until_ms - backlog.from_ms)
    return backlog._replace(from_ms=oldest_accepted, unread_bytes=round(backlog.unread_bytes * share))


def _due_by(part: Backlog, deadline_ms: int) -> float:
    """Return how many of its bytes must have arrived by *deadline_ms*."""
    stamp = deadline_ms - part.window_ms
    if stamp >= part.until_ms:
        return part.unread_bytes
    if stamp <= part.from_ms:
        return 0.0
    return part.unread_bytes * (stamp - part.from_ms) / (part.until_ms - part.from_ms)


def _first_late(parts: Sequence[Backlog], bytes_per_second: float, now_ms: int, low: int, high: int) -> int:
    """Return about when the first byte is late: between two deadlines, of which the later one is missed."""
    while high - low > 1000:
        middle = (low + high) // 2
        due = sum(_due_by(part, middle) for part in parts)
        low, high = (low, middle) if due > bytes_per_second * (middle - now_ms) / 1000 else (middle, high)
    return high


def size_text(count: int) -> str:
    """Return *count* bytes as people say it: 180 MB, 1.2 GB."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.1f} {unit}" if size < 9.95 and unit != "B" else f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB" if size < 9.95 else f"{size:.0f} TB"


def time_text(seconds: float) -> str:
    """Return *seconds* as people say it: 40 s, 7 min, 3 h, 2 days."""
    for unit, name, most in ((1, "s", 99), (60, "min", 99), (3600, "h", 47)):
        if seconds / unit <= most:
            return f"{max(seconds / unit, 0):.0f} {name}"
    return f"{seconds / 86400:.0f} days"
