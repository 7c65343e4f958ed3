"""The two clocks, as the parts that need both are given them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """The two clocks; nothing waits on the wall clock."""

    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
