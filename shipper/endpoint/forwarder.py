"""Sends what the endpoint keeps on to a SaaS, Managed or ActiveGate URL."""

from __future__ import annotations

from typing import Protocol

import msgspec


class ForwardBatch(msgspec.Struct, frozen=True):
    """Events that wait for the tenant.

    Attributes:
        position: Where the batch ends in the store's order; the store's own word.
        events: `protocol.forward_form` of each, joined by commas, in the order of arrival.
        count: How many.
    """

    position: str
    events: bytes
    count: int


class Backlog(Protocol):
    """What waits, oldest first; the store has it."""

    async def next(self, max_bytes: int, max_events: int) -> ForwardBatch | None:
        """Return the events after the last batch that is done, or None when none wait.

        One event larger than *max_bytes* comes alone. Until `done` is called the same events come again.
        """

    async def done(self, batch: ForwardBatch) -> None:
        """Remember durably that *batch* needs no more sending."""

    def waiting(self) -> tuple[int, int]:
        """Return how many events and bytes wait."""
