"""Files that end in the middle of a record: how much is held back of them, and when nobody waits for the rest any more.

A heap of times, so that what is due is found without looking at every file;
an entry may be too early (more was written meanwhile) and is then put back.
"""

from __future__ import annotations

import heapq

from shipper.core.model import FileKey
from shipper.pipeline.followed import Followed


class OpenRecords:
    """Owned by the tailer.

    Attributes:
        held_bytes: Bytes that were read and belong to no whole record yet, over all files.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.held_bytes = 0
        self._open: dict[FileKey, int] = {}
        self._due: list[tuple[float, int, Followed]] = []
        self._timed: set[FileKey] = set()
        self._entries = 0

    def note(self, followed: Followed) -> None:
        """Count what is held back of *followed* now, and wait for its end to be quiet."""
        held = followed.open_bytes
        if not held:
            self.drop(followed)
            return
        self.held_bytes += held - self._open.get(followed.key, 0)
        self._open[followed.key] = held
        if followed.at_end and followed.key not in self._timed:
            self._time(followed)

    def drop(self, followed: Followed) -> None:
        """Hold nothing back of *followed*."""
        self.held_bytes -= self._open.pop(followed.key, 0)

    def due(self, now: float) -> list[Followed]:
        """Return the files that have been quiet at their end for long enough."""
        found: list[Followed] = []
        while self._due and self._due[0][0] <= now:
            _, _, followed = heapq.heappop(self._due)
            self._timed.discard(followed.key)
            if followed.key not in self._open or not followed.at_end:
                continue
            if now - followed.quiet_since >= followed.open_timeout:
                found.append(followed)
            else:
                self._time(followed)
        return found

    @property
    def next_due(self) -> float | None:
        """The instant at which a record may be due; None where none is open."""
        return self._due[0][0] if self._due else None

    def _time(self, followed: Followed) -> None:
        self._timed.add(followed.key)
        self._entries += 1
        heapq.heappush(self._due, (followed.quiet_since + followed.open_timeout, self._entries, followed))
