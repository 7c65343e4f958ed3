"""Killed at any moment, while a writer appends and rotates, the agent loses no line.

SHIPPER_KILLS sets the number of kills (50 for the full proof; CI runs fewer), SHIPPER_SEED what is drawn.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
from collections import Counter
from pathlib import Path

from tests.end_to_end.agent_process import AgentProcess, write_config
from tests.end_to_end.receiver import Receiver
from tests.seeds import drawn_seed

KILLS = int(os.environ.get("SHIPPER_KILLS", "8"))


class Writer:
    """Appends numbered lines to app.log and rotates it; no line is written between a copy and its truncation."""

    def __init__(self, log: Path, rng: random.Random) -> None:
        self.log = log
        self.written = 0
        self.rotations: Counter[str] = Counter()
        self._rng = rng

    def append(self, lines: int) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            for _ in range(lines):
                self.written += 1
                file.write(f"line-{self.written:07d} {'x' * self._rng.randrange(120)}\n")

    def rotate(self) -> None:
        """Shift app.log.N by one, then rename app.log, or copy and truncate it."""
        for number in range(sum(self.rotations.values()), 0, -1):
            self.log.with_name(f"app.log.{number}").rename(self.log.with_name(f"app.log.{number + 1}"))
        way = self._rng.choice(("rename", "copy_truncate"))
        self.rotations[way] += 1
        if way == "rename":
            self.log.rename(self.log.with_name("app.log.1"))
            self.log.touch()
        else:
            shutil.copy(self.log, self.log.with_name("app.log.1"))
            os.truncate(self.log, 0)


async def life_of_a_log(folder: Path, rng: random.Random) -> tuple[Writer, Receiver]:
    logs = folder / "logs"
    logs.mkdir()
    writer = Writer(logs / "app.log", rng)
    writer.append(10)
    async with Receiver() as receiver:
        source: dict[str, object] = {"name": "app", "paths": [str(logs / "app.log")], "format": "raw"}
        config = write_config(folder, receiver.url, [source])
        for life in range(KILLS):
            with AgentProcess(config):
                if life == 0:  # what was rotated away before anybody ever looked is not asked for
                    await receiver.wait_for(lambda: len(receiver.acked) == writer.written)
                end = asyncio.get_running_loop().time() + rng.uniform(0.3, 1.6)
                while asyncio.get_running_loop().time() < end:
                    writer.append(rng.randrange(1, 400))
                    if rng.random() < 0.04:
                        writer.rotate()
                    await asyncio.sleep(0.01)
            writer.append(rng.randrange(0, 50))
            if rng.random() < 0.3:
                writer.rotate()
        with AgentProcess(config) as agent:
            writer.append(5)
            await receiver.wait_for(lambda: len(receiver.distinct) >= writer.written)
            assert await agent.drained() == 0
        return writer, receiver


def test_no_line_is_lost_however_often_the_agent_is_killed(tmp_path: Path) -> None:
    writer, receiver = asyncio.run(life_of_a_log(tmp_path, random.Random(drawn_seed())))

    arrived = Counter(text[:12] for text in receiver.contents())
    assert set(arrived) == {f"line-{number:07d}" for number in range(1, writer.written + 1)}
    duplicates = arrived.total() - len(arrived)
    report = f"{KILLS} kills, {writer.written} lines, {dict(writer.rotations)}, {duplicates} duplicates"
    sys.stdout.write(report + "\n")
