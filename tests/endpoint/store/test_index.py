"""The index lags, catches up, and spares reading: a query maps little more than what it gives out."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from shipper.endpoint.model import Context, Filter, LogRecord
from shipper.endpoint.store import BadCursor
from shipper.endpoint.store.store import QUERY_THREADS
from tests.endpoint.store.made import accepted, contents, indexed, mapper, numbered, opened, until
from tests.patience import PATIENCE_SECONDS

BLOCKS = 40
A_BLOCK = 50


class Counted:
    """The mapper, counting what threads other than the indexer ask of it."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, event: dict[str, object], context: Context) -> LogRecord:
        if threading.current_thread().name != "store-indexer":
            self.asked += 1
        return mapper(event, context)


@pytest.mark.parametrize(
    ("wanted", "found", "most_mapped"),
    [
        pytest.param(Filter(), 10, 12, id="no_filter"),
        pytest.param(Filter(text="needle"), 1, 1, id="rare_word"),
        pytest.param(Filter(text="EEDL"), 1, 1, id="part_of_a_rare_word_in_capitals"),
        pytest.param(Filter(text="ee"), 1, 2, id="two_letters_are_looked_for_in_the_bytes"),
        pytest.param(Filter(text="event absent"), 0, 0, id="word_that_never_occurs"),
        pytest.param(Filter(attributes=(("order", "o-1"),)), 1, 1, id="rare_attribute"),
        pytest.param(Filter(attributes=(("order", "o-2"),)), 0, 0, id="attribute_that_never_occurs"),
        pytest.param(Filter(levels=frozenset({"ERROR"})), 1, 1, id="rare_severity"),
        pytest.param(Filter(source="pay"), 1, 1, id="rare_source"),
        pytest.param(Filter(since_ms=500, until_ms=503), 3, 3, id="short_time"),
        pytest.param(Filter(text="größe"), 1, 51, id="escaped_by_the_client"),
    ],
)
async def test_what_cannot_match_is_not_mapped(wanted: Filter, found: int, most_mapped: int, tmp_path: Path) -> None:
    counted = Counted()
    async with opened(tmp_path, mapper=counted, block_bytes=1) as store:
        for block in range(BLOCKS):
            await store.append(numbered(A_BLOCK * block, A_BLOCK, **{"log.source": "shop"}))
        await store.append(
            accepted([{"content": "needle", "timestamp": 0, "severity": "error", "order": "o-1", "log.source": "pay"}])
        )
        await store.append(accepted([{"content": "GRÖSSE größe", "timestamp": 0}], ascii_only=True))
        await store.append(numbered(1))
        await indexed(store)
        counted.asked = 0
        page = await store.query(wanted, limit=10)

        assert len(page.events) == found
        # The last block is still open: its one event is mapped to index it for this query.
        assert counted.asked <= most_mapped + 1


async def test_a_histogram_without_text_maps_nothing(tmp_path: Path) -> None:
    counted = Counted()
    async with opened(tmp_path, mapper=counted, block_bytes=1) as store:
        for block in range(BLOCKS):
            await store.append(numbered(A_BLOCK * block, A_BLOCK))
        await indexed(store)
        await store.histogram(Filter(), since_ms=0, until_ms=1_993, buckets=7)
        counted.asked = 0
        bars = await store.histogram(Filter(levels=frozenset({"NONE"})), since_ms=0, until_ms=1_993, buckets=7)

        assert sum(bar.counts["NONE"] for bar in bars) == 1_993
        assert counted.asked == 0


async def test_the_index_lags_visibly_answers_are_whole_meanwhile_and_it_catches_up(tmp_path: Path) -> None:
    may_go = threading.Event()

    def held(event: dict[str, object], context: Context) -> LogRecord:
        if threading.current_thread().name == "store-indexer":
            may_go.wait(PATIENCE_SECONDS)
        return mapper(event, context)

    expected = ["event 2", "event 12", *(f"event {number}" for number in range(20, 30))]
    async with opened(tmp_path, mapper=held, block_bytes=1) as store:
        for number in range(30):
            await store.append(numbered(number))

        assert store.stats()["index_lag_events"] == 29
        assert await contents(store, Filter(text="event 2")) == expected
        may_go.set()
        await indexed(store)
        assert store.stats()["index_lag_events"] == 0
        assert await contents(store, Filter(text="event 2")) == expected


async def test_a_mapper_that_fails_stops_the_intake(tmp_path: Path) -> None:
    def failing(event: dict[str, object], context: Context) -> LogRecord:
        raise ZeroDivisionError

    async with opened(tmp_path, mapper=failing, block_bytes=1) as store:
        await store.append(numbered(0))
        await store.append(numbered(1))

        async def append_until_it_fails() -> None:
            while True:
                await store.append(numbered(2))

        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(append_until_it_fails(), PATIENCE_SECONDS)


async def test_a_query_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    mapped = 0
    may_go = threading.Event()

    def slow(event: dict[str, object], context: Context) -> LogRecord:
        nonlocal mapped
        if threading.current_thread().name.startswith("store-query"):
            mapped += 1
            may_go.wait(PATIENCE_SECONDS)
            threading.Event().wait(0.002)
        return mapper(event, context)

    async with opened(tmp_path, mapper=slow) as store:
        await store.append(numbered(0, 5_000))
        queries = [asyncio.create_task(store.query(Filter(text="nothing"))) for _ in range(QUERY_THREADS)]
        await until(lambda: mapped == QUERY_THREADS)
        for query in queries:
            query.cancel()
        await asyncio.wait(queries)
        may_go.set()
        # Needs a thread, but no event.
        await store.histogram(Filter(), since_ms=-10, until_ms=-5, buckets=1)

        assert all(query.cancelled() for query in queries)
        assert mapped < 100


@pytest.mark.parametrize("text", ["", "x", "n1", "n1.2.3", "n1.2\n", "o1.2", "n" + "9" * 30 + ".1"])
async def test_a_cursor_that_is_none_of_this_order_is_refused(text: str, tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.append(numbered(0, 3))
        if text:
            with pytest.raises(BadCursor, match="cursor: "):
                await store.query(Filter(), cursor=text)
        else:
            assert len((await store.query(Filter(), cursor=text)).events) == 3
