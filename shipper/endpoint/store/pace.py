"""Long work beside a loop that must not wait: in slices, with rests while the loop is busy.

Python runs one thread at a time, and a thread that computes gives way only
every 5 ms: each of the dozens of reads of a 1 MB request would wait that long.
So whoever computes in the store steps aside by itself after a millisecond.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SLICE_SECONDS: Final = 0.001
REST_SECONDS: Final = 0.003
_GLANCE_SECONDS: Final = 0.00005


class Stopped(Exception):
    """Nobody waits for the work any more."""


class Pace:
    """One piece of long work; `step` belongs into its loops."""

    def __init__(self, is_busy: Callable[[], bool], is_stopped: Callable[[], bool]) -> None:
        """*is_busy*: whether requests are coming in; both are asked once a slice."""
        self._is_busy = is_busy
        self._is_stopped = is_stopped
        self._began = time.perf_counter()

    def step(self) -> None:
        """Rest when the slice is over.

        Raises:
            Stopped: The work is to end.
        """
        if time.perf_counter() - self._began < SLICE_SECONDS:
            return
        if self._is_stopped():
            raise Stopped
        time.sleep(REST_SECONDS if self._is_busy() else _GLANCE_SECONDS)
        self._began = time.perf_counter()
