"""Small requests make small frames; once a segment is full they are packed together, and nobody notices."""

from __future__ import annotations

from pathlib import Path

from shipper.endpoint.model import Context, Filter
from tests.endpoint.store.made import accepted, contents, indexed, opened, segments, until

MOST = 1 << 20  # so that a segment is 64 KiB


async def test_single_events_take_little_room_in_the_end_and_read_as_before(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=MOST, block_bytes=20_000) as store:
        for number in range(1_000):
            context = Context(received_ms=number, query=(("turn", str(number % 7)),))
            await store.append(accepted([{"content": f"event {number} of a service that speaks one by one"}], context))
        await indexed(store)
        await until(lambda: segments(tmp_path)[0].stat().st_size < 30_000)
        expected = [f"event {number} of a service that speaks one by one" for number in range(1_000)]
        turns = Filter(attributes=(("turn", "3"),), text="event 5")

        assert len(segments(tmp_path)) > 2
        assert await contents(store) == expected
        found = await contents(store, turns)
        assert found == [text for number, text in enumerate(expected) if number % 7 == 3 and "5" in text]
        assert store.stats()["bytes"] == sum(
            path.stat().st_size for path in tmp_path.iterdir() if path.suffix in (".events", ".index")
        )

    async with opened(tmp_path, max_bytes=MOST, block_bytes=20_000) as store:
        assert await contents(store) == expected
        assert await contents(store, turns) == found
        await store.append(accepted([{"content": "the next", "timestamp": 5_000}]))
        assert (await contents(store, limit=2_000))[-1] == "the next"


async def test_what_a_crash_left_of_a_packing_is_removed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.append(accepted([{"content": "kept", "timestamp": 1}]))
    left = tmp_path / f"{1:016d}.events-new"
    left.write_bytes(segments(tmp_path)[0].read_bytes()[:40])

    async with opened(tmp_path) as store:
        assert await contents(store) == ["kept"]
    assert not left.exists()
