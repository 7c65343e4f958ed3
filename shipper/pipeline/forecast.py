"""The forecast of losses, looked at after scans: said once when it begins, once when it is over.

What is going to be lost is core/forecast.py's reckoning; here its figures are
gathered: which rotated files of a lineage are there, what is unread of each,
and how fast the unread bytes have become fewer in the last minute.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from shipper.adapters.offsets import LifeState
from shipper.core.forecast import (
    WARN_SHARE,
    Backlog,
    Deletion,
    Passing,
    Sibling,
    deletions,
    passing,
    size_text,
    time_text,
)
from shipper.core.model import FileKey
from shipper.core.priority import LIVE_AGE_MS
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal
from shipper.pipeline.turns import unread_of

EVERY_SECONDS: Final = 10.0
RATE_SAMPLES: Final = 7  # a minute
BACKLOG_SHARE: Final = 0.4  # of what is read, at least: see core/shares.py
LOOKS_UNTIL_OVER: Final = 3
_READ: Final = (LifeState.FOLLOWING, LifeState.DRAINING)


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """One loss that is coming.

    Attributes:
        kind: ``deletion`` (a rotated file goes unread) or ``window`` (lines grow older than the endpoint takes).
        source: Of the file; empty for ``window``, which is over all files.
        path: Likewise.
        unread_bytes: That will be lost.
        in_seconds: Until the first of them is.
        text: All of it in a sentence.
    """

    kind: str
    source: str = ""
    path: str = ""
    unread_bytes: int
    in_seconds: float
    text: str


class Forecasts:
    """Owned by the tailer.

    Attributes:
        current: What will be lost as things are now, the soonest first; for status and metrics.
    """

    def __init__(self, journal: Journal, now_ms: Callable[[], int], monotonic: Callable[[], float]) -> None:
        """Warn in *journal*; *now_ms* is the wall clock that stamps are held against."""
        self.current: tuple[Forecast, ...] = ()
        self._journal = journal
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._next_look = 0.0
        self._samples = deque[tuple[float, int, int]](maxlen=RATE_SAMPLES)
        self._keeps: dict[int, int] = {}
        self._there: dict[int, list[FileKey]] = {}
        self._read_before: dict[int, tuple[float, int]] = {}
        self._said: dict[tuple[str, str], int] = {}

    def look(self, followed: Collection[Followed], inodes: Collection[tuple[int, int]], bytes_read: int) -> None:
        """Reckon anew, where the last time was long enough ago.

        Args:
            followed: Every followed generation.
            inodes: (device, inode) of every file that the scan met: those have their names.
            bytes_read: Since the agent started.
        """
        now = self._monotonic()
        if now < self._next_look:
            return
        self._next_look = now + EVERY_SECONDS
        read = [one for one in followed if one.state in _READ]
        behind = [one for one in read if unread_of(one)]
        self._samples.append((now, bytes_read, sum(map(unread_of, behind))))
        found = self._deletions(read, inodes)
        window = self._window(behind)
        self.current = tuple(sorted([*found, *window], key=lambda one: one.in_seconds))
        self._say()

    # -- rotated files ---------------------------------------------------------------------------

    def _deletions(self, read: Sequence[Followed], inodes: Collection[tuple[int, int]]) -> list[Forecast]:
        several = {lineage for lineage, count in Counter(one.lineage for one in read).items() if count > 1}
        lineages: dict[int, list[Followed]] = {lineage: [] for lineage in several}
        for one in read:
            if one.lineage in several:
                lineages[one.lineage].append(one)
        found: list[Forecast] = []
        there: dict[int, list[FileKey]] = {}
        for lineage, files in lineages.items():
            rotated = sorted(files, key=lambda one: (one.mtime_ns, one.key))[:-1]
            named = [one for one in rotated if (one.device, one.inode) in inodes]
            there[lineage] = [one.key for one in named]
            self._learn_keeps(lineage, there[lineage])
            rate = self._rate_of(lineage, files)
            if named and lineage in self._keeps:
                found += self._deletions_of(named, self._keeps[lineage], rate)
        self._there = there
        for gone in self._keeps.keys() - several:
            del self._keeps[gone]
        for gone in self._read_before.keys() - several:
            del self._read_before[gone]
        return found

    def _learn_keeps(self, lineage: int, there: list[FileKey]) -> None:
        """Note how many rotated files are kept: as many as are there when the oldest one goes."""
        before = self._there.get(lineage)
        if before and there and before[0] not in there:
            self._keeps[lineage] = len(there)
        elif lineage in self._keeps and len(there) > self._keeps[lineage]:
            del self._keeps[lineage]  # it keeps more than it did: how many is not known

    def _rate_of(self, lineage: int, files: Sequence[Followed]) -> float:
        """Return the bytes a second that were read of a lineage since the last look."""
        now, total = self._monotonic(), sum(one.read_offset for one in files)
        then, before = self._read_before.get(lineage, (now, total))
        self._read_before[lineage] = (now, total)
        return max(total - before, 0) / (now - then) if now > then else 0.0

    def _deletions_of(self, named: Sequence[Followed], keeps: int, rate: float) -> list[Forecast]:
        siblings = [Sibling(one.path, one.mtime_ms, unread_of(one)) for one in named]
        source = named[0].source
        return [_of_deletion(source, one) for one in deletions(siblings, keeps, rate, self._now_ms())]

    # -- the window ------------------------------------------------------------------------------

    def _window(self, behind: Sequence[Followed]) -> list[Forecast]:
        now_ms = self._now_ms()
        backlogs = _backlogs(behind, now_ms)
        if not backlogs:
            return []
        found = passing(backlogs, self._drain_rate(), now_ms)
        soon = min(backlog.window_ms for backlog in backlogs) / 1000 / WARN_SHARE
        return [_of_window(found)] if found is not None and found.in_seconds <= soon else []

    def _drain_rate(self) -> float:
        """Return the bytes a second by which backlogs shrink: what is unread gets less, or at least their share."""
        (then, read_then, unread_then), (now, read_now, unread_now) = self._samples[0], self._samples[-1]
        if now <= then:
            return 0.0
        return max(unread_then - unread_now, BACKLOG_SHARE * (read_now - read_then)) / (now - then)

    # -- saying ----------------------------------------------------------------------------------

    def _say(self) -> None:
        current = {(one.kind, one.path): one for one in self.current}
        for key, one in current.items():
            if key not in self._said:
                self._journal.say(
                    "loss_forecast", kind=one.kind, source=one.source or None, file=one.path or None,
                    unread_bytes=one.unread_bytes, in_seconds=one.in_seconds, text=one.text, hint=_MENDS[one.kind],
                )  # fmt: skip
            self._said[key] = 0
        for key in [key for key in self._said if key not in current]:
            self._said[key] += 1
            if self._said[key] >= LOOKS_UNTIL_OVER:
                del self._said[key]
                self._journal.say("loss_forecast_over", kind=key[0], file=key[1] or None)


_MENDS: Final = {
    "deletion": "let the rotation keep more files, or see why the endpoint is slow",
    "window": "see why the endpoint is slow; what comes too late follows endpoint.too_old",
}


def _backlogs(behind: Sequence[Followed], now_ms: int) -> list[Backlog]:
    """Return what is unread, by file: from the last stamp that was read of its lineage to its last write."""
    found: list[Backlog] = []
    stamps: dict[int, int] = {}
    for one in sorted(behind, key=lambda one: one.mtime_ns):
        stamp = one.carry.stamp_ms if one.carry.stamp_ms is not None else stamps.get(one.lineage)
        if stamp is None:
            continue  # nothing is known of its lines, or they have no stamps and never expire
        until = max(min(one.mtime_ms, now_ms), stamp)
        stamps[one.lineage] = until
        if now_ms - stamp > LIVE_AGE_MS:
            found.append(Backlog(stamp, until, unread_of(one), one.reading.rule.max_age_ms))
    return found


def _of_deletion(source: str, one: Deletion) -> Forecast:
    name = one.path.rpartition("/")[2].encode("utf-8", "backslashreplace").decode()
    when = f"in about {time_text(one.in_seconds)}" if one.in_seconds else "with the next rotation"
    text = f"{name} is deleted {when} with {size_text(one.unread_bytes)} unread"
    return Forecast(
        kind="deletion", source=source, path=one.path, unread_bytes=one.unread_bytes, in_seconds=one.in_seconds,
        text=text,
    )  # fmt: skip


def _of_window(one: Passing) -> Forecast:
    text = f"{size_text(one.unread_bytes)} will pass the endpoint's window at this rate, the first of them in about "
    return Forecast(
        kind="window", unread_bytes=one.unread_bytes, in_seconds=one.in_seconds, text=text + time_text(one.in_seconds)
    )


__all__ = ["Forecast", "Forecasts"]
