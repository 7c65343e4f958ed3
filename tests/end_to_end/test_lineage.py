"""Rotations that change more than a name, as a table: compressed at once, moved elsewhere, several in one sleep.

Each case × {agent up, down, endpoint stalled}. Every line arrives, once, and
in the order in which it was written.
"""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import zstandard

from shipper.config import load
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from tests.end_to_end import receiver as faults
from tests.end_to_end.agent_process import write_config
from tests.end_to_end.receiver import Receiver
from tests.patience import PATIENCE_SECONDS

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress,
}  # fmt: skip


class Log:
    """A writer's view of one log file, and every line it ever wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []

    def append(self, *lines: str) -> None:
        self.lines += lines
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def beside(self, name: str) -> Path:
        return self.path.with_name(name)


def pack(path: Path, ending: str, into: Path | None = None) -> Path:
    """Compress *path* as the tools do: a new file with the old one's times, then the old one is removed."""
    packed = (into or path.parent) / f"{path.name}.{ending}"
    packed.parent.mkdir(exist_ok=True)
    packed.write_bytes(PACKERS[ending](path.read_bytes()))
    shutil.copystat(path, packed)
    path.unlink()
    return packed


def compressed_at_once(ending: str) -> Callable[[Log], None]:
    def case(log: Log) -> None:
        pack(log.path.rename(log.beside("app.log.1")), ending)
        log.append("first of the new file", "second of the new file")

    return case


def compressed_late_and_moved_on(log: Log) -> None:
    log.path.rename(log.beside("app.log.1"))
    log.append("second life")
    pack(log.beside("app.log.1"), "gz").rename(log.beside("app.log.2.gz"))
    log.path.rename(log.beside("app.log.1"))
    log.append("third life")


def copied_into_gzip(log: Log) -> None:
    """`gzip -c app.log > app.log.1.gz; : > app.log`."""
    log.beside("app.log.1.gz").write_bytes(gzip.compress(log.path.read_bytes()))
    os.truncate(log.path, 0)
    log.append("after truncate")


def copied_then_compressed(log: Log) -> None:
    shutil.copy(log.path, log.beside("app.log.1"))
    os.truncate(log.path, 0)
    pack(log.beside("app.log.1"), "gz")
    log.append("after truncate")


def copied_elsewhere(log: Log) -> None:
    """logrotate: copytruncate, olddir archive."""
    log.beside("archive").mkdir(exist_ok=True)
    shutil.copy(log.path, log.beside("archive") / "app.log.1")
    os.truncate(log.path, 0)
    log.append("after truncate")


def moved_elsewhere(log: Log) -> None:
    log.beside("archive").mkdir(exist_ok=True)
    log.path.rename(log.beside("archive") / "app.log-20261126")
    log.append("the new day")


def moved_elsewhere_and_compressed(log: Log) -> None:
    pack(log.path.rename(log.beside("app.log.1")), "zst", log.beside("archive"))
    log.append("the new day")


def moved_far_away(log: Log) -> None:
    """Into a directory that only `rotated_to` names, as a compressed copy: across file systems there is no rename."""
    pack(log.path.rename(log.beside("app.log-20261126")), "gz", log.path.parents[1] / "far")
    log.append("the new day")


def moved_into_a_watched_directory(log: Log) -> None:
    log.beside("watched").mkdir(exist_ok=True)
    log.path.rename(log.beside("watched") / "app.1.log")
    log.append("the new day")


def copied_into_a_watched_directory(log: Log) -> None:
    log.beside("watched").mkdir(exist_ok=True)
    shutil.copy(log.path, log.beside("watched") / "app.1.log")
    os.truncate(log.path, 0)
    log.append("the new day")


def rotate(log: Log, keep_plain: int, number: int) -> None:
    """Do as logrotate with delaycompress: shift the numbers, compress those from *keep_plain* on."""
    for at in range(number, 0, -1):
        for ending in ("", ".gz", ".xz"):
            old = log.beside(f"app.log.{at}{ending}")
            if old.exists():
                moved = old.rename(log.beside(f"app.log.{at + 1}{ending}"))
                if not ending and at + 1 > keep_plain:
                    pack(moved, "gz" if at % 2 else "xz")
    log.path.rename(log.beside("app.log.1"))


def several_rotations(log: Log) -> None:
    for number in range(1, 6):
        rotate(log, 2, number)
        log.append(*(f"life {number} line {line}" for line in range(5)))


def several_rotations_all_compressed(log: Log) -> None:
    for number in range(1, 4):
        rotate(log, 0, number)
        pack(log.beside("app.log.1"), "gz")
        log.append(*(f"life {number} line {line}" for line in range(5)))


Case = Callable[[Log], None]

CASES: dict[str, Case] = {f"compressed_at_once_{ending}": compressed_at_once(ending) for ending in PACKERS}
CASES |= {
    case.__name__: case
    for case in (
        compressed_late_and_moved_on, copied_into_gzip, copied_then_compressed, copied_elsewhere, moved_elsewhere,
        moved_elsewhere_and_compressed, moved_far_away, moved_into_a_watched_directory,
        copied_into_a_watched_directory, several_rotations, several_rotations_all_compressed,
    )
}  # fmt: skip


class Scene:
    """A receiver, one log and an agent that can be started and stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "logs").mkdir()
        self.log = Log(folder / "logs" / "app.log")
        self.receiver = Receiver()
        self.agent: Agent | None = None
        self.said: list[str] = []
        self.start_at = "beginning"
        self._before = 0
        """Acknowledged when the agent was started."""

    async def __aenter__(self) -> Scene:
        await self.receiver.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop(0)
        await self.receiver.stop()

    async def start(self) -> Agent:
        logs = self.folder / "logs"
        source: dict[str, object] = {
            "name": "app", "paths": [f"{logs}/*.log", f"{logs}/watched/*"], "format": "raw",
            "rotated_to": [str(self.folder / "far")], "start_at": self.start_at,
        }  # fmt: skip
        config = write_config(self.folder, self.receiver.url, [source], concurrency=1)
        self.agent = Agent(load(config, os.environ), Journal(self.said.append), watching=False)
        self._before = len(self.receiver.acked)
        await self.agent.start()
        return self.agent

    async def stop(self, drain_seconds: float = PATIENCE_SECONDS) -> None:
        agent, self.agent = self.agent, None
        if agent is not None:
            await agent.stop(drain_seconds)

    async def arrived(self) -> None:
        await self.receiver.wait_for(lambda: len(self.receiver.acked) >= len(self.log.lines))

    async def answers_known(self) -> None:
        """Wait until the agent has had the answer to everything that was acknowledged."""
        agent = self.agent
        assert agent is not None
        await self.receiver.wait_for(lambda: agent.totals().acked >= len(self.receiver.acked) - self._before)


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
