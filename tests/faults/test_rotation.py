"""Rotation as programs and operators do it, under a running agent: one agent sees all of it, each in a directory.

Those that tests/end_to_end/test_rotation.py and test_lineage.py play are not played again; a storm of ten minutes is
tests/benchmarks/rotation_storm.py's.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.end_to_end import receiver as endpoint
from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play

STORM_ROTATIONS = 100
STORM_SECONDS = 0.01
TRIES_FOR_AN_INODE = 200


def lines(name: str, count: int = 50) -> list[str]:
    return [f"{name} {number:04d} {'x' * 40}" for number in range(count)]


class Log:
    """One directory of the scene, and what was written there."""

    def __init__(self, scene: Scene, case: str) -> None:
        self.scene = scene
        self.case = case
        self.folder = scene.logs / case
        self.folder.mkdir()
        self.path = self.folder / "app.log"
        self.written: list[str] = []

    def append(self, what: str, path: Path | None = None, count: int = 50) -> None:
        texts = lines(f"{self.case}: {what}", count)
        with (path or self.path).open("a", encoding="utf-8") as file:
            file.writelines(text + "\n" for text in texts)
        self.written += texts

    async def arrived(self) -> None:
        await self.scene.arrived(*self.written)


async def created_late(log: Log) -> None:
    """The new file comes only when the program has something to say."""
    log.path.rename(log.folder / "app.log.1")
    log.append("into the old one", log.folder / "app.log.1")
    await log.arrived()
    log.append("into the new one")


async def copied_with_lag(log: Log) -> None:
    """Lines that were written after the copy, and read before the truncation, are in no copy and not lost."""
    log.append("before the copy")
    shutil.copy(log.path, log.folder / "app.log.1")
    log.append("after the copy")
    await log.arrived()
    os.truncate(log.path, 0)
    log.append("after the truncation")


async def same_inode_again(log: Log) -> None:
    inode = log.path.stat().st_ino
    for _ in range(TRIES_FOR_AN_INODE):
        log.path.unlink()
        log.path.touch()
        if log.path.stat().st_ino == inode:
            break
    log.append("in a new file")


async def hard_link(log: Log) -> None:
    """One file under two names that both match is one file; without its first name it is still there."""
    os.link(log.path, log.folder / "other.log")
    log.append("under two names")
    await log.arrived()
    log.path.unlink()
    log.append("under the other name", log.folder / "other.log")


async def out_and_back(log: Log) -> None:
    out = log.path.rename(log.folder / "aside.txt")
    log.append("while it was out of the pattern", out)
    await log.arrived()
    out.rename(log.path)
    log.append("back again")


async def directory_renamed(log: Log) -> None:
    elsewhere = log.folder.rename(log.folder.with_name("renamed directory"))
    log.append("in the directory of another name", elsewhere / "app.log")


async def opened_with_truncation(log: Log) -> None:
    """`> app.log` by a program that starts again: what was read by then is not lost."""
    for number in range(3):
        with log.path.open("w", encoding="utf-8"):
            pass
        log.append(f"life {number}")
        await log.arrived()


async def hole_after_truncation(log: Log) -> None:
    """A writer without O_APPEND goes on where it was: zeros up to there, then its lines."""
    with log.path.open("r+b", buffering=0) as writer:
        writer.seek(0, os.SEEK_END)
        shutil.copy(log.path, log.folder / "app.log.1")
        os.truncate(log.path, 0)
        texts = lines(f"{log.case}: behind the hole")
        writer.write("".join(text + "\n" for text in texts).encode())
    log.written += texts


async def storm_with_all_kept(log: Log) -> None:
    """A hundred rotations in a second, each file kept: none may be left out."""
    for number in range(STORM_ROTATIONS):
        log.append(f"rotation {number}", count=20)
        for older in range(number, 0, -1):
            (log.folder / f"app.log.{older}").rename(log.folder / f"app.log.{older + 1}")
        log.path.rename(log.folder / "app.log.1")
        await asyncio.sleep(STORM_SECONDS)
    log.append("the last")


CASES: dict[str, Callable[[Log], Awaitable[None]]] = {
    "the new file is created late": created_late,
    "copy-truncate with a lag": copied_with_lag,
    "deleted, the same inode again": same_inode_again,
    "hard link": hard_link,
    "out of the pattern and back": out_and_back,
    "directory renamed": directory_renamed,
    "O_TRUNC by the program": opened_with_truncation,
    "a hole after copy-truncate": hole_after_truncation,
    "100 rotations a second, all kept": storm_with_all_kept,
}


def test_every_way_of_rotating_loses_nothing(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        logs = {name: Log(scene, name.replace(" ", "-").replace(",", "")) for name in CASES}
        for log in logs.values():
            log.append("first")
        await scene.start()
        for log in logs.values():
            await log.arrived()
        for name, rotate in CASES.items():
            await rotate(logs[name])
            await logs[name].arrived()
        for name, log in logs.items():
            arrived = [text for text in scene.receiver.contents() if text.startswith(log.case)]
            found = outcome(f"rotation: {name}", log.written, arrived)
            assert found.kept, name
            assert not found.duplicated, name
        assert "event=bytes_lost" not in scene.said()
        assert await scene.stop() == 0

    play(Scene(tmp_path), story)


@pytest.mark.parametrize("kept", [4, 30])
def test_a_chain_that_is_renamed_faster_than_it_is_looked_at_is_read_while_the_endpoint_is_down(
    tmp_path: Path, kept: int
) -> None:
    """All of the chain waits for its oldest, under names that change every few milliseconds, and some is deleted."""

    async def story(scene: Scene) -> None:
        log = Log(scene, "chain")
        log.append("first")
        await scene.start()
        await log.arrived()
        scene.receiver.script = endpoint.always(503)
        for number in range(60):
            log.append(f"rotation {number}", count=40)
            chain = [log.path, *(log.folder / f"app.log.{older}" for older in range(1, kept + 1))]
            chain[-1].unlink(missing_ok=True)
            for newer, older in reversed(list(itertools.pairwise(chain))):
                if newer.exists():
                    newer.rename(older)
            if number % (kept // 2) == 1:  # a look at all of it: what comes and goes between two nobody can see
                sign = log.folder / f"sign-{number}.log"
                log.append(f"sign {number}", sign, count=1)
                await scene.until(lambda sign=sign: f"event=file_start file={sign} " in scene.said())  # type: ignore[misc]
        scene.receiver.script = endpoint.accept
        await log.arrived()
        assert outcome(f"rotation: chain of {kept}, endpoint down", log.written, scene.receiver.contents()).kept
        assert await scene.stop() == 0

    play(Scene(tmp_path), story)
