"""The store stays within its size and age: the oldest go first, what waits to be forwarded never."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from shipper.endpoint.model import Accepted, Filter
from shipper.endpoint.store import Store, StoreFull
from tests.endpoint.store.made import accepted, contents, numbered, opened, segments

MOST = 1 << 20  # so that a segment is 64 KiB


def bulky(number: int) -> Accepted:
    """Return a request of about 12 KB that compression cannot make smaller than half."""
    noise = random.Random(number).randbytes(6_000).hex()
    return accepted([{"content": f"event {number}", "timestamp": number, "noise": noise}])


def numbers(texts: list[str]) -> list[int]:
    return [int(text.split()[1]) for text in texts]


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir() if path.suffix in (".events", ".index"))


async def test_the_oldest_go_first_and_the_size_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=MOST) as store:
        for number in range(400):
            await store.append(bulky(number))
            assert store.stats()["bytes"] <= MOST  # type: ignore[operator] # a number
        kept = numbers(await contents(store))

        assert kept == list(range(kept[0], 400))
        assert kept[0] > 0
        assert store.stats()["evicted_events"] == kept[0]
        assert size_of(tmp_path) > MOST // 2


async def test_what_waits_to_be_forwarded_is_not_evicted_and_done_makes_room(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=MOST) as store:
        backlog = store.backlog(lambda event, _: event)
        taken = await append_until_full(store)
        with pytest.raises(StoreFull, match="waits to be forwarded"):
            await store.append(bulky(taken))
        assert numbers(await contents(store)) == list(range(taken))

        while (batch := await backlog.next(1 << 20, 1_000)) is not None:
            await backlog.done(batch)
        await store.append(bulky(taken))

        assert numbers(await contents(store))[-1] == taken
        assert store.stats()["evicted_events"] != 0


async def test_a_request_larger_than_the_store_is_refused_and_the_next_is_taken(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=MOST) as store:
        noise = random.Random(1).randbytes(2 * MOST).hex()
        with pytest.raises(StoreFull):
            await store.append(accepted([{"content": noise, "timestamp": 1}]))
        await store.append(numbered(2))

        assert await contents(store) == ["event 2"]


async def append_until_full(store: Store) -> int:
    for number in range(400):
        try:
            await store.append(bulky(number))
        except StoreFull:
            return number
    raise AssertionError("the store never was full")


@pytest.mark.parametrize("restart", [False, True])
async def test_what_is_past_the_age_limit_goes_a_segment_at_a_time(restart: bool, tmp_path: Path) -> None:
    clock = [0]
    settings = {"max_bytes": MOST, "max_age_ms": 100, "now_ms": lambda: clock[0]}
    async with opened(tmp_path, **settings) as store:
        for number in range(40):
            await store.append(bulky(number))
        files = len(segments(tmp_path))
        if not restart:
            clock[0] = 100 + 20
            await store.expire()
    clock[0] = 100 + 20
    async with opened(tmp_path, **settings) as store:
        await store.append(bulky(40))
        kept = numbers(await contents(store))

        assert kept == list(range(kept[0], 41))
        assert 20 - 40 / files - 1 < kept[0] <= 20
        clock[0] = 1_000
        await store.expire()
        assert await contents(store) == []
        await store.append(bulky(950))
        assert numbers(await contents(store)) == [950]


async def test_a_cursor_survives_the_eviction_of_what_it_points_to(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=MOST) as store:
        for number in range(30):
            await store.append(bulky(number))
        first = await store.query(Filter(), limit=10, order="oldest")
        for number in range(30, 400):
            await store.append(bulky(number))
        second = await store.query(Filter(), limit=1000, order="oldest", cursor=first.next)

        assert numbers([stored.record.content for stored in first.events]) == list(range(10))
        left = numbers([stored.record.content for stored in second.events])
        assert left == list(range(left[0], 400))
        assert left[0] > 10
