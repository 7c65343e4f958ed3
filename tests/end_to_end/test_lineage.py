"""Rotations that change more than a name, as a table: compressed at once, moved elsewhere, several in one sleep.

Each case × {agent up, down, endpoint stalled}. Every line arrives, once, and
in the order in which it was written.
"""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.end_to_end import receiver as faults
from tests.end_to_end.lineage_rotations import CASES, PACKERS, Case, compressed_at_once, copied_then_compressed, pack
from tests.end_to_end.lineage_scene import Scene


async def rotate_while(state: str, scene: Scene, case: Case) -> list[str]:
    log = scene.log
    async with scene:
        log.append(*(f"first life line {number}" for number in range(40)))
        await scene.start()
        await scene.arrived()
        if state == "down":
            await scene.stop()
        elif state == "stalled":
            scene.receiver.script = faults.always(503)
        log.append("unread when it happens")
        case(log)
        agent = await scene.start() if scene.agent is None else scene.agent
        await agent.scanned(3)
        scene.receiver.script = faults.accept
        await scene.arrived()
        log.append("the last line")
        await scene.arrived()
        await agent.scanned(4)  # time enough to ship something twice
        await scene.stop()
        agent = await scene.start()  # and again: what was read is known after a restart too
        await agent.scanned(3)
        assert agent.totals().lost_bytes == 0
    return scene.receiver.contents()


ALIKE = {f"compressed_at_once_{ending}" for ending in PACKERS if ending != "gz"}  # an agent that is up reads its own
TABLE = [(name, state) for name in CASES for state in ("up", "down", "stalled") if state == "down" or name not in ALIKE]


@pytest.mark.parametrize(("case", "state"), [(CASES[name], state) for name, state in TABLE], ids=map("-".join, TABLE))
def test_every_line_arrives_once_and_in_order(tmp_path: Path, case: Case, state: str) -> None:
    scene = Scene(tmp_path)

    arrived = asyncio.run(rotate_while(state, scene, case))

    assert arrived == scene.log.lines, "\n".join(scene.said)


# -- stories -----------------------------------------------------------------------------------------


def play(scene: Scene, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with scene:
            await story(scene)

    asyncio.run(run())


def test_a_compressed_file_that_is_not_whole_is_waited_for(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.log
        log.append(*(f"line {number} {os.urandom(40).hex()}" for number in range(2000)))
        await scene.start()
        await scene.arrived()
        await scene.stop()
        log.append(*(f"unread {number} {os.urandom(40).hex()}" for number in range(2000)))
        packed = gzip.compress(log.path.read_bytes())
        half = log.beside("app.log.1.gz")
        half.write_bytes(packed[: len(packed) * 3 // 4])
        log.path.unlink()
        agent = await scene.start()
        await agent.scanned(6)
        with half.open("ab") as file:
            file.write(packed[len(packed) * 3 // 4 :])
        await scene.arrived()

        assert scene.receiver.contents() == log.lines
        assert agent.totals().lost_bytes == 0

    play(Scene(tmp_path), story)


def test_a_compressed_file_is_read_on_after_a_restart_from_where_it_was_read_to(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.log
        log.append("first")
        await scene.start()
        await scene.arrived()
        await scene.stop()
        log.append(*(f"line {number:06d} {'x' * 100}" for number in range(40_000)))
        pack(log.path.rename(log.beside("app.log.1")), "zst")
        scene.receiver.script = lambda _: (204, b"") if len(scene.receiver.acked) < 10_000 else (503, b"")
        await scene.start()
        await scene.receiver.wait_for(lambda: len(scene.receiver.acked) >= 10_000)
        await scene.answers_known()
        await scene.stop(0)
        pack_name = log.beside("app.log.1.zst").rename(log.beside("app.log.2.zst"))
        taken = len(scene.receiver.acked)
        assert taken < 30_000
        scene.receiver.script = faults.accept
        await scene.start()
        await scene.arrived()

        assert pack_name.exists()
        assert scene.receiver.contents() == log.lines

    play(Scene(tmp_path), story)


def test_a_compressed_file_that_no_rotation_has_made_stays_unread_with_the_reason(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.log
        (log.beside("watched")).mkdir()
        (log.beside("watched") / "other.log.gz").write_bytes(gzip.compress(b"an old line\n"))
        log.beside("app.log.7.gz").write_bytes(gzip.compress(b"an older line\n"))
        os.utime(log.beside("app.log.7.gz"), ns=(1, 1))
        log.append("one")
        await scene.start()
        await scene.arrived()
        compressed_at_once("gz")(log)
        await scene.arrived()
        assert scene.agent is not None
        await scene.agent.scanned(4)

        assert scene.receiver.contents() == log.lines
        assert any("other.log.gz" in line and "compressed (gzip)" in line for line in scene.said)

    play(Scene(tmp_path), story)


def test_a_file_that_follows_a_rotation_of_a_sleep_is_read_whole_even_if_new_ones_are_read_from_their_end(
    tmp_path: Path,
) -> None:
    async def story(scene: Scene) -> None:
        log = scene.log
        scene.start_at = "end"
        log.path.write_text("before we came\n", encoding="utf-8")
        agent = await scene.start()
        await agent.scanned(2)
        log.append("one")
        await scene.arrived()
        await scene.stop()
        log.append("two")
        log.path.rename(log.beside("app.log.1"))
        log.append("three")
        await scene.start()
        await scene.arrived()

        assert scene.receiver.contents() == log.lines

    play(Scene(tmp_path), story)


def test_a_row_that_was_saved_before_its_first_line_was_read_knows_its_file(tmp_path: Path) -> None:
    """Killed right after the file was met: what was copied away meanwhile is found by its first bytes."""

    async def story(scene: Scene) -> None:
        log = scene.log
        scene.receiver.script = faults.always(503)
        log.append("one", "two")
        agent = await scene.start()
        await agent.scanned(2)
        await scene.stop(0)
        copied_then_compressed(log)
        scene.receiver.script = faults.accept
        await scene.start()
        await scene.arrived()

        assert scene.receiver.contents() == log.lines

    play(Scene(tmp_path), story)
