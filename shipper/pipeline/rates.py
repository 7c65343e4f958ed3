"""How fast counts grow: a short memory of samples, at regular instants.

Pure but for who calls it: the survey takes a sample every few seconds, of a
tuple of counts a source. Rates are over the last 10 seconds and the last
minute; the steps between samples are what `shipper top` draws.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

SAMPLE_SECONDS: Final = 2.0
SHORT_SECONDS: Final = 10.0
LONG_SECONDS: Final = 60.0
_SAMPLES: Final = int(LONG_SECONDS / SAMPLE_SECONDS) + 1

Counts = tuple[int, ...]
"""Growing numbers of one source, always the same ones in the same order."""


class Rates:
    """Owns the samples; every instant is monotonic, in seconds."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._samples: deque[tuple[float, Mapping[str, Counts]]] = deque(maxlen=_SAMPLES)

    def sample(self, at: float, counts: Mapping[str, Counts]) -> None:
        """Remember *counts* of every source; *at* is later than the last time."""
        self._samples.append((at, dict(counts)))

    def over(self, seconds: float, at: float, name: str, counts: Counts) -> tuple[float, ...]:
        """Return how much each of *counts*, which hold at *at*, grew a second over the last *seconds*.

        Younger than that, it is since the first sample. A source that was not there then began at nothing.
        """
        base = self._base(at - seconds)
        if base is None or base[0] >= at:
            return (0.0,) * len(counts)
        before = base[1].get(name, (0,) * len(counts))
        return tuple(max(now - then, 0) / (at - base[0]) for now, then in zip(counts, before, strict=True))

    def _base(self, wanted: float) -> tuple[float, Mapping[str, Counts]] | None:
        """Return the newest sample that is not younger than *wanted*, else the oldest."""
        found = None
        for sample in self._samples:
            if found is not None and sample[0] > wanted:
                break
            found = sample
        return found

    def steps(self, name: str, index: int) -> list[float]:
        """Return the growth a second of count *index* of *name* between the samples, oldest first."""
        grown = []
        samples = list(self._samples)
        for (earlier, before), (later, after) in pairwise(samples):
            then, now = before.get(name), after.get(name)
            if now is not None and later > earlier:
                grown.append(max(now[index] - (then[index] if then else 0), 0) / (later - earlier))
        return grown
