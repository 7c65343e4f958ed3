"""An agent on this very loop, with a scripted endpoint and a folder of logs."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from shipper.config import load
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from tests.end_to_end.agent_process import write_config
from tests.end_to_end.receiver import Receiver
from tests.patience import PATIENCE_SECONDS


class Scene:
    """One agent at a time; *sources* and *endpoint* are what agent.yaml holds."""

    def __init__(self, folder: Path, *, watching: bool = False, **source: object) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.receiver = Receiver()
        self.said: list[str] = []
        self.watching = watching
        self.source = {"name": "app", "paths": [f"{self.logs}/*.log"], "format": "raw", **source}
        self.endpoint: dict[str, object] = {}
        self.limits: dict[str, object] = {}
        self.monitoring: dict[str, object] = {}
        self.agent: Agent | None = None

    async def start(self) -> Agent:
        config = write_config(self.folder, self.receiver.url, [self.source], **self.endpoint)
        document = json.loads(config.read_text(encoding="utf-8"))
        document["limits"] |= self.limits
        document["monitoring"] = self.monitoring
        config.write_text(json.dumps(document), encoding="utf-8")
        self.agent = Agent(load(config, os.environ), Journal(self.said.append), watching=self.watching)
        await self.agent.start()
        return self.agent

    async def stop(self, drain_seconds: float = 5.0) -> None:
        agent, self.agent = self.agent, None
        if agent is not None:
            await agent.stop(drain_seconds)

    def append(self, name: str, *lines: str) -> Path:
        path = self.logs / name
        with path.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        return path

    async def arrived(self, count: int, seconds: float = PATIENCE_SECONDS) -> list[str]:
        """Wait until *count* events were acknowledged, and return their contents."""
        await self.receiver.wait_for(lambda: len(self.receiver.acked) >= count, seconds)
        return self.receiver.contents()

    def events_said(self) -> list[str]:
        """Return the names of what the agent said."""
        return [text.split()[0].removeprefix("event=") for text in self.said]


def play(scene: Scene, story: Callable[[Scene], Awaitable[None]]) -> None:
    """Run *story* with the endpoint up; when it ends, however it does, the agent does too."""

    async def run() -> None:
        async with scene.receiver:
            try:
                await story(scene)
            finally:
                await scene.stop(0)

    asyncio.run(run())
