"""A limit a minute: of requests or of events. Off unless the operator asks for it.

Old agents had 1,000 requests and 10,000 events a minute (reference page, section 5).
"""

from __future__ import annotations

import math
from typing import Final

_MS_A_MINUTE: Final = 60_000


class PerMinute:
    """Lets *limit* through a minute, in bursts of up to that many.

    What is let through may take the balance below zero: a request of more events
    than the limit is not refused for ever, it makes the next one wait longer.
    """

    def __init__(self, limit: int, now_ms: int) -> None:
        """*limit* is at least 1; the first minute starts full."""
        self._limit = limit
        self._full = limit * _MS_A_MINUTE  # balances are in sixty-thousandths: whole numbers add up exactly
        self._balance = self._full
        self._at_ms = now_ms

    def wait_seconds(self, now_ms: int) -> int:
        """Return 0 if something may pass now, else whole seconds until it may."""
        # A clock that was set back adds nothing and takes nothing.
        passed_ms = max(0, now_ms - self._at_ms)
        self._at_ms = now_ms
        self._balance = min(self._full, self._balance + self._limit * passed_ms)
        if self._balance >= _MS_A_MINUTE:
            return 0
        return math.ceil((_MS_A_MINUTE - self._balance) / self._limit / 1_000)

    def take(self, count: int) -> None:
        """Count *count* as let through."""
        self._balance -= count * _MS_A_MINUTE
