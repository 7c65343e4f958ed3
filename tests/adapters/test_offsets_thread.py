"""The thread that the offset store lives on: calls come in order, and errors reach who called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.errors import StateLocked
from tests.adapters.lives import NOW_MS, life


def test_the_thread_runs_calls_in_order_and_hands_errors_over(tmp_path: Path) -> None:
    async def scenario() -> list[Life]:
        thread = await OffsetThread.open(tmp_path, now_ms=NOW_MS)
        await asyncio.gather(*(thread.run(committing(offset)) for offset in range(20)))
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda _: 1 // 0)
        rows = await thread.run(OffsetStore.load)
        await thread.close()
        await thread.close()
        OffsetStore.open(tmp_path, now_ms=NOW_MS).close()
        return rows

    rows = asyncio.run(scenario())

    assert rows == [life(offset=19)]


def committing(offset: int) -> Callable[[OffsetStore], None]:
    return lambda store: store.commit([life(offset=offset)])


def test_a_thread_that_cannot_open_the_store_says_why(tmp_path: Path) -> None:
    holder = OffsetStore.open(tmp_path, now_ms=NOW_MS)

    with pytest.raises(StateLocked):
        asyncio.run(OffsetThread.open(tmp_path, now_ms=NOW_MS))

    holder.close()
