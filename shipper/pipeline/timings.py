"""How long things took, as a histogram: counts in buckets, weighted, for Prometheus and for `status`.

An observation is of many records at once, which prometheus-client's own
histogram does not take; adding one costs a bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

BUCKETS_SECONDS: Final = (
    0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.35, 0.5, 0.6, 0.75, 0.9, 1.0, 1.1,
    1.25, 1.5, 2.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0,
)  # fmt: skip


class Timings:
    """Seconds in buckets.

    Attributes:
        count: The sum of the weights.
        sum_seconds: Of the observations, times their weights.
    """

    def __init__(self, bounds: Sequence[float] = BUCKETS_SECONDS) -> None:
        """*bounds* are the buckets' upper ends, ascending; one without an end follows them."""
        self.bounds = tuple(bounds)
        self.count = 0
        self.sum_seconds = 0.0
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float, weight: int = 1) -> None:
        """Count *weight* things that took *seconds*; a clock that was set back makes them 0."""
        seconds = max(seconds, 0.0)
        self._counts[bisect_left(self.bounds, seconds)] += weight
        self.count += weight
        self.sum_seconds += seconds * weight

    def cumulative(self) -> list[tuple[float, int]]:
        """Return (upper end, count at or below it) for each bucket; the last end is infinite."""
        return list(zip((*self.bounds, float("inf")), accumulate(self._counts), strict=True))

    def quantile(self, share: float) -> float | None:
        """Return the seconds that *share* (0 to 1) of the things took at most; None where there were none.

        Interpolated within its bucket, as Prometheus does; what is beyond the last end counts as that end.
        """
        if not self.count:
            return None
        rank = share * self.count
        for (low, below), (high, upto) in pairwise([(0.0, 0), *self.cumulative()]):
            if upto >= rank and upto > below:
                return low if high == float("inf") else low + (high - low) * (rank - below) / (upto - below)
        return self.bounds[-1]
