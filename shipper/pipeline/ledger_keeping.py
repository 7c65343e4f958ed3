"""Keeps the ledger small: older rows are joined, and of files long let go nothing is kept.

The store's thread does it in short pieces, so that commits come in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from shipper.adapters.offsets import OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.core.model import FileKey
from shipper.errors import StateDamaged, StateError
from shipper.pipeline.journal import Journal

EVERY_SECONDS: Final = 600.0
ROWS_AT_ONCE: Final = 2_000
MOST_ROWS: Final = 500_000  # some 40 MB; beyond, rows are joined whatever their age
MOST_ACCOUNTS: Final = 100_000
FEWEST_ROWS: Final = 4
GROWING_MS: Final = 60_000  # what is younger may still be written to


class LedgerKeeper:
    """Tends the ledger of one store."""

    def __init__(self, offsets: OffsetThread, journal: Journal, now_ms: Callable[[], int], kept_seconds: float) -> None:
        """Keep rows apart for *kept_seconds*."""
        self._offsets = offsets
        self._journal = journal
        self._now_ms = now_ms
        self._kept_ms = int(kept_seconds * 1000)

    async def run(self) -> None:
        """Tend it every ten minutes; runs until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.tend()
            except StateDamaged:
                raise
            except StateError as error:  # no room to make room: the committer says so and waits, too
                self._journal.say("ledger_not_tended", error=str(error))

    async def tend(self) -> None:
        """Join what is old, forget what is older; of a ledger that is too large the longest files first."""
        now_ms = self._now_ms()
        await self._offsets.run(lambda store: store.drop_accounts(now_ms - self._kept_ms, MOST_ACCOUNTS))
        held = [one for one in await self._offsets.run(OffsetStore.holdings) if one.rows >= FEWEST_ROWS]
        await self._thin([(one.key, one.rows) for one in held], now_ms, self._kept_ms)
        rows = sum(one.rows for one in await self._offsets.run(OffsetStore.holdings))
        if rows > MOST_ROWS:
            held.sort(key=lambda one: one.rows, reverse=True)
            await self._thin([(one.key, one.rows) for one in held], now_ms, GROWING_MS)
            self._journal.say("ledger_folded", rows=rows, most=MOST_ROWS, hint="figures are kept, single spans are not")

    async def _thin(self, files: Sequence[tuple[FileKey, int]], now_ms: int, kept_ms: int) -> None:
        some, rows = list[FileKey](), 0
        for key, count in files:
            some.append(key)
            rows += count
            if rows >= ROWS_AT_ONCE:
                await self._thin_some(some, now_ms, kept_ms)
                some, rows = [], 0
        if some:
            await self._thin_some(some, now_ms, kept_ms)

    async def _thin_some(self, keys: list[FileKey], now_ms: int, kept_ms: int) -> None:
        await self._offsets.run(lambda store: store.thin(keys, now_ms, kept_ms))
