"""Disks that are full, read-only or broken: what can go on goes on, nothing counts as delivered that is not.

Power cuts are tests/adapters/test_offsets_crash.py's and test_offsets_power.py's, where every step can be stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end import receiver as endpoint
from tests.end_to_end.agent_process import write_config
from tests.end_to_end.receiver import Receiver
from tests.faults.disks import LoopDisk, SmallDisk, loop_disk, small_disk
from tests.faults.scene import ROOT, Scene, play
from tests.faults.storage_scene import begun, kept, lines, play_on, saved_again
from tests.patience import PATIENCE_SECONDS


def test_a_full_state_disk_stops_reading_and_loses_nothing(tmp_path: Path) -> None:
    """What is on its way is delivered, no more is read, the reason is said; with room it goes on by itself."""

    async def story(scene: Scene, disk: SmallDisk) -> None:
        await begun(scene)
        disk.fill()
        for number in range(200):
            scene.append("app.log", *lines(f"during-{number:03d}", 20))
            await asyncio.sleep(0.01)
            if "event=state_not_saved" in scene.said():
                break
        await scene.until(lambda: "event=state_not_saved" in scene.said())
        said = next(text for text in scene.said().splitlines() if "event=state_not_saved" in text)
        assert "full" in said
        await scene.turns("red")

        disk.make_room()
        await saved_again(scene)
        scene.append("app.log", *lines("after"))
        await scene.arrived()
        await scene.turns("green")

        assert await scene.stop() == 0
        assert kept(scene, "state_dir full (ENOSPC)")

    play_on(small_disk(tmp_path / "state"), Scene(tmp_path), story)


def test_a_state_disk_that_turns_read_only_stops_reading_and_loses_nothing(tmp_path: Path) -> None:
    """As ext4 does after an error of its journal. It takes a repair, and the agent goes on from what was saved."""

    async def story(scene: Scene, disk: LoopDisk) -> None:
        await begun(scene)
        disk.turn_read_only()
        scene.append("app.log", *lines("during"))
        await scene.until(lambda: "event=state_not_saved" in scene.said())
        await scene.turns("red")
        assert await scene.stop() in (0, 74)
        assert "Traceback" not in scene.said()

        disk.repair()
        await scene.start()
        scene.append("app.log", *lines("after"))
        await scene.arrived()
        await scene.turns("green")

        assert await scene.stop() == 0
        assert kept(scene, "state_dir turns read-only (EROFS)")

    play_on(loop_disk(tmp_path / "state"), Scene(tmp_path), story)


def test_bad_blocks_under_a_log_hold_that_file_up_and_no_other(tmp_path: Path) -> None:
    """EIO on reads: said once with the file's name; other files go on, and so does this one when it can be read."""

    async def story(scene: Scene, disk: LoopDisk) -> None:
        (scene.logs / "bad").mkdir(exist_ok=True)
        scene.append("good.log", *lines("good before"))
        await scene.start()
        await scene.arrived()
        await scene.stop()
        bad = scene.append("bad/app.log", *lines("bad", 5000))
        disk.break_blocks(bad)
        await scene.start()
        await scene.until(lambda: "Input/output error" in scene.said())
        scene.append("good.log", *lines("good after"))
        await scene.arrived(*lines("good after"))

        disk.mend_blocks()
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "EIO on reads of one log")

    scene = Scene(tmp_path)
    play_on(loop_disk(scene.logs / "bad"), scene, story)


def test_killed_while_the_state_disk_is_full_it_sends_again_what_was_not_saved(tmp_path: Path) -> None:
    async def story(scene: Scene, disk: SmallDisk) -> None:
        await begun(scene)
        disk.fill()
        scene.append("app.log", *lines("during", 2000))
        await scene.until(lambda: "event=state_not_saved" in scene.said())
        await scene.stop(9)
        disk.make_room()
        await scene.start()
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "state_dir full, killed")

    play_on(small_disk(tmp_path / "state"), Scene(tmp_path), story)


def test_stopped_while_the_state_disk_is_full_it_ends_in_time_and_goes_on_later(tmp_path: Path) -> None:
    async def story(scene: Scene, disk: SmallDisk) -> None:
        await begun(scene)
        disk.fill()
        scene.append("app.log", *lines("during", 2000))
        await scene.until(lambda: "event=state_not_saved" in scene.said())

        status = await scene.stop()
        assert status in (0, 74)
        assert "Traceback" not in scene.said()

        disk.make_room()
        await scene.start()
        await scene.arrived()
        assert await scene.stop() == 0
        assert kept(scene, "state_dir full, stopped")

    play_on(small_disk(tmp_path / "state"), Scene(tmp_path), story)


