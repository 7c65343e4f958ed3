"""Every line of old files arrives once: whatever they are packed as, however often it is run, whoever dies."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import tarfile
from pathlib import Path

import msgspec
import pytest

from shipper.config.source_model import MultilineKeys
from shipper.pipeline.backfill import deals
from shipper.pipeline.backfill.coordinator import Coordinator
from tests.end_to_end.receiver import accept, hang, refuse_content
from tests.pipeline.backfill.scene import PACKINGS, STAMPED, Scene, contents, log, with_scene


def test_whatever_the_packing_every_line_arrives_once_and_a_second_run_sends_nothing(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        texts = [log(700, begin=n * 700) for n in range(len(PACKINGS))]
        for number, (ending, text) in enumerate(zip(PACKINGS, texts, strict=True)):
            scene.write(f"app.log.{9 - number}{ending}", text)

        outcome = await scene.run(scene.folder / "logs")

        assert not scene.missing(*texts)
        assert not scene.surplus(*texts)
        assert outcome.delivered
        assert outcome.totals.balanced
        assert outcome.totals.acked == 700 * len(PACKINGS)
        again = await scene.run(scene.folder / "logs")
        assert again.delivered
        assert again.totals.read == 0
        assert len(scene.arrived()) == 700 * len(PACKINGS)

    asyncio.run(with_scene(tmp_path, act))


def test_members_of_archives_are_sent_packed_or_not(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        texts = {
            "var/log/app.log": log(300),
            "var/log/app.log.1.gz": log(300, begin=1000),
            "b.log.xz": log(90, name="b"),
        }
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w") as archive:
            for name, text in texts.items():
                entry = tarfile.TarInfo(name)
                packed = PACKINGS[Path(name).suffix if Path(name).suffix in PACKINGS else ""](text)
                entry.size = len(packed)
                archive.addfile(entry, io.BytesIO(packed))
        path = scene.write("old.tar.gz", inner.getvalue())

        outcome = await scene.run(path)

        assert outcome.delivered
        assert not scene.missing(*texts.values())
        assert not scene.surplus(*texts.values())
        paths = {str(event["log.file.path"]) for event in scene.receiver.acked}
        assert paths == {f"{path}/{name}" for name in texts}
        assert (await scene.run(path)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


MULTILINE = msgspec.structs.replace(STAMPED, multiline=MultilineKeys(start=r"2026-"))


@pytest.mark.parametrize("ordered", [True, False])
def test_a_large_file_cut_for_two_workers_keeps_its_records_whole_and_in_order_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ordered: bool
) -> None:
    monkeypatch.setattr(deals, "ORDERED_BYTES", 40_000)
    monkeypatch.setattr(deals, "UNORDERED_BYTES", 40_000)

    async def act(scene: Scene) -> None:
        records = [line + "\n    at one\n    at two" for line in contents(log(4000))]
        path = scene.write("app.log.1", "".join(record + "\n" for record in records).encode())

        outcome = await scene.run(path, workers=2, ordered=ordered, source=MULTILINE)

        assert outcome.delivered
        assert outcome.totals.acked == 4000
        assert sorted(scene.arrived()) == records
        assert not ordered or scene.arrived() == records
        assert (await scene.run(path, workers=2, source=MULTILINE)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


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


def test_a_file_that_has_grown_been_renamed_or_packed_since_sends_only_what_is_new(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text, more = log(900), log(200, begin=900)
        path = scene.write("app.log", text)
        assert (await scene.run(path)).totals.acked == 900
        with path.open("ab") as file:
            file.write(more)
        assert (await scene.run(path)).totals.acked == 200

        renamed = path.rename(path.with_name("app.log.1"))
        assert (await scene.run(renamed)).totals.read == 0
        renamed.unlink()
        packed = scene.write("app.log.2.gz", text + more)

        assert (await scene.run(packed)).totals.read == 0
        assert not scene.surplus(text, more)
        assert not scene.missing(text, more)

    asyncio.run(with_scene(tmp_path, act))


def test_two_files_of_the_same_text_are_both_sent(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(50)
        paths = [scene.write("a.log", text), scene.write("b.log", text)]

        assert (await scene.run(*paths)).totals.acked == 100
        assert (await scene.run(*paths)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


def test_again_sends_what_was_sent_before(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        path = scene.write("a.log.gz", log(50))
        await scene.run(path)

        assert (await scene.run(path, again=True)).totals.acked == 50
        assert (await scene.run(path)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


def test_of_a_damaged_archive_what_can_be_read_is_sent_and_the_byte_is_named(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        good, bad = log(500), log(9000, begin=1000)
        paths = [scene.write("app.log.3.gz", bad), scene.write("app.log.2.gz", good)]
        whole = paths[0].read_bytes()
        paths[0].write_bytes(whole[: len(whole) // 2])

        outcome = await scene.run(*paths)

        assert not outcome.delivered
        assert f"damaged at byte {len(whole) // 2} of" in outcome.errors[str(paths[0])]
        assert not scene.missing(good)
        sent = 9000 - sum(scene.missing(bad).values())
        assert 2000 < sent < 7000
        assert outcome.totals.balanced
        paths[0].write_bytes(whole)
        mended = await scene.run(*paths)
        assert mended.delivered
        assert not scene.missing(bad, good)

    asyncio.run(with_scene(tmp_path, act))


def test_refused_events_are_dead_letters_and_the_rest_arrives(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(400)
        path = scene.write("app.log.1.gz", text)
        scene.receiver.script = refuse_content("line 0000123")

        outcome = await scene.run(path)

        assert not outcome.delivered
        assert outcome.totals.dead_lettered == {"rejected": 1}
        assert outcome.totals.acked == 399
        assert list(scene.missing(text)) == [contents(text)[123]]
        letters = list((scene.state_dir / "backfill" / "dead_letters").glob("*.ndjson"))
        assert len(letters) == 1
        assert b"line 0000123" in letters[0].read_bytes()
        scene.receiver.script = accept
        assert (await scene.run(path)).totals.read == 0

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
