"""How far behind a file is, in bytes and in seconds of log time; files summed up by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from shipper.adapters.offsets import LifeState
from shipper.core.model import FileKey
from shipper.pipeline.followed import Followed
from shipper.pipeline.status import FileStatus, Problem, SourceStatus

MOST_SOURCES_SAID: Final = 20
SECONDS_A_FILE_COUNTED: Final = 1e-4  # of counting what is unread: a thousandth of the time goes into it

_OVER = (LifeState.ORPHAN, LifeState.DONE)


def unread_bytes(followed: Followed) -> int:
    """Return the bytes that are known to be there and were not converted."""
    return max(followed.size - followed.chunk_end, 0) if followed.state not in _OVER else 0


def lag_bytes(followed: Followed) -> int:
    """Return the bytes that are known to be there and are not safe."""
    return max(followed.pending_bytes, 0) if followed.state not in _OVER else 0


def lag_bytes_of(files: Iterable[Followed]) -> int:
    """Return the same of all *files*."""
    return sum(map(lag_bytes, files))


def lag_seconds(followed: Followed, now_ms: int) -> float | None:
    """Return how old the newest safe record is, while there is more; 0 where there is not.

    A quiet file's newest record may be days old when a line is added: the lag is no more than since the file was
    seen wholly delivered. None where neither is known: a file without time stamps that is read for the first time.
    """
    if not lag_bytes(followed):
        return 0.0
    stamp_ms = followed.watermark.safe.carry.stamp_ms
    since = [instant for instant in (stamp_ms or followed.carry.stamp_ms, followed.settled_ms) if instant]
    return max(now_ms - max(since), 0) / 1000 if since else None


def file_status(followed: Followed, now_ms: int) -> FileStatus:
    """Return what is shown of *followed*."""
    return FileStatus(
        id=f"{followed.key.file_id}.{followed.key.generation}",
        source=followed.source,
        path=followed.path,
        state=followed.state.value,
        generation=followed.key.generation,
        offset=followed.watermark.safe.offset,
        size=max(followed.size, followed.read_offset),
        unread_bytes=unread_bytes(followed),
        lag_bytes=lag_bytes(followed),
        lag_seconds=lag_seconds(followed, now_ms),
        newest_ms=followed.carry.stamp_ms,
        layout=followed.carry.layout.partition("{")[0],
        problem=_problem(followed),
    )


class Gathered:
    """The files of one source, summed up as they come by."""

    def __init__(self, name: str) -> None:
        """No file has come by."""
        self.status = SourceStatus(name=name)
        self._files = Counter[str]()

    def add(self, followed: Followed, now_ms: int) -> None:
        """Count *followed* in."""
        status = self.status
        self._files[followed.state.value] += 1
        status.unread_bytes += unread_bytes(followed)
        status.lag_bytes += lag_bytes(followed)
        seconds = lag_seconds(followed, now_ms)
        if seconds is not None and seconds > (status.lag_seconds if status.lag_seconds is not None else -1.0):
            status.lag_seconds = seconds
        stamp_ms = followed.carry.stamp_ms
        if stamp_ms is not None and stamp_ms > (status.newest_ms or 0):
            status.newest_ms = stamp_ms
        problem = _problem(followed)
        if problem is not None:
            status.problems += 1
            if status.problem is None or problem.since_ms > status.problem.since_ms:
                status.problem = problem

    def finished(self) -> SourceStatus:
        """Return the sums."""
        self.status.files = dict(self._files)
        return self.status


class Unread:
    """Owns the last count of what is unread: what each request says of it."""

    def __init__(self, followed: Mapping[FileKey, Followed], monotonic: Callable[[], float]) -> None:
        """*followed* are the tailer's files; nothing is counted yet."""
        self._followed = followed
        self._monotonic = monotonic
        self._last: dict[str, int] = {}
        self._last_until = 0.0

    def by_source(self) -> dict[str, int]:
        """Return the bytes that are there and not converted, by source; counted anew where that is cheap."""
        now = self._monotonic()
        if now >= self._last_until:
            unread: Counter[str] = Counter()
            for followed in self._followed.values():
                unread[followed.source] += unread_bytes(followed)
            self._last = dict(unread.most_common(MOST_SOURCES_SAID))
            self._last_until = now + len(self._followed) * SECONDS_A_FILE_COUNTED
        return self._last


def _problem(followed: Followed) -> Problem | None:
    if followed.last_error is None:
        return None
    return Problem(followed.last_error, followed.error_since_ms, followed.path)
