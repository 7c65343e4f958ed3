"""An append returns when its events are on the disk, many by one sync; a full disk keeps nothing and recovers."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shipper.endpoint.store import Store, StoreFull
from shipper.errors import StateDamaged, StateError, StateLocked
from tests.endpoint.store.made import accepted, contents, mapper, numbered, opened, segments
from tests.patience import PATIENCE_SECONDS


class Syncs:
    """Counts syncs, holds them back, lets them fail."""

    def __init__(self) -> None:
        self.count = 0
        self.error: int | None = None
        self.may_go = threading.Event()
        self.may_go.set()

    def __call__(self, descriptor: int) -> None:
        assert self.may_go.wait(PATIENCE_SECONDS)
        self.count += 1
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        os.fsync(descriptor)


async def test_what_is_appended_during_a_commit_becomes_durable_by_one_sync(tmp_path: Path) -> None:
    syncs = Syncs()
    async with opened(tmp_path, sync=syncs) as store:
        await store.append(numbered(0))
        syncs.may_go.clear()
        first = asyncio.create_task(store.append(numbered(1)))
        await asyncio.sleep(0)
        others = [asyncio.create_task(store.append(numbered(number))) for number in range(2, 102)]
        before = syncs.count
        syncs.may_go.set()
        await asyncio.gather(first, *others)

        assert syncs.count == before + 2
        assert await contents(store) == [f"event {number}" for number in range(102)]


async def test_no_append_returns_before_its_sync(tmp_path: Path) -> None:
    syncs = Syncs()
    async with opened(tmp_path, sync=syncs) as store:
        syncs.may_go.clear()
        append = asyncio.create_task(store.append(numbered(0)))
        done, _ = await asyncio.wait([append], timeout=0.1)

        assert not done
        assert await contents(store) == []
        syncs.may_go.set()
        await append
        assert await contents(store) == ["event 0"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
async def test_a_sync_without_space_keeps_nothing_and_the_next_append_recovers(number: int, tmp_path: Path) -> None:
    syncs = Syncs()
    async with opened(tmp_path, sync=syncs) as store:
        await store.append(numbered(0))
        syncs.error = number
        for refused in range(1, 4):
            with pytest.raises(StoreFull):
                await store.append(numbered(refused))
        syncs.error = None
        await store.append(numbered(4))

        assert await contents(store) == ["event 0", "event 4"]
    async with opened(tmp_path) as store:
        assert await contents(store) == ["event 0", "event 4"]
        assert store.stats()["damaged_places"] == 0


async def test_a_sync_that_fails_for_another_reason_is_no_lack_of_space(tmp_path: Path) -> None:
    syncs = Syncs()
    async with opened(tmp_path, sync=syncs) as store:
        await store.append(numbered(0))
        syncs.error = errno.EIO
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            await store.append(numbered(1))
        syncs.error = None
        await store.append(numbered(2))

        assert await contents(store) == ["event 0", "event 2"]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the kernel refuse to write behind *size* bytes of any file, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_write_that_is_cut_short_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.append(numbered(0))
        size = segments(tmp_path)[0].stat().st_size
        with files_of_at_most(size + 60), pytest.raises(StoreFull):
            await store.append(accepted([{"content": os.urandom(400).hex(), "timestamp": 1}]))
        assert segments(tmp_path)[0].stat().st_size == size

        await store.append(numbered(2))
        assert await contents(store) == ["event 0", "event 2"]
        assert len(segments(tmp_path)) == 1


async def test_the_directory_belongs_to_one(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(StateLocked, match=f"held by process {os.getpid()}"):
            Store.open(tmp_path, mapper=mapper, now_ms=lambda: 0)
    async with opened(tmp_path) as store:
        assert await contents(store) == []


async def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / f"{1:016d}.events"
    path.write_bytes(b"shipper events 2\nwhat a later version writes")

    with pytest.raises(StateError, match="another version"):
        Store.open(tmp_path, mapper=mapper, now_ms=lambda: 0)
    assert path.read_bytes() == b"shipper events 2\nwhat a later version writes"


async def test_a_damaged_position_stops_the_start_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "forwarded").write_bytes(b"\xff\0")

    with pytest.raises(StateDamaged, match="holds no position"):
        Store.open(tmp_path, mapper=mapper, now_ms=lambda: 0)
    assert (tmp_path / "forwarded").read_bytes() == b"\xff\0"


async def test_an_append_whose_client_has_gone_is_kept_and_the_others_are_answered(tmp_path: Path) -> None:
    syncs = Syncs()
    async with opened(tmp_path, sync=syncs) as store:
        await store.append(numbered(0))
        syncs.may_go.clear()
        appends = [asyncio.create_task(store.append(numbered(number))) for number in (1, 2)]
        await asyncio.sleep(0)
        appends[0].cancel()
        syncs.may_go.set()
        await appends[1]

        assert appends[0].cancelled()
        assert await contents(store) == ["event 0", "event 1", "event 2"]


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.endpoint.store.made import contents, numbered, opened

async def client(store, start):
    for number in range(start, 1_000_000, 4):
        await store.append(numbered(number))
        print(number, flush=True)

async def main():
    async with opened(Path(sys.argv[1]), block_bytes=2_000) as store:
        kept = {int(text.split()[1]) for text in await contents(store, limit=1_000_000)}
        start = max(kept, default=-1) + 1
        await asyncio.gather(*(client(store, start + turn) for turn in range(4)))

asyncio.run(main())
"""


async def test_after_kills_all_that_was_acknowledged_is_there_once(tmp_path: Path) -> None:
    said = set[int]()
    for lines in (1, 7, 40, 200):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            said |= {int(process.stdout.readline()) for _ in range(lines)}
            process.send_signal(signal.SIGKILL)
            # The last line may be cut by the kill, and then says less than was acknowledged.
            said |= {int(line) for line in process.stdout.read().splitlines()[:-1]}

        async with opened(tmp_path) as store:
            kept = [int(text.split()[1]) for text in await contents(store, limit=1_000_000)]
            assert said <= set(kept)
            assert len(kept) == len(set(kept))
            assert store.stats()["damaged_places"] == 0
