"""The rows a page at a time: each once, in order, a few in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_thread import ROWS_AT_ONCE, OffsetThread


@pytest.mark.parametrize("files", [0, 1, ROWS_AT_ONCE // 2, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
def test_every_row_comes_once_and_in_order_a_page_at_a_time(tmp_path: Path, files: int) -> None:
    """Each file has two generations, so that a page can end between them."""
    rows = [
        Life(file_id=file_id, generation=generation, source="app", path=f"/log/{file_id}", device=1, inode=file_id)
        for file_id in range(files + 1)
        for generation in (0, 1)
    ][1:]

    async def story() -> list[list[Life]]:
        offsets = await OffsetThread.open(tmp_path / "state", now_ms=0)
        try:
            await offsets.run(lambda store: OffsetStore.commit(store, rows))
            return [page async for page in offsets.pages()]
        finally:
            await offsets.close()

    pages = asyncio.run(story())

    assert [life for page in pages for life in page] == rows
    assert all(0 < len(page) <= ROWS_AT_ONCE for page in pages)
