"""Little to live on: few descriptors, little processor time, little memory. Slower, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.end_to_end import receiver as endpoint
from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play


def lines(name: str, count: int) -> list[str]:
    return [f"{name} {number:05d} {'x' * 60}" for number in range(count)]


def kept(scene: Scene, fault: str) -> bool:
    return outcome(fault, scene.written, scene.receiver.contents()).kept


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def status_mb(pid: int, field: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


@pytest.mark.parametrize("down", [False, True], ids=["endpoint_up", "endpoint_down_at_first"])
def test_with_64_descriptors_200_files_are_read_whatever_the_endpoint_does(tmp_path: Path, down: bool) -> None:
    """Also while nothing of them is acknowledged, when none could be closed as finished."""

    async def story(scene: Scene) -> None:
        scene.limits = {"open_files": 512}
        for number in range(200):
            scene.append(f"{number:03d}.log", *lines(f"{number:03d}", 3))
        if down:
            scene.receiver.script = endpoint.always(503)
        process = await scene.start()
        if down:
            await scene.until(lambda: len(scene.receiver.seen) > 2)
            scene.receiver.script = endpoint.accept
        await scene.arrived()
        for number in range(200):
            scene.append(f"{number:03d}.log", f"{number:03d} later")
        await scene.arrived()
        assert descriptors(process.pid) <= 64
        assert "Too many open files" not in scene.said()

        assert await scene.stop() == 0
        assert kept(scene, f"64 descriptors, 200 files, endpoint {'down at first' if down else 'up'}")

    play(Scene(tmp_path, "prlimit", "--nofile=64:64") if shutil.which("prlimit") else _skipped("prlimit"), story)


def _skipped(tool: str) -> Scene:
    pytest.skip(f"{tool} is not installed")


def test_nice_19_beside_busy_neighbours_it_is_slower_and_loses_nothing(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        for number in range(20):
            scene.append(f"{number % 4}.log", *lines(f"round {number:02d}", 100))
            await asyncio.sleep(0.02)
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "nice 19")

    play(Scene(tmp_path, "nice", "-n", "19"), story)


def test_stopped_for_a_while_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGSTOP, with rotations meanwhile: no event is heard, the scan finds all."""

    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("before", 200))
        process = await scene.start()
        await scene.arrived()
        process.send_signal(signal.SIGSTOP)
        for number in range(5):
            scene.append("app.log", *lines(f"during {number}", 200))
            for older in range(number, 0, -1):
                (scene.logs / f"app.log.{older}").rename(scene.logs / f"app.log.{older + 1}")
            (scene.logs / "app.log").rename(scene.logs / "app.log.1")
        scene.append("app.log", *lines("after", 200))
        process.send_signal(signal.SIGCONT)
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "SIGSTOP over five rotations")

    play(Scene(tmp_path), story)


def test_a_thousand_files_that_end_in_the_middle_of_a_line_stay_within_the_budget(tmp_path: Path) -> None:
    """What is held back of open records is memory too: 32 MB of it here, with `limits.memory` at 8 MiB."""

    async def story(scene: Scene) -> None:
        scene.limits = {"memory": "8MiB", "open_files": 64}
        scene.source["multiline"] = {"start": "^[0-9]", "timeout": "8s"}  # nothing is closed before its rest is written
        half = "y" * 32_000
        for number in range(1000):
            with (scene.logs / f"{number:04d}.log").open("w", encoding="ascii") as file:
                file.write(f"{number:04d} {half}")
        process = await scene.start()
        await asyncio.sleep(0)
        for number in range(1000):
            scene.append(f"{number:04d}.log", "end")
        scene.written = [f"{number:04d} {half}end" for number in range(1000)]
        await scene.arrived()
        peak = status_mb(process.pid, "VmHWM")

        assert await scene.stop() == 0
        assert kept(scene, "1,000 files that end in the middle of a line, 8 MiB of memory")
        assert peak < 200

    play(Scene(tmp_path), story)


def test_with_96_megabytes_a_backlog_is_delivered(tmp_path: Path) -> None:
    """In a memory control group, where one can be made: else the limit of the address space is no substitute."""
    group = Path("/sys/fs/cgroup/memory") / f"shipper-test-{os.getpid()}"
    if os.geteuid() != 0 or not (group.parent / "memory.limit_in_bytes").exists():
        pytest.skip("no memory control group can be made here")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(96 << 20))
    except OSError as error:
        pytest.skip(f"no memory control group can be made here: {error}")

    async def story(scene: Scene) -> None:
        scene.limits = {"memory": "16MiB"}
        scene.append("app.log", *lines("backlog", 200_000))
        process = await scene.start()
        (group / "cgroup.procs").write_text(str(process.pid))
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "memory control group of 96 MB")

    try:
        play(Scene(tmp_path), story)
    finally:
        group.rmdir()
