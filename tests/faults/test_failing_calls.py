"""A disk, a quota, a kernel that answers with an error while the agent runs, and then no longer.

What can go on goes on, nothing counts as saved that is not, the reason is said, and it goes on by itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end import receiver as endpoint
from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play
from tests.faults.syscalls import failing

WRITES = ("pwrite64", "write")
SYNCS = ("fsync", "fdatasync")
READS = ("pread64", "preadv2")
STATE_FAULTS: dict[str, tuple[tuple[str, ...], str]] = {
    "EDQUOT on writes of the state": (WRITES, "EDQUOT"),
    "EIO on writes of the state": (WRITES, "EIO"),
    "EROFS on writes of the state": (WRITES, "EROFS"),
    "EIO on fsync of the state": (SYNCS, "EIO"),
}


def lines(name: str, count: int = 200) -> list[str]:
    return [f"{name} {number:05d} {'x' * 80}" for number in range(count)]


def kept(scene: Scene, fault: str, *, declared_lost: int = 0, twice: bool = False) -> bool:
    found = outcome(fault, scene.written, scene.receiver.contents(), declared_lost=declared_lost)
    return found.kept and (twice or not found.duplicated)


def database(scene: Scene) -> list[Path]:
    return [scene.folder / "state" / name for name in ("offsets.db", "offsets.db-wal")]


def synced_without_a_write(calls: list[tuple[str, bool]]) -> int:
    """Return how often a sync that has failed was only tried again: what it lost is not written by the next one."""
    blind, dirty = 0, True
    for name, failed in calls:
        if name in SYNCS:
            blind += not dirty
            dirty = not failed
        else:
            dirty = True
    return blind


@pytest.mark.parametrize("fault", STATE_FAULTS)
def test_a_state_that_cannot_be_written_stops_reading_and_goes_on_by_itself(tmp_path: Path, fault: str) -> None:
    calls, error = STATE_FAULTS[fault]

    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("before"))
        await scene.start()
        await scene.arrived()
        async with failing(scene, calls, error, *database(scene), seen=("pwrite64",)) as trace:
            scene.append("app.log", *lines("during"))
            await scene.until(lambda: "event=state_not_saved" in scene.said())
            await scene.turns("red", "state_not_saved")
            meanwhile = lines("not read meanwhile")
            scene.append("app.log", *meanwhile)
            tried = trace.count
            await scene.until(lambda: trace.count > tried + 1)
            assert not scene.receiver.distinct & set(meanwhile)
            assert synced_without_a_write(trace.calls) == 0
        await scene.until(lambda: "event=state_saved_again" in scene.said())
        scene.append("app.log", *lines("after"))
        await scene.arrived()
        await scene.turns("green")

        assert await scene.stop() == 0
        assert "Traceback" not in scene.said()
        assert kept(scene, fault)

    play(Scene(tmp_path), story)


def test_killed_while_no_fsync_succeeds_it_sends_again_what_was_not_saved(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("before"))
        await scene.start()
        await scene.arrived()
        async with failing(scene, SYNCS, "EIO"):
            scene.append("app.log", *lines("during"))
            await scene.until(lambda: "event=state_not_saved" in scene.said())
            await scene.stop(9)
        await scene.start()
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "EIO on fsync, killed", twice=True)

    play(Scene(tmp_path), story)


def test_where_no_fsync_succeeds_no_dead_letter_is_passed_and_none_is_written_twice(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.receiver.script = endpoint.refuse_content("poison")
        scene.append("app.log", *lines("before"))
        await scene.start()
        await scene.arrived()
        async with failing(scene, SYNCS, "EIO"):
            scene.append("app.log", "poison")
            await scene.until(lambda: "event=state_not_saved" in scene.said())
        await scene.until(lambda: "event=state_saved_again" in scene.said())
        scene.append("app.log", *lines("after"))
        await scene.arrived(*lines("after"))

        assert await scene.stop() == 0
        texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "state/dead_letters").glob("*.ndjson")]
        letters = [json.loads(text) for text in "".join(texts).splitlines()]
        assert [letter["event"]["content"] for letter in letters] == ["poison"]
        assert kept(scene, "EIO on fsync of the dead letters", declared_lost=len(letters))

    play(Scene(tmp_path), story)


@pytest.mark.parametrize("error", ["EIO", "EDQUOT"])
def test_a_deleted_file_that_cannot_be_spilled_is_held_open_until_it_can(tmp_path: Path, error: str) -> None:
    """Endpoint down, file deleted, and the disk of the spill takes nothing."""

    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("before"))
        await scene.start()
        await scene.arrived()
        scene.receiver.script = endpoint.always(503)
        log = scene.append("app.log", *lines("unread", 10_000))
        await scene.until(lambda: len(scene.receiver.seen) > 3)
        async with failing(scene, SYNCS if error == "EIO" else ("mkdir", "fsync"), error):
            log.unlink()
            await scene.until(lambda: "event=spill_failed" in scene.said())
        scene.receiver.script = endpoint.accept
        await scene.arrived(seconds=60)

        assert await scene.stop() == 0
        assert "event=bytes_lost" not in scene.said()
        assert kept(scene, f"{error} on writes of the spill, a file deleted")

    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB"}
    play(scene, story)


def test_a_log_that_cannot_be_read_for_a_while_holds_up_no_other(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        bad = scene.append("bad.log", *lines("bad before"))
        scene.append("good.log", *lines("good before"))
        await scene.start()
        await scene.arrived()
        async with failing(scene, READS, "EIO", bad) as trace:
            scene.append("bad.log", *lines("bad during"))
            scene.append("good.log", *lines("good during"))
            await scene.arrived(*lines("good during"))
            await scene.until(lambda: "event=file_unreadable" in scene.said())
            await scene.until(lambda: trace.count > 20)
        await scene.arrived()
        await scene.turns("green")

        assert await scene.stop() == 0
        assert "event=bytes_lost" not in scene.said()
        assert kept(scene, "EIO on reads of a log that is open")

    play(Scene(tmp_path), story)


@pytest.mark.parametrize("error", ["EIO", "EMFILE"])
def test_a_directory_that_cannot_be_listed_for_a_while_says_nothing_of_its_files(tmp_path: Path, error: str) -> None:
    async def story(scene: Scene) -> None:
        (scene.logs / "dark").mkdir()
        scene.limits["open_files"] = 16
        for number in range(20):
            scene.append(f"dark/{number:02d}.log", *lines(f"dark {number:02d} before", 3))
        await scene.start()
        await scene.arrived()
        scene.receiver.script = endpoint.always(503)
        for number in range(20):
            scene.append(f"dark/{number:02d}.log", *lines(f"dark {number:02d} unread", 50))
        async with failing(scene, ("openat",) if error != "EIO" else ("getdents64",), error, scene.logs / "dark") as t:
            scene.append("good.log", *lines("good"))
            await scene.until(lambda: t.count > 20)
            await scene.turns("yellow", "files_hidden")
        scene.receiver.script = endpoint.accept
        await scene.arrived()
        await scene.turns("green")

        assert await scene.stop() == 0
        assert "event=bytes_lost" not in scene.said()
        for word in ("file_drain", "file_gone", "file_spilled"):
            assert f"event={word}" not in scene.said()
        assert kept(scene, f"{error} on listing a directory")

    play(Scene(tmp_path), story)
