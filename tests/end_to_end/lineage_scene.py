"""A log as its writer sees it, and an agent that follows it and can be started and stopped."""

from __future__ import annotations

import os
from pathlib import Path

from shipper.config import load
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from tests.end_to_end.agent_process import write_config
from tests.end_to_end.receiver import Receiver
from tests.patience import PATIENCE_SECONDS


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
