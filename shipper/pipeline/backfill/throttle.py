"""Keeps to a rate: events and bytes a second, counted as they are handed to the sender."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

BURST_SECONDS: Final = 0.25


class Throttle:
    """A bucket for events and one for bytes; used from the event loop only."""

    def __init__(
        self, monotonic: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """No limit until `limit` is called."""
        self._monotonic = monotonic
        self._sleep = sleep
        self._rates = (0.0, 0.0)
        self._free_at = [0.0, 0.0]

    def limit(self, events: float, size: float) -> None:
        """Let pass so many events and bytes a second from now on; 0 for no limit."""
        self._rates = (events, size)
        self._free_at = [self._monotonic()] * 2

    async def passed(self, events: int, size: int) -> None:
        """Wait until there is room for the next after these have passed."""
        now = self._monotonic()
        for index, (rate, amount) in enumerate(zip(self._rates, (events, size), strict=True)):
            if rate:
                self._free_at[index] = max(self._free_at[index], now - BURST_SECONDS) + amount / rate
        wait = max(self._free_at) - now
        if any(self._rates) and wait > 0:
            await self._sleep(wait)
