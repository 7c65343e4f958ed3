"""On a Dask cluster: the totals of one process, whatever becomes of the workers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shipper.pipeline.backfill import deals
from shipper.pipeline.backfill.dask_engine import PIECES_A_THREAD
from shipper.pipeline.backfill.keeper import Keeper
from shipper.pipeline.backfill.outcome import Outcome
from shipper.pipeline.backfill.preparation import carry_out_on_dask, now_ms, prepare
from shipper.pipeline.guard import MatchGuard
from tests.end_to_end.receiver import refuse_content
from tests.pipeline.backfill.scene import Scene, log, with_scene

distributed = pytest.importorskip("distributed")


@asynccontextmanager
async def cluster(workers: int) -> AsyncIterator[str]:
    """Give the address of a scheduler on this host with worker processes, one thread each."""
    async with distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        asynchronous=True,
        host="127.0.0.1",
    ) as running:
        yield running.scheduler_address.removeprefix("tcp://")


async def run(scene: Scene, address: str, *paths: Path | str, **options: object) -> Outcome:
    """Send *paths* by the cluster."""
    asked = scene.asked(*paths, **options)
    guard = MatchGuard()
    keeper, shipped = await Keeper.open(scene.state_dir, 1 << 20, "stop")
    try:
        prepared = prepare(asked, shipped, guard, now_ms())
        return await carry_out_on_dask(asked, prepared, keeper, guard, scene.watching, address)
    finally:
        await keeper.close()
        guard.close()


def test_files_and_pieces_are_tasks_and_the_totals_are_those_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deals, "ORDERED_BYTES", 100_000)
    texts = [log(3000), log(700, begin=9000), log(700, begin=20_000)]

    async def act(scene: Scene) -> None:
        plain = scene.write("app.log.1", texts[0])
        scene.write("app.log.2.gz", texts[1])
        other = scene.write("app.log.3.xz", texts[2])
        scene.receiver.script = refuse_content("line 0000123")
        async with cluster(2) as address:
            outcome = await run(scene, address, plain, plain.with_name("app.log.2.gz"), f"file://{other}")

            assert outcome.totals.acked == 4399
            assert outcome.totals.dead_lettered == {"rejected": 1}
            assert outcome.totals.balanced
            assert not outcome.errors
            assert [line for line in scene.arrived() if line in set(texts[0].decode().splitlines())] == [
                line for line in texts[0].decode().splitlines() if "line 0000123" not in line
            ]
            assert not scene.surplus(*texts)
            assert (await run(scene, address, plain.parent)).totals.read == 0
        letters = list((scene.state_dir / "backfill" / "dead_letters").glob("*.ndjson"))
        assert b"line 0000123" in letters[0].read_bytes()
        assert (await scene.run(plain.parent)).totals.read == 0  # one process knows what a cluster has sent

    asyncio.run(with_scene(tmp_path, act))


def test_a_dask_worker_that_is_killed_loses_nothing_and_the_totals_stay_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deals, "UNORDERED_BYTES", 100_000)
    text = log(12_000)

    async def act(scene: Scene) -> None:
        path = scene.write("app.log.1", text)
        async with cluster(2) as address:
            client = await distributed.Client(address, asynchronous=True)
            victim = next(iter((await client.run(os.getpid)).values()))
            await client.close()

            async def murder() -> None:
                await scene.receiver.wait_for(lambda: len(scene.receiver.acked) > 3000)
                os.kill(victim, signal.SIGKILL)

            murdering = asyncio.create_task(murder())
            outcome = await run(scene, address, path, ordered=False, events_per_second=8000)
            await murdering

        assert not scene.missing(text)
        assert outcome.totals.acked == 12_000
        assert outcome.delivered
        # The pieces that were out, of 100 kB each, come twice, where the victim had sent them and nobody knew yet.
        assert scene.surplus(text).total() <= 2 * PIECES_A_THREAD * 1000

    asyncio.run(with_scene(tmp_path, act))
