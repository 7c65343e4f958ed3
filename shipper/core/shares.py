"""Whose turn it is: deficit round robin by bytes, and backlogs by deadline beside it.

Three hands deal turns among whoever wants one:

- the live ring: every live key in turn, *quantum* bytes a round each;
- the deadlines: of those behind, the one whose next line expires first;
- the backlog ring: those behind and those past the window, in turn, so that a
  backlog that cannot be saved does not keep the others waiting.

Which hand deals next is settled by bytes too, in the shares below: no hand
that has a key ever waits for more than the others' shares. Keys weigh alike.
Source: Shreedhar and Varghese, "Efficient fair queuing using deficit round
robin", 1996; a turn may overdraw, which the next rounds pay back.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from shipper.core.priority import EXPIRED, Hurry, Rank

K = TypeVar("K", bound=Hashable)

LIVE_HAND: Final = 0
DEADLINE_HAND: Final = 1
BACKLOG_HAND: Final = 2

CALM: Final = (6, 3, 1)
URGENT: Final = (3, 6, 1)
"""Shares of the hands in the bytes that are read, while no deadline is near and when one is."""


class Ring(Generic[K]):
    """Keys in turn, each with what it may still read in this round.

    While two keys stay, what they were charged differs by no more than a
    quantum and the largest turn of each.
    """

    def __init__(self, quantum: int) -> None:
        """Let each key read *quantum* bytes a round."""
        self._quantum = quantum
        self._left: OrderedDict[K, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def __contains__(self, key: K) -> bool:
        return key in self._left

    def add(self, key: K) -> None:
        """Let *key* take part, as the last of the round; one that does already keeps its place."""
        self._left.setdefault(key, self._quantum)

    def drop(self, key: K) -> None:
        """Let *key* take part no more; what it had left is gone."""
        self._left.pop(key, None)

    def head(self) -> K:
        """Return the key whose turn it is.

        Raises:
            StopIteration: Nobody takes part.
        """
        while True:
            key, left = next(iter(self._left.items()))
            if left > 0:
                return key
            # One that has overdrawn sits out as many rounds as it takes.
            self._left[key] = left + self._quantum
            self._left.move_to_end(key)

    def charge(self, key: K, amount: int) -> None:
        """Take *amount* bytes from what *key* may read."""
        if key not in self._left:
            return
        self._left[key] -= amount
        if self._left[key] <= 0:
            self._left[key] += self._quantum
            self._left.move_to_end(key)


class Shares(Generic[K]):
    """Who wants a turn, and who has the next one; owned by whoever reads."""

    def __init__(self, quantum: int) -> None:
        """Deal *quantum* bytes a round to each key of a ring."""
        self._live = Ring[K](quantum)
        self._backlog = Ring[K](quantum)
        self._ranks: dict[K, Rank] = {}
        self._deadlines: list[tuple[int, int, K]] = []
        self._entries = 0
        self._dealt = [0.0, 0.0, 0.0]
        self._served = 0.0
        self._urgent = False

    def __len__(self) -> int:
        return len(self._ranks)

    def __contains__(self, key: K) -> bool:
        return key in self._ranks

    def want(self, key: K, rank: Rank) -> None:
        """Let *key* take part, or go on with a new rank."""
        before = self._ranks.get(key)
        if before == rank:
            return
        self._ranks[key] = rank
        live = rank.hurry is Hurry.LIVE
        if before is None or live != (before.hurry is Hurry.LIVE):
            (self._backlog if live else self._live).drop(key)
            self._enter(LIVE_HAND if live else BACKLOG_HAND)
            (self._live if live else self._backlog).add(key)
        if rank.hurry is Hurry.BEHIND:
            self._forget_old_deadlines()
            if not self._deadlines:
                self._enter(DEADLINE_HAND)
            self._entries += 1
            heapq.heappush(self._deadlines, (rank.deadline_ms, self._entries, key))

    def leave(self, key: K) -> None:
        """Let *key* take part no more."""
        if self._ranks.pop(key, None) is not None:
            self._live.drop(key)
            self._backlog.drop(key)

    def next(self, now_ms: int) -> tuple[K, int] | None:
        """Return whose turn it is and the hand that dealt it; None where nobody wants one. The same until charged."""
        first = self._first_deadline(now_ms)
        hands = [
            hand
            for hand, any_there in (
                (LIVE_HAND, bool(self._live)), (DEADLINE_HAND, first is not None), (BACKLOG_HAND, bool(self._backlog)),
            )
            if any_there
        ]  # fmt: skip
        if not hands:
            return None
        self._urgent = first is not None and now_ms >= self._ranks[first].urgent_ms
        hand = min(hands, key=lambda one: self._dealt[one])
        self._served = self._dealt[hand]
        if hand == DEADLINE_HAND and first is not None:
            return first, hand
        return (self._live if hand == LIVE_HAND else self._backlog).head(), hand

    def charge(self, key: K, hand: int, amount: int) -> None:
        """Count *amount* bytes that *key* was given by *hand*; at least one, so that every turn costs something."""
        amount = max(amount, 1)
        self._dealt[hand] += amount / (URGENT if self._urgent else CALM)[hand]
        self._live.charge(key, amount)
        self._backlog.charge(key, amount)

    # -- hands -----------------------------------------------------------------------------------

    def _enter(self, hand: int) -> None:
        """Begin where the others are with a hand that had nobody: it has no claim on the time before."""
        if not (self._live if hand == LIVE_HAND else self._backlog) or hand == DEADLINE_HAND:
            self._dealt[hand] = max(self._dealt[hand], self._served)

    def _first_deadline(self, now_ms: int) -> K | None:
        """Return who expires first. Entries of an earlier rank go as they come up; so do those that have expired."""
        while self._deadlines:
            deadline, _, key = self._deadlines[0]
            rank = self._ranks.get(key)
            if rank is not None and rank.hurry is Hurry.BEHIND and rank.deadline_ms == deadline:
                if deadline > now_ms:
                    return key
                self._ranks[key] = EXPIRED
            heapq.heappop(self._deadlines)
        return None

    def _forget_old_deadlines(self) -> None:
        if len(self._deadlines) > 2 * len(self._ranks) + 64:
            kept = {(rank.deadline_ms, key) for key, rank in self._ranks.items() if rank.hurry is Hurry.BEHIND}
            fresh = [entry for entry in self._deadlines if (entry[0], entry[2]) in kept]
            heapq.heapify(fresh)
            self._deadlines = fresh
