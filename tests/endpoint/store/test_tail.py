"""A subscriber gets each event that it asked for once, in order of arrival, soon; what it missed is counted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from shipper.endpoint.model import Context, Filter, LogRecord, StoredRecord
from shipper.endpoint.store.tail import MOST_UNFETCHED, MOST_UNMAPPED
from tests.endpoint.store.made import accepted, contents, mapper, numbered, opened, until
from tests.patience import PATIENCE_SECONDS


async def take(subscription: AsyncIterator[list[StoredRecord]], count: int) -> list[StoredRecord]:
    taken = list[StoredRecord]()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(taken) < count:
            taken += await anext(subscription)
    return taken


async def test_every_event_comes_once_in_order_with_the_id_that_a_query_gives_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.append(numbered(0, 3))
        subscription = store.subscribe(Filter())
        appends = [asyncio.create_task(store.append(numbered(10 * turn, 10))) for turn in range(1, 30)]
        taken = await take(subscription, 290)
        await asyncio.gather(*appends)
        page = await store.query(Filter(since_ms=10), limit=1000, order="oldest")

        assert taken == sorted(page.events, key=lambda stored: stored.id)
        assert subscription.missed == 0


async def test_only_what_the_filter_takes_comes(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        errors = store.subscribe(Filter(levels=frozenset({"ERROR"})))
        word = store.subscribe(Filter(text="EVENT 7"))
        await store.append(numbered(5, 5))
        await store.append(numbered(20, 2, severity="error"))

        assert [stored.record.content for stored in await take(word, 1)] == ["event 7"]
        assert [stored.record.content for stored in await take(errors, 2)] == ["event 20", "event 21"]


async def test_it_comes_while_the_index_stands_still(tmp_path: Path) -> None:
    indexer_may_go = threading.Event()

    def held(event: dict[str, object], context: Context) -> LogRecord:
        if threading.current_thread().name == "store-indexer":
            indexer_may_go.wait(PATIENCE_SECONDS)
        return mapper(event, context)

    async with opened(tmp_path, mapper=held, block_bytes=1) as store:
        subscription = store.subscribe(Filter())
        await store.append(numbered(0))
        await store.append(numbered(1))
        assert len(await take(subscription, 2)) == 2
        for number in range(2, 12):
            await store.append(numbered(number))
            assert [stored.record.content for stored in await take(subscription, 1)] == [f"event {number}"]
        assert store.stats()["index_lag_events"] != 0
        indexer_may_go.set()


async def test_a_reader_that_does_not_fetch_is_told_how_many_it_missed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        slow, other = store.subscribe(Filter()), store.subscribe(Filter(text="nothing"))
        await store.append(numbered(0, MOST_UNFETCHED + 700))
        await until(lambda: slow.missed == 700)

        assert len(await take(slow, 1)) == MOST_UNFETCHED
        assert other.missed == 0
        await store.append(numbered(5_000))
        assert [stored.record.content for stored in await take(slow, 1)] == ["event 5000"]


async def test_a_flood_is_not_queued_without_bound(tmp_path: Path) -> None:
    mapping_may_go = threading.Event()

    def held(event: dict[str, object], context: Context) -> LogRecord:
        mapping_may_go.wait(PATIENCE_SECONDS)
        return mapper(event, context)

    async with opened(tmp_path, mapper=held) as store:
        subscription = store.subscribe(Filter(text="nothing"))
        many = accepted({"content": "x", "timestamp": 1} for _ in range(1_000))
        for _ in range(2 * MOST_UNMAPPED // 1_000):
            await store.append(many)
        assert subscription.missed == MOST_UNMAPPED
        mapping_may_go.set()


async def test_closing_the_store_ends_the_iteration_and_closing_one_tail_keeps_the_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        closed, kept = store.subscribe(Filter()), store.subscribe(Filter())
        closed.close()
        await store.append(numbered(1))
        await take(kept, 1)
        waiting = asyncio.create_task(take_all(kept))
        await asyncio.sleep(0)

        assert await contents(store) == ["event 1"]
        assert await take_all(closed) == []
        assert store.stats()["tails"] == 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await waiting == []


async def take_all(subscription: AsyncIterator[list[StoredRecord]]) -> list[StoredRecord]:
    return [stored async for events in subscription for stored in events]
