"""When bytes are spilled and when their descriptor goes: endpoint, disk, crash, a store that was replaced."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from random import Random

from shipper.adapters.spill import Origin, Segment, Spill
from tests.end_to_end import receiver as faults
from tests.pipeline.agent_scene import Scene, play

LINES = [f"line {number:05d} {'x' * 80}" for number in range(20_000)]


def stalled(tmp_path: Path, **limits: str) -> Scene:
    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB", **limits}
    scene.endpoint = {"concurrency": 1}  # where order is compared
    scene.receiver.script = faults.always(503)
    return scene


def segments(scene: Scene) -> list[Path]:
    return sorted((scene.folder / "state" / "spill").glob("*.spill"))


def said(scene: Scene, event: str) -> list[str]:
    return [line for line in scene.said if line.startswith(f"event={event} ")]


def held_deleted(scene: Scene) -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith(str(scene.logs)) and target.endswith("(deleted)"):
            found.append(target)
    return found


async def delete_while_stalled(scene: Scene) -> None:
    log = scene.append("app.log", *LINES)
    await scene.start()
    await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
    log.unlink()
    await scene.receiver.wait_for(lambda: bool(segments(scene)))


def test_while_the_endpoint_answers_a_deleted_file_is_read_from_its_descriptor(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES[:1000])
        await scene.start()
        await scene.arrived(1)
        log.unlink()

        assert await scene.arrived(1000) == LINES[:1000]
        assert not (scene.folder / "state" / "spill").exists()

    play(Scene(tmp_path), story)


def test_a_deleted_file_that_is_still_written_keeps_its_descriptor_until_it_is_quiet(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.logs / "app.log"
        with log.open("w", encoding="utf-8") as writer:
            writer.writelines(line + "\n" for line in LINES[:10_000])
            writer.flush()
            agent = await scene.start()
            await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
            log.unlink()
            await scene.receiver.wait_for(lambda: bool(segments(scene)))
            for at in range(10_000, 20_000, 1000):
                writer.writelines(line + "\n" for line in LINES[at : at + 1000])
                writer.flush()
                await agent.scanned(1)
        await scene.receiver.wait_for(lambda: bool(said(scene, "file_spilled")))
        scene.receiver.script = faults.accept

        assert await scene.arrived(20_000) == LINES

    play(stalled(tmp_path), story)


def test_when_the_disk_is_nearly_full_the_descriptor_goes_at_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        agent = await scene.start()
        agent.parts.spilling.share_free = lambda _: 0.01
        agent.parts.spilling.stalled = lambda: False
        log = scene.append("app.log", *LINES)
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        log.unlink()
        await agent.scanned(2)

        assert held_deleted(scene) == []
        scene.receiver.script = faults.accept
        assert await scene.arrived(20_000) == LINES

    play(stalled(tmp_path), story)


def test_a_full_disk_keeps_the_descriptor_and_is_tried_again(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        blocked = scene.folder / "state" / "spill"
        blocked.parent.mkdir()
        blocked.write_text("a file where the directory should be", encoding="utf-8")
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        log.unlink()
        await scene.receiver.wait_for(lambda: bool(said(scene, "spill_failed")))
        await agent.scanned(5)
        assert len(held_deleted(scene)) == len(said(scene, "spill_failed")) == 1

        blocked.unlink()
        await scene.receiver.wait_for(lambda: bool(said(scene, "file_spilled")))

        assert held_deleted(scene) == []
        scene.receiver.script = faults.accept
        assert await scene.arrived(20_000) == LINES

    play(stalled(tmp_path), story)


def test_what_made_room_is_counted_also_where_a_later_write_fails(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        spill, written, gone = agent.parts.spilling.spill, list[int](), list[Segment]()
        write = spill.write

        def makes_room_and_then_fails(origin: Origin, start: int, data: bytes) -> list[Segment]:
            if gone:
                raise OSError(errno.ENOSPC, "No space left on device")
            dropped = write(origin, start, data)
            written.append(start)
            if len(written) == 10:
                gone.append(spill._segments[origin.key][-1])
                spill._remove(gone[0])
            return [*dropped, *gone]

        spill.write = makes_room_and_then_fails  # type: ignore[method-assign]
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        log.unlink()
        await scene.receiver.wait_for(lambda: bool(said(scene, "spill_failed")))

        assert agent.totals().lost_bytes == gone[0].end - gone[0].start
        assert len(said(scene, "bytes_lost")) == 1

    play(stalled(tmp_path, spill="1MiB"), story)


def test_bytes_of_a_file_that_nobody_follows_any_more_do_not_make_room_in_silence(tmp_path: Path) -> None:
    """Its source was taken out of the configuration, and may come back."""
    scene = stalled(tmp_path, spill="512KiB")
    state = scene.folder / "state"
    state.mkdir(mode=0o700)
    other = Origin(
        file_id=900, generation=0, lineage=900, source="gone", path=b"/log/gone.log", device=1, inode=1, mtime_ns=0
    )
    Spill(state, 512 << 10).write(other, 0, b"one\ntwo\n")
    os.utime(segments(scene)[0], ns=(1, 1))
    random = Random(7)  # text that cannot be packed much

    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *[random.randbytes(100).hex() for _ in range(10_000)])
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        log.unlink()
        await scene.receiver.wait_for(lambda: len(said(scene, "bytes_lost")) > 1)

        (first, *_) = said(scene, "bytes_lost")
        assert "id=900.0" in first
        assert "unread_bytes=8" in first
        assert agent.totals().dropped_bytes["spill_full"] == agent.totals().lost_bytes > 8

    play(scene, story)


def test_with_no_room_for_a_spill_the_descriptor_is_kept(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        log.unlink()
        await agent.scanned(6)
        assert len(held_deleted(scene)) == 1

        scene.receiver.script = faults.accept

        assert await scene.arrived(20_000) == LINES

    play(stalled(tmp_path, spill="0"), story)


def test_what_is_in_the_spill_without_a_row_is_read_all_the_same(tmp_path: Path) -> None:
    """The offset store was set aside; rows that were made since its good copy are not there any more."""

    async def story(scene: Scene) -> None:
        await delete_while_stalled(scene)
        await scene.receiver.wait_for(lambda: bool(said(scene, "file_spilled")))
        await scene.stop(0)
        for name in ("offsets.db", "offsets.db-wal", "offsets.db-shm", "offsets.db.good"):
            (scene.folder / "state" / name).unlink(missing_ok=True)
        scene.receiver.script = faults.accept
        await scene.start()

        assert sorted(set(await scene.arrived(20_000))) == LINES
        assert len(said(scene, "spill_found")) == 1

    play(stalled(tmp_path), story)


def test_a_crash_between_the_copy_and_the_row_loses_nothing(tmp_path: Path) -> None:
    """The segments are there, the row says nothing of them yet."""

    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES)
        await scene.start()
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        log.unlink()
        await scene.receiver.wait_for(lambda: bool(said(scene, "file_drain")))
        kept = scene.folder / "before"
        shutil.copytree(scene.folder / "state", kept, ignore=shutil.ignore_patterns("*.sock", "spill"))
        await scene.receiver.wait_for(lambda: bool(said(scene, "file_spilled")))
        await scene.stop(0)
        shutil.move(scene.folder / "state" / "spill", kept / "spill")
        shutil.rmtree(scene.folder / "state")
        kept.rename(scene.folder / "state")
        scene.receiver.script = faults.accept
        await scene.start()

        assert sorted(set(await scene.arrived(20_000))) == LINES

    play(stalled(tmp_path), story)


def test_what_the_operator_forgets_goes_from_the_spill_too(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await delete_while_stalled(scene)
        await scene.receiver.wait_for(lambda: bool(said(scene, "file_spilled")))
        assert scene.agent is not None
        parts = scene.agent.parts

        parts.census.forget(parts.spilling.spill.keys)

        assert segments(scene) == []

    play(stalled(tmp_path), story)


def test_the_spill_of_a_file_that_was_moved_back_is_given_up(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        away = log.rename(scene.folder / "away")
        await scene.receiver.wait_for(lambda: bool(segments(scene)))
        away.rename(log)
        await agent.scanned(4)

        assert Spill(scene.folder / "state", 1 << 20).keys == []
        scene.receiver.script = faults.accept
        assert await scene.arrived(20_000) == LINES

    play(stalled(tmp_path), story)


def test_a_file_that_is_recreated_while_the_old_one_is_in_the_spill_comes_after_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await delete_while_stalled(scene)
        scene.append("app.log", "the new file")
        await scene.receiver.wait_for(lambda: bool(said(scene, "file_spilled")))
        scene.receiver.script = faults.accept

        assert await scene.arrived(20_001) == [*LINES, "the new file"]

    play(stalled(tmp_path), story)
