"""Files cut or changed at any byte: what was appended before stays readable, and nothing is invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.endpoint.model import Filter
from shipper.endpoint.store.segment import TITLE
from tests.endpoint.store.made import contents, indexed, numbered, opened, segments

REQUESTS = 4


async def write_requests(directory: Path, *, forget_index: bool = True) -> list[int]:
    """Append a few requests of two events, one frame each; return where each frame begins and where the last ends."""
    borders = []
    async with opened(directory) as store:
        for request in range(REQUESTS):
            await store.append(numbered(10 * request, 2, log_source="x"))
            borders.append(segments(directory)[0].stat().st_size)
    if forget_index:
        for path in directory.glob("*.index"):
            path.unlink()
    return [len(TITLE), *borders]


def events_of(requests: range | list[int]) -> list[str]:
    return [f"event {10 * request + number}" for request in requests for number in (0, 1)]


async def test_a_file_cut_at_any_byte_of_its_last_frame_keeps_the_frames_before(tmp_path: Path) -> None:
    borders = await write_requests(tmp_path)
    (path,) = segments(tmp_path)
    whole = path.read_bytes()

    for size in range(borders[-2], borders[-1]):
        path.write_bytes(whole[:size])
        async with opened(tmp_path) as store:
            assert await contents(store) == events_of(range(REQUESTS - 1))
            assert store.stats()["torn_bytes"] == size - borders[-2]
            assert store.stats()["damaged_places"] == 0
            await store.append(numbered(777))
            assert await contents(store) == [*events_of(range(REQUESTS - 1)), "event 777"]
        assert segments(tmp_path) == [path]


async def test_zeros_behind_the_last_frame_are_a_torn_write(tmp_path: Path) -> None:
    """Some file systems show the new length before the new bytes after a power cut."""
    borders = await write_requests(tmp_path)
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[: borders[-2]] + bytes(300))

    async with opened(tmp_path) as store:
        assert await contents(store) == events_of(range(REQUESTS - 1))
        assert store.stats()["torn_bytes"] == 300
        assert store.stats()["damaged_places"] == 0


@pytest.mark.parametrize(("step", "later"), [(2, {}), (5, {f"{1000:016d}.events": TITLE})], ids=["last", "older"])
async def test_a_changed_byte_costs_its_frame_alone_and_is_named(
    step: int, later: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the last segment it is found at the start, of an older one when it is read."""
    borders = await write_requests(tmp_path / "whole")
    (path,) = segments(tmp_path / "whole")
    whole = path.read_bytes()

    for at in range(borders[0], borders[-1], step):
        changed = whole[:at] + bytes([whole[at] ^ 0x21]) + whole[at + 1 :]
        damaged = next(request for request in range(REQUESTS) if at < borders[request + 1])
        directory = tmp_path / str(at)
        directory.mkdir()
        for name, content in {path.name: changed, **later}.items():
            (directory / name).write_bytes(content)
        caplog.clear()
        async with opened(directory) as store:
            assert await contents(store) == events_of([request for request in range(REQUESTS) if request != damaged])
            await store.append(numbered(777))
            assert (await contents(store))[-1] == "event 777"
            assert store.stats()["damaged_places"] == 1
        assert f"offset={borders[damaged]} " in caplog.text
        assert (directory / path.name).read_bytes()[: len(changed)] == changed


async def test_ids_are_not_given_twice_after_damage_at_the_end(tmp_path: Path) -> None:
    await write_requests(tmp_path)
    (path,) = segments(tmp_path)
    async with opened(tmp_path) as store:
        backlog = store.backlog(lambda event, _: event)
        while (batch := await backlog.next(1_000_000, 1_000)) is not None:
            await backlog.done(batch)
    whole = path.read_bytes()
    path.write_bytes(whole[:30] + bytes(len(whole) - 60) + b"x" * 30)

    async with opened(tmp_path) as store:
        assert await contents(store) == []
        await store.append(numbered(1))
        backlog = store.backlog(lambda event, _: event)
        batch = await backlog.next(1_000_000, 1_000)
        assert batch is not None
        assert b"event 1" in batch.events
        assert store.backlog().waiting()[0] == 1
    assert path.read_bytes() == whole[:30] + bytes(len(whole) - 60) + b"x" * 30


@pytest.mark.parametrize("change", ["removed", "cut", "flipped"])
async def test_a_missing_or_damaged_index_is_made_anew_and_answers_stay_the_same(change: str, tmp_path: Path) -> None:
    async with opened(tmp_path, block_bytes=300) as store:
        for request in range(20):
            await store.append(numbered(request, severity="error" if request % 3 else "info"))
        await indexed(store)
        expected = await contents(store, Filter(text="event 1", levels=frozenset({"ERROR"})))
    (path,) = tmp_path.glob("*.index")
    whole = path.read_bytes()
    assert len(whole) > 1_000
    changes = {
        "removed": [b""],
        "cut": [whole[:size] for size in range(1, len(whole), 97)],
        "flipped": [whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :] for at in range(0, len(whole), 53)],
    }

    for changed in changes[change]:
        path.write_bytes(changed)
        async with opened(tmp_path, block_bytes=300) as store:
            assert await contents(store, Filter(text="event 1", levels=frozenset({"ERROR"}))) == expected
            await indexed(store)
            assert await contents(store, Filter(text="event 1", levels=frozenset({"ERROR"}))) == expected
        assert path.stat().st_size >= len(whole)


async def test_an_index_that_is_whole_is_used_again(tmp_path: Path) -> None:
    async with opened(tmp_path, block_bytes=300) as store:
        for request in range(20):
            await store.append(numbered(request))
        await indexed(store)
    (path,) = tmp_path.glob("*.index")
    before = path.read_bytes()

    async with opened(tmp_path, block_bytes=300) as store:
        assert store.stats()["index_lag_blocks"] == 0
        assert len(await contents(store)) == 20
    assert path.read_bytes() == before
