"""Rotation and identity as a table.

Each case × {agent up, down, endpoint stalled} × {small file, equal heads} × {watcher on, off}.

Every line that existed in a file at a scan arrives, once, and in order.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.config import load
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from tests.end_to_end import receiver as faults
from tests.end_to_end.agent_process import write_config
from tests.end_to_end.receiver import Receiver
from tests.patience import PATIENCE_SECONDS

LONG_HEAD = [f"# banner line {number} " + "=" * 60 for number in range(20)]


class Log:
    """A writer's view of one log file, and every line it ever wrote."""

    def __init__(self, path: Path, head: list[str]) -> None:
        self.path = path
        self.lines: list[str] = []
        self.append(*head)

    def append(self, *lines: str) -> None:
        self.lines += lines
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def number(self, n: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{n}")


def rename_and_create(log: Log) -> None:
    log.path.rename(log.number(1))
    log.append("after rename 1", "after rename 2")


def rename_with_late_writer(log: Log) -> None:
    """The writer still holds the old file and writes its last lines there."""
    with log.path.open("a", encoding="utf-8") as old:
        log.path.rename(log.number(1))
        log.lines.append("into the old file")
        old.write("into the old file\n")
    log.append("into the new file")


def rename_chain(log: Log) -> None:
    log.path.rename(log.number(1))
    log.append("second life")
    log.number(1).rename(log.number(2))
    log.path.rename(log.number(1))
    log.append("third life")


def copy_truncate(log: Log) -> None:
    log.append("last before the copy")
    shutil.copy(log.path, log.number(1))
    os.truncate(log.path, 0)
    log.append("after truncate")


def copy_truncate_and_refill(log: Log) -> None:
    """The new text reaches beyond the old offset before anyone looks."""
    shutil.copy(log.path, log.number(1))
    os.truncate(log.path, 0)
    log.append(*(f"refill {number} {'z' * 80}" for number in range(60)))


def delete_and_recreate(log: Log) -> None:
    """Often with the same inode: what was not read by then is gone, so the case waits for it before."""
    log.path.unlink()
    log.append("a new file under the old name", "and its second line")


def dated_name(log: Log) -> None:
    log.path.rename(log.path.with_name(log.path.name + "-20261123"))
    log.append("the new day")


def symlink_flip(log: Log) -> None:
    target = log.path.with_name(f"{log.path.stem}-target-1.data")
    log.path.rename(target)
    log.path.symlink_to(target)
    with target.open("a", encoding="utf-8") as file:
        log.lines.append("through the link")
        file.write("through the link\n")
    fresh = log.path.with_name(f"{log.path.stem}-target-2.data")
    fresh.write_text("the second target\n", encoding="utf-8")
    log.lines.append("the second target")
    log.path.unlink()
    log.path.symlink_to(fresh)


CASES: dict[str, Callable[[Log], None]] = {
    case.__name__: case
    for case in (
        rename_and_create, rename_with_late_writer, rename_chain, copy_truncate, copy_truncate_and_refill,
        delete_and_recreate, dated_name, symlink_flip,
    )
}  # fmt: skip


class Scene:
    """A receiver, logs and an agent that can be started and stopped."""

    def __init__(self, folder: Path, *, watching: bool) -> None:
        self.folder = folder
        self.watching = watching
        self.receiver = Receiver()
        self.agent: Agent | None = None
        self.said: list[str] = []

    async def __aenter__(self) -> Scene:
        await self.receiver.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop(0)
        await self.receiver.stop()

    async def start(self) -> None:
        config = write_config(
            self.folder,
            self.receiver.url,
            [{"name": "app", "paths": [str(self.folder / "logs" / "*.log")], "format": "raw"}],
        )
        self.agent = Agent(load(config, os.environ), Journal(self.said.append), watching=self.watching)
        await self.agent.start()

    async def stop(self, drain_seconds: float = PATIENCE_SECONDS) -> None:
        agent, self.agent = self.agent, None
        if agent is not None:
            await agent.stop(drain_seconds)

    async def arrived(self, lines: list[str]) -> None:
        await self.receiver.wait_for(lambda: len(self.receiver.acked) >= len(lines))


async def rotate_while(
    state: str, folder: Path, logs: list[Log], case: Callable[[Log], None], *, watching: bool
) -> list[str]:
    async with Scene(folder, watching=watching) as scene:
        await scene.start()
        await scene.arrived([line for log in logs for line in log.lines])
        if state == "down":
            await scene.stop()
        elif state == "stalled":
            scene.receiver.script = faults.always(503)
        for log in logs:
            if case is not delete_and_recreate:
                log.append("unread when it happens")
            case(log)
        if state == "down":
            await scene.start()
        elif state == "stalled":
            assert scene.agent is not None
            await scene.agent.scanned(2)
            scene.receiver.script = faults.accept
        await scene.arrived([line for log in logs for line in log.lines])
        for log in logs:
            log.append("the last line")
        await scene.arrived([line for log in logs for line in log.lines])
        assert scene.agent is not None
        await scene.agent.scanned(2)  # time enough to ship something twice
        await scene.stop()
    return scene.receiver.contents()


@pytest.mark.parametrize("watching", [True, False], ids=["watching", "scanning"])
@pytest.mark.parametrize("kind", ["small", "equal_heads"])
@pytest.mark.parametrize("state", ["up", "down", "stalled"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_line_arrives_once(
    tmp_path: Path, case: Callable[[Log], None], state: str, kind: str, watching: bool
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    logs = (
        [Log(folder / "app.log", ["one"])]
        if kind == "small"
        else [Log(folder / f"{name}.log", [*LONG_HEAD, f"this is {name}"]) for name in ("app", "web")]
    )

    arrived = asyncio.run(rotate_while(state, tmp_path, logs, case, watching=watching))

    assert sorted(arrived) == sorted(line for log in logs for line in log.lines)
