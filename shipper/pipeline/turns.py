"""Which file is read next: the files that want a turn, by lineage, and core/shares.py's choice among lineages.

A lineage has one place however many rotated files it has to finish, and
within it files are read in the order in which they asked: order within a
lineage is never given away for a deadline. Files that must wait (for an older
part of their lineage, for their rate limit, for a slow disk) have no place
until what they wait for has come, so they cost the others nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection
from typing import Final

from shipper.core.model import FileKey
from shipper.core.priority import Rank, Standing, rank_of
from shipper.core.shares import Shares
from shipper.pipeline.followed import Followed

TURN_BYTES: Final = 16 * 1024


class Turns:
    """Owned by the tailer."""

    def __init__(self, quantum: int, now_ms: Callable[[], int]) -> None:
        """Let each live lineage read *quantum* bytes a round; stamps are held against *now_ms*."""
        self._now_ms = now_ms
        self._shares = Shares[int](quantum)
        self._asking: dict[int, list[Followed]] = {}  # mostly of one: as queues they would take eight times as much
        self._lineage_of: dict[FileKey, int] = {}
        self._taken: tuple[int, int] | None = None
        self._delayed: list[tuple[float, int, Followed]] = []
        self._delays = 0
        self._waiting: dict[FileKey, dict[FileKey, Followed]] = {}

    def __len__(self) -> int:
        return len(self._lineage_of)

    # -- turns -----------------------------------------------------------------------------------

    def ask(self, followed: Followed) -> bool:
        """Let *followed* have a turn; return whether it had not asked yet."""
        if followed.key in self._lineage_of:
            return False
        lineage = self._lineage_of[followed.key] = followed.lineage
        self._asking.setdefault(lineage, []).append(followed)
        if lineage not in self._shares:
            self._shares.want(lineage, self._rank(lineage))
        return True

    def asks(self, followed: Followed) -> bool:
        """Return whether *followed* will have a turn."""
        return followed.key in self._lineage_of

    def take(self) -> Followed | None:
        """Return the file whose turn it is; it asks again for another one. `spent` ends the turn."""
        dealt = self._shares.next(self._now_ms())
        if dealt is None:
            return None
        self._taken = dealt
        followed = self._asking[dealt[0]].pop(0)
        del self._lineage_of[followed.key]
        return followed

    def spent(self, amount: int) -> None:
        """Charge the turn that was taken last with *amount* bytes, and rank its lineage anew.

        A turn costs time even where it brings little: as much as so many bytes more would have.
        """
        if self._taken is None:
            return
        (lineage, hand), self._taken = self._taken, None
        self._shares.charge(lineage, hand, max(amount, TURN_BYTES))
        if self._asking[lineage]:
            self._shares.want(lineage, self._rank(lineage))
        else:
            del self._asking[lineage]
            self._shares.leave(lineage)

    def _rank(self, lineage: int) -> Rank:
        asking = self._asking[lineage]
        return rank_of(standing_of(asking[0], sum(map(unread_of, asking))), self._now_ms())

    # -- waiting ---------------------------------------------------------------------------------

    def delay(self, followed: Followed) -> None:
        """Let *followed* ask when its rate limit allows."""
        self._delays += 1
        heapq.heappush(self._delayed, (followed.not_before, self._delays, followed))

    @property
    def next_delayed(self) -> float | None:
        """When the next delayed file may ask; None where there is none."""
        return self._delayed[0][0] if self._delayed else None

    def undelayed(self, now: float) -> list[Followed]:
        """Return the files whose rate limit allows a turn by now."""
        found: list[Followed] = []
        while self._delayed and self._delayed[0][0] <= now:
            found.append(heapq.heappop(self._delayed)[2])
        return found

    def wait_for(self, followed: Followed, others: Collection[FileKey]) -> None:
        """Let *followed* wait until one of *others* is read to its end."""
        for key in others:
            self._waiting.setdefault(key, {})[followed.key] = followed

    def released_by(self, key: FileKey) -> list[Followed]:
        """Return who waited for *key*; they wait no more."""
        return list(self._waiting.pop(key, {}).values())


def unread_of(followed: Followed) -> int:
    """Return the bytes of *followed* that are known to be there and were not read yet."""
    return max(followed.size - followed.read_offset, 0)


def standing_of(followed: Followed, unread: int) -> Standing:
    """Return where reading stands, *unread* bytes before its end."""
    return Standing(followed.carry.stamp_ms, unread, followed.reading.rule.max_age_ms)
