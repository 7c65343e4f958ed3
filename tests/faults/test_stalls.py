"""What hangs is mended or left behind, the rest goes on, and health says so: red with the reason, then green."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from pathlib import Path

import pytest

from tests.faults.injected import TASKS
from tests.faults.scene import Scene, play


def test_a_read_that_hangs_is_begun_again_and_no_other_file_waits_for_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("other.log", "other 0")
        scene.append("hangs.log", "hangs 0")
        await scene.start()
        await scene.arrived()
        scene.put("hang_one_read")
        scene.append("hangs.log", "hangs 1")
        await scene.until((scene.faults / "hung").exists)

        scene.append("other.log", "other 1")
        await scene.arrived("other 1")
        await scene.turns("red", "file_stalled")
        await scene.arrived("hangs 1")
        await scene.turns("green")

        assert set(scene.receiver.contents()[:2]) == {"other 0", "hangs 0"}
        assert scene.receiver.contents()[2:] == ["other 1", "hangs 1"]
        assert "event=file_stalled source=app" in scene.said()
        assert "event=file_goes_on source=app" in scene.said()
        assert await scene.stop() == 0

    play(Scene(tmp_path), story)


def test_a_file_system_that_is_dead_keeps_nobody_from_being_read_nor_the_agent_from_ending(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("hangs.log", "hangs 0")
        await scene.start()
        await scene.arrived()
        scene.put("hang_reads")
        scene.append("hangs.log", "hangs 1")
        await scene.turns("red", "file_stalled")
        scene.append("born.log", "born 0")
        await scene.arrived("born 0")

        assert await scene.stop() == 0
        scene.put("release")
        (scene.faults / "hang_reads").unlink()
        await scene.start()
        await scene.arrived()
        await scene.turns("green")
        assert sorted(scene.receiver.contents()) == ["born 0", "hangs 0", "hangs 1"]

    play(Scene(tmp_path), story)


def test_a_request_that_outlives_its_timeout_is_given_up_and_sent_again(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.put("hang_one_request")
        scene.append("app.log", "line 0")
        await scene.until((scene.faults / "hung").exists)
        await scene.arrived()
        await scene.turns("green")

        assert scene.receiver.contents() == ["line 0"]
        assert "the request hung beyond its timeout and was given up" in scene.said()
        assert await scene.stop() == 0

    play(Scene(tmp_path, timeout="500ms"), story)


def test_while_a_directory_does_not_answer_files_elsewhere_are_found_and_its_own_are_not_taken_for_gone(
    tmp_path: Path,
) -> None:
    async def story(scene: Scene) -> None:
        (scene.logs / "hangs").mkdir()
        scene.append("app.log", "line 0")
        scene.append("hangs/old.log", "old 0")
        await scene.start()
        await scene.arrived()
        scene.put("hang_scans")
        await scene.until((scene.faults / "hung").exists)
        await scene.turns("red", "scan_hangs")

        scene.append("app.log", "line 1")
        scene.append("hangs/old.log", "old 1")
        scene.append("born.log", "born 0")
        (scene.logs / "app.log").rename(scene.logs / "app.log.1")
        scene.append("app.log", "line 2")
        await scene.arrived()
        await scene.turns("red", "scan_hangs")
        scene.append("hangs/new.log", "new 0")
        (scene.faults / "hang_scans").unlink()
        await scene.arrived()
        await scene.turns("green")

        assert sorted(scene.receiver.contents()) == sorted(scene.written)
        assert scene.receiver.contents("line") == ["line 0", "line 1", "line 2"]
        assert "event=file_drain" not in scene.said()
        assert await scene.stop() == 0

    play(Scene(tmp_path), story)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_task_that_fails_ends_the_agent_and_what_was_read_is_not_lost(tmp_path: Path, task: str) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "line 0")
        process = await scene.start()
        await scene.arrived()
        scene.append("app.log", "line 1")
        scene.put(f"fail_{task}")
        await scene.until(lambda: process.poll() is not None)

        assert process.returncode == 1
        assert f"event=task_failed task={task} error=ZeroDivisionError" in scene.said()
        (scene.faults / f"fail_{task}").unlink()
        await scene.start()
        await scene.arrived()
        assert await scene.stop(signal.SIGINT) == 0

    play(Scene(tmp_path), story)


@pytest.mark.parametrize("loop", ["following", "sender", "committer", "stalls"])
def test_a_loop_that_stands_still_starves_the_watchdog(tmp_path: Path, loop: str) -> None:
    async def story(scene: Scene) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(scene.environ["NOTIFY_SOCKET"])
            manager.setblocking(False)
            await scene.start()
            await scene.until(lambda: b"WATCHDOG=1" in heard(manager))

            scene.put(f"stick_{loop}")
            await scene.until(lambda: f'reason="the loop {loop} does not go round"' in scene.said())
            heard(manager)
            await asyncio.sleep(1.5)  # what must not happen cannot be waited for

            assert b"WATCHDOG=1" not in heard(manager)
        assert await scene.stop(signal.SIGKILL) == -signal.SIGKILL

    scene = Scene(tmp_path)
    scene.environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
    play(scene, story)


def heard(manager: socket.socket) -> list[bytes]:
    """Return what was said since the last call."""
    words: list[bytes] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            words.append(manager.recv(4096))
    return words
