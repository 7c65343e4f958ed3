"""Portions that are not on their way yet: which go next, and when.

What comes after a pause goes at once; then what comes gathers, until a request
is full or `flush_interval` has passed since the last one. Those of a lineage
whose last batch failed stand aside until that one is settled; the others pass
them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from heapq import merge
from math import inf
from operator import itemgetter
from typing import Final

from shipper.core.batch import BatchLimits, Portion, size_of

# After a pause: the files of one burst come one after the other, and are one request.
GATHER_SHARE: Final = 0.1
LONGEST_GATHER_SECONDS: Final = 0.005

_Offered = tuple[float, Portion]


class Waiting:
    """Owned by the sender."""

    def __init__(self, limits: BatchLimits, monotonic: Callable[[], float]) -> None:
        """Form batches within *limits*."""
        self._limits = limits
        self._monotonic = monotonic
        self._free: deque[_Offered] = deque()
        self._aside: dict[int, deque[_Offered]] = {}
        self._blocked: Counter[int] = Counter()
        self._bytes = self._events = 0
        self._taken_at = -inf

    def __len__(self) -> int:
        return len(self._free) + sum(map(len, self._aside.values()))

    def limit(self, limits: BatchLimits) -> None:
        """Form batches within other *limits* from now on."""
        self._limits = limits

    def add(self, portion: Portion) -> None:
        """Put *portion* last; order within a lineage is that of these calls."""
        offered = (self._monotonic(), portion)
        if portion.lineage in self._blocked:
            self._aside.setdefault(portion.lineage, deque()).append(offered)
        else:
            self._free.append(offered)
            self._count(portion, 1)

    def block(self, lineages: Iterable[int]) -> None:
        """Let nothing of *lineages* go; each call needs one of `unblock`."""
        fresh = [lineage for lineage in lineages if lineage not in self._blocked]
        self._blocked.update(lineages)
        if not fresh:
            return
        stay: deque[_Offered] = deque()
        for offered in self._free:
            if offered[1].lineage in self._blocked:
                self._aside.setdefault(offered[1].lineage, deque()).append(offered)
                self._count(offered[1], -1)
            else:
                stay.append(offered)
        self._free = stay

    def unblock(self, lineages: Iterable[int]) -> None:
        """Take one `block` of *lineages* back."""
        self._blocked.subtract(lineages)
        self._blocked = +self._blocked
        back = [self._aside.pop(lineage) for lineage in list(self._aside) if lineage not in self._blocked]
        for offered in back:
            for _, portion in offered:
                self._count(portion, 1)
        if back:
            self._free = deque(merge(self._free, *back, key=itemgetter(0)))

    @property
    def is_full(self) -> bool:
        """Whether there is enough for a request."""
        return self._bytes >= self._limits.target_bytes or self._events >= self._limits.max_events

    @property
    def is_single(self) -> bool:
        """Whether exactly one portion may go."""
        return len(self._free) == 1

    @property
    def is_rested(self) -> bool:
        """Whether what is added now need not wait: for as long as a request may gather, none has left."""
        return self._monotonic() >= self._taken_at + self._limits.flush_seconds

    def due_in(self) -> float | None:
        """Return the seconds until the oldest portion that may go is due; None where there is none.

        It is due `flush_seconds` after the last request left, so that a slow stream makes no more requests than
        that, and when it is that old itself at the latest.
        """
        if not self._free:
            return None
        if self.is_full:
            return 0.0
        offered_at, flush_seconds = self._free[0][0], self._limits.flush_seconds
        gathered_at = offered_at + min(flush_seconds * GATHER_SHARE, LONGEST_GATHER_SECONDS)
        due_at = min(offered_at + flush_seconds, max(gathered_at, self._taken_at + flush_seconds))
        return max(due_at - self._monotonic(), 0.0)

    def take(self, most_bytes: int) -> list[Portion]:
        """Return the next portions for one request: up to the target size, and *most_bytes* where there are several."""
        self._taken_at = self._monotonic()
        taken: list[Portion] = []
        json_bytes = events = 0
        limits = self._limits
        most_bytes = min(limits.max_bytes, most_bytes)
        while self._free and json_bytes < limits.target_bytes:
            encoded = self._free[0][1].encoded
            size = size_of(json_bytes + len(encoded.json), len(taken) + 1)
            if taken and (size > most_bytes or events + encoded.events > limits.max_events):
                break
            _, portion = self._free.popleft()
            self._count(portion, -1)
            taken.append(portion)
            json_bytes += len(encoded.json)
            events += encoded.events
        return taken

    def _count(self, portion: Portion, sign: int) -> None:
        self._bytes += sign * len(portion.encoded.json)
        self._events += sign * portion.encoded.events