def test_with_no_room_for_a_dead_letter_the_offset_does_not_pass_it(tmp_path: Path) -> None:
    """The refused line is neither dropped nor passed: with room it becomes a letter, once."""

    async def story(scene: Scene, disk: SmallDisk) -> None:
        scene.receiver.script = endpoint.refuse_content("poison")
        await begun(scene)
        disk.fill()
        scene.append("app.log", "poison")
        await scene.until(lambda: "event=state_not_saved" in scene.said())
        disk.make_room()
        await saved_again(scene)
        scene.append("app.log", *lines("after"))
        await scene.arrived(*lines("after"))

        assert await scene.stop() == 0
        texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "state/dead_letters").glob("*.ndjson")]
        letters = [json.loads(text) for text in "".join(texts).splitlines()]
        assert [letter["event"]["content"] for letter in letters] == ["poison"]
        assert kept(scene, "dead letters: disk full", declared_lost=len(letters))

    play_on(small_disk(tmp_path / "state"), Scene(tmp_path), story)


def test_a_file_that_is_deleted_while_nothing_can_be_spilled_is_held_open(tmp_path: Path) -> None:
    """Endpoint down, disk full, file deleted: its bytes stay within reach until there is room or an answer."""

    async def story(scene: Scene, disk: SmallDisk) -> None:
        await begun(scene)
        scene.receiver.script = endpoint.always(503)
        log = scene.append("app.log", *lines("unread", 20_000))
        await scene.until(lambda: str(scene.receiver.seen[-1][-1]["content"]).startswith("unread"))
        disk.fill()
        log.unlink()
        scene.append("app.log", *lines("new"))
        await scene.until(lambda: "event=file_drain" in scene.said() or "event=file_renamed" in scene.said())
        scene.receiver.script = endpoint.accept
        disk.make_room()
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "deleted while the endpoint is down and the spill's disk is full")

    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB"}
    play_on(small_disk(tmp_path / "state"), scene, story)


def test_a_log_on_a_full_disk_is_delivered_up_to_its_last_byte(tmp_path: Path) -> None:
    """What the program could not write is not in the file: everything that is, arrives."""

    async def story(scene: Scene, disk: SmallDisk) -> None:
        scene.append("app.log", *lines("before"))
        await scene.start()
        disk.fill()
        with (scene.logs / "app.log").open("ab", buffering=0) as file:
            try:
                for number in range(10_000):
                    file.write(f"during {number:05d}\n".encode())
            except OSError:
                pass
        disk.make_room()
        whole = (scene.logs / "app.log").read_text(encoding="utf-8").split("\n")
        scene.append("app.log", "" if not whole[-1] else " the rest", "after")
        scene.written = [text for text in (scene.logs / "app.log").read_text(encoding="utf-8").split("\n") if text]
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "disk of the logs full")

    scene = Scene(tmp_path)
    play_on(small_disk(scene.logs), scene, story)


def test_a_state_directory_that_is_removed_under_the_agent_ends_in_no_loss(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("before"))
        process = await scene.start()
        await scene.arrived()
        await asyncio.to_thread(shutil.rmtree, tmp_path / "state")
        scene.append("app.log", *lines("during"))
        await scene.until(lambda: process.poll() is not None or set(scene.written) <= scene.receiver.distinct)
        if process.poll() is None:
            await scene.stop()
        scene.process = None
        await scene.start()
        scene.append("app.log", *lines("after"))
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "state_dir removed")

    play(Scene(tmp_path), story)


def test_an_older_copy_of_the_state_sends_again_and_skips_nothing(tmp_path: Path) -> None:
    """A backup that was put back: what was acknowledged since is sent twice."""

    async def story(scene: Scene) -> None:
        await begun(scene)
        assert await scene.stop() == 0
        await asyncio.to_thread(shutil.copytree, tmp_path / "state", tmp_path / "older")
        await scene.start()
        scene.append("app.log", *lines("between"))
        await scene.arrived()
        assert await scene.stop() == 0
        await asyncio.to_thread(shutil.rmtree, tmp_path / "state")
        await asyncio.to_thread(shutil.copytree, tmp_path / "older", tmp_path / "state")
        await scene.start()
        scene.append("app.log", *lines("after"))
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "state replaced by an older copy")

    play(Scene(tmp_path), story)


@pytest.mark.parametrize("spoil", ["no_permission", "a_file_stands_there", "read_only"])
def test_a_state_directory_that_cannot_be_used_ends_with_74_and_the_mend(tmp_path: Path, spoil: str) -> None:
    state = tmp_path / "state"
    config = write_config(tmp_path, Receiver(1).url, [{"name": "app", "paths": [f"{tmp_path}/*.log"], "format": "raw"}])
    with contextlib.ExitStack() as stack:
        if spoil == "a_file_stands_there":
            state.write_text("")
        elif spoil == "read_only":
            stack.enter_context(small_disk(state, options="ro"))
        else:
            state.mkdir()
            if subprocess.run(["chattr", "+i", str(state)], capture_output=True, check=False).returncode:
                pytest.skip("a folder in which not even root may write cannot be made here")
            stack.callback(subprocess.run, ["chattr", "-i", str(state)], check=True)

        done = subprocess.run(
            [sys.executable, "-m", "shipper", "run", "-c", str(config)],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=ROOT,
        )  # fmt: skip

    assert done.returncode == 74, done.stderr
    assert "state_dir" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
