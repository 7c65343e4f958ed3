"""The ledger stays small: rows are joined as they age, accounts end, and nothing of the figures is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.core.ledger import COARSE_MS, FINE_MS, Entry, total
from shipper.core.ledger_audit import audit
from shipper.core.model import FileKey
from shipper.pipeline import ledger_keeping as module
from shipper.pipeline.journal import Journal
from shipper.pipeline.ledger_keeping import LedgerKeeper

DAY_MS = 86_400_000
ROWS = 60


class Scene:
    """A store with two files of ROWS rows each, a minute apart, and one that was let go at the end."""

    def __init__(self, thread: OffsetThread) -> None:
        self.thread = thread
        self.now_ms = ROWS * 60_000
        self.said: list[str] = []
        self.keeper = LedgerKeeper(thread, Journal(self.said.append), lambda: self.now_ms, 7 * DAY_MS / 1000)

    async def fill(self) -> None:
        for number in (1, 2, 3):
            life = Life(file_id=number, generation=0, source="s", path="/a", device=1, inode=number, offset=10 * ROWS)
            entries = [
                Entry(10 * at, 10 * at + 10, at, at + 1, at * 60_000, at * 60_000, batch=at + 1, read=2, acked=2)
                for at in range(ROWS)
            ]
            spans = [(life.key, entry) for entry in entries]
            await self.thread.run(lambda store, life=life, spans=spans: store.commit([life], spans=spans))  # type: ignore[misc]
        await self.thread.run(lambda store: store.commit(gone=[FileKey(3, 0)], now_ms=self.now_ms))

    async def spans(self, number: int) -> list[Entry]:
        return await self.thread.run(lambda store: store.spans(FileKey(number, 0)))


def play(folder: Path, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        thread = await OffsetThread.open(folder, now_ms=0)
        try:
            scene = Scene(thread)
            await scene.fill()
            await story(scene)
        finally:
            await thread.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("age_ms", "rows"),
    [
        pytest.param(0, ROWS, id="an_hour_is_kept_as_it_was"),
        pytest.param(FINE_MS, ROWS * 60_000 // COARSE_MS, id="ten_minutes_each_after_that"),
        pytest.param(2 * DAY_MS, 1, id="an_hour_each_after_a_day"),
        pytest.param(8 * DAY_MS, 1, id="one_row_in_the_end"),
    ],
)
def test_rows_are_joined_as_they_age_and_their_figures_stay(age_ms: int, rows: int, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        before = total(await scene.spans(1))
        scene.now_ms += age_ms

        await scene.keeper.tend()

        spans = await scene.spans(1)
        assert len(spans) == rows
        assert total(spans) == before
        assert audit(spans, 10 * ROWS) == []

    play(tmp_path, story)


def test_the_account_of_a_file_that_is_gone_ends_with_its_time(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.keeper.tend()
        assert await scene.spans(3) != []
        scene.now_ms += 8 * DAY_MS

        await scene.keeper.tend()

        assert await scene.spans(3) == []
        assert await scene.spans(2) != []

    play(tmp_path, story)


def test_a_ledger_that_is_too_large_is_folded_whatever_its_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", ROWS)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", ROWS // 2)

    async def story(scene: Scene) -> None:
        scene.now_ms += 120_000

        await scene.keeper.tend()

        held = await scene.thread.run(OffsetStore.holdings)
        assert sum(one.rows for one in held) < ROWS
        assert total(await scene.spans(1)) == {"read": 2 * ROWS, "acked": 2 * ROWS}
        assert [text.split()[0] for text in scene.said] == ["event=ledger_folded"]

    play(tmp_path, story)
