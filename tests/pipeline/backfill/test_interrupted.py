"""A run that is killed, stopped or paused, or whose endpoint is away, goes on and every line arrives once."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from shipper.pipeline.backfill import deals
from shipper.pipeline.backfill.coordinator import Coordinator
from tests.end_to_end.receiver import accept, hang
from tests.pipeline.backfill.scene import Scene, log, with_scene


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(deals, "ORDERED_BYTES", 200_000)

    async def act(scene: Scene) -> None:
        text, packed = log(9000), log(3000, begin=50_000)
        paths = [scene.write("app.log.1", text), scene.write("app.log.2.gz", packed)]
        victims: list[int] = []

        async def murder(coordinator: Coordinator) -> None:
            await scene.receiver.wait_for(lambda: len(scene.receiver.acked) > 3000)
            process = coordinator.crew.hands[0].process
            victims.append(process.pid)
            process.kill()

        murders: list[asyncio.Task[None]] = []
        outcome = await scene.run(
            *paths, workers=workers, events_per_second=10_000,
            during=lambda coordinator: murders.append(asyncio.create_task(murder(coordinator))),
        )  # fmt: skip

        await murders[0]
        assert victims
        assert [fields["status"] for event, fields in scene.watching.said if event == "worker_died"] == [-9]
        assert not scene.missing(text, packed)
        assert outcome.delivered
        assert outcome.totals.acked == 12_000
        # What was on its way, or acknowledged and not reported yet: some requests of 128 KiB.
        assert scene.surplus(text, packed).total() < 8000
        assert (await scene.run(*paths)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


def test_a_stopped_run_goes_on_where_it_was_from_a_restart_point_in_a_gzip_file(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(18_000, width=1000)  # 19 MB: restart points are 8 MiB apart
        path = scene.write("app.log.2.gz", text)

        async def stop(coordinator: Coordinator) -> None:
            await scene.receiver.wait_for(lambda: len(scene.receiver.acked) > 13_000)
            coordinator.stop()

        stops: list[asyncio.Task[None]] = []
        first = await scene.run(
            path, events_per_second=9000,
            during=lambda coordinator: stops.append(asyncio.create_task(stop(coordinator))),
        )  # fmt: skip
        assert first.stopped
        assert not first.delivered
        assert 13_000 < first.totals.acked < 18_000
        points = await scene.points(path)

        second = await scene.run(path)

        assert second.delivered
        assert first.totals.acked + second.totals.acked == 18_000
        assert not scene.missing(text)
        assert not scene.surplus(text)
        assert points[0].plain > 8 << 20
        assert not await scene.points(path)  # done: they are of no more use

    asyncio.run(with_scene(tmp_path, act))


def test_with_a_dead_endpoint_it_gives_up_in_time_and_later_sends_all(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(3000)
        path = scene.write("app.log.1", text)
        await scene.receiver.stop()

        outcome = await scene.run(path, give_up_seconds=0.4)

        assert outcome.gave_up
        assert not outcome.delivered
        assert outcome.totals.balanced
        assert outcome.totals.pending == outcome.totals.read > 0
        await scene.receiver.start()
        assert (await scene.run(path, give_up_seconds=20.0)).totals.acked == 3000
        assert not scene.missing(text)

    asyncio.run(with_scene(tmp_path, act))


def test_an_endpoint_that_hangs_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(3000)
        path = scene.write("app.log.1.xz", text)
        scene.receiver.script = hang

        async def heal() -> None:
            await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
            await scene.receiver.stop()
            scene.receiver.script = accept
            await scene.receiver.start()

        healing = asyncio.create_task(heal())
        outcome = await scene.run(path)

        await healing
        assert outcome.delivered
        assert not scene.missing(text)

    asyncio.run(with_scene(tmp_path, act))


def test_pause_lets_what_is_under_way_arrive_and_resume_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[int] = []
    kill = os.kill

    def stop_instead(pid: int, number: int) -> None:
        if pid == os.getpid() and number == signal.SIGSTOP:
            stopped.append(number)
        else:
            kill(pid, number)

    monkeypatch.setattr("shipper.pipeline.backfill.coordinator.os.kill", stop_instead)

    async def act(scene: Scene) -> None:
        text = log(12_000)
        path = scene.write("app.log.1", text)

        async def pause() -> None:
            await scene.receiver.wait_for(lambda: len(scene.receiver.acked) > 2000)
            kill(os.getpid(), signal.SIGTSTP)

        pausing = asyncio.create_task(pause())
        outcome = await scene.run(path, events_per_second=20_000)

        await pausing
        assert stopped == [signal.SIGSTOP]
        assert outcome.delivered
        assert not scene.missing(text)
        assert not scene.surplus(text)
        paused = [figures for figures in scene.watching.ticks if figures.waiting == "paused"]
        assert paused
        assert paused[0].acked < 12_000

    asyncio.run(with_scene(tmp_path, act))
