"""Waiting between attempts: doubling up to a limit, full jitter.

Full jitter (a random share of the limit) keeps hundreds of hosts from coming
back in step after an outage.
"""

from __future__ import annotations


class Backoff:
    """How long to wait before the next attempt."""

    def __init__(self, initial_seconds: float, max_seconds: float) -> None:
        """The first wait is at most *initial_seconds*, none is more than *max_seconds*."""
        self._initial = initial_seconds
        self._max = max_seconds
        self.attempts = 0

    def next_seconds(self, jitter: float = 1.0) -> float:
        """Count an attempt and return the wait before the next; *jitter* is a random number in [0, 1]."""
        limit = min(self._max, self._initial * float(1 << min(self.attempts, 32)))
        self.attempts += 1
        return limit * jitter

    def reset(self) -> None:
        """The last attempt was good."""
        self.attempts = 0
