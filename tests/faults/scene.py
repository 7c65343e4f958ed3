"""A real agent, as a process of its own, with faults put in from outside; a real endpoint on this loop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from shipper.adapters.control import NoAgent, ask
from tests.end_to_end.agent_process import write_config
from tests.end_to_end.receiver import Receiver
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


class Scene:
    """One agent at a time in *folder*; it reads `logs/**/*.log`."""

    def __init__(self, folder: Path, *launcher: str, **endpoint: object) -> None:
        """*launcher* stands before the agent's command; *endpoint* is what agent.yaml holds."""
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.faults = folder / "faults"
        self.faults.mkdir()
        self.log = folder / "agent.log"
        self.receiver = Receiver()
        self.launcher = launcher
        self.endpoint = endpoint
        self.limits: dict[str, object] = {}
        self.environ: dict[str, str] = {}
        self.source: dict[str, object] = {"name": "app", "paths": [f"{self.logs}/**/*.log"], "format": "raw"}
        self.more_sources: list[dict[str, object]] = []
        """Before `source`, which reads what they do not."""
        self.written: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self._known = 0
        """How much of what the agent has said the test knows of."""

    async def start(self) -> subprocess.Popen[bytes]:
        """Start the agent and wait until it has said so."""
        config = write_config(self.folder, self.receiver.url, [*self.more_sources, self.source], **self.endpoint)
        document = json.loads(config.read_text(encoding="utf-8"))
        document["limits"] |= self.limits
        config.write_text(json.dumps(document), encoding="utf-8")
        started = self.said().count("event=agent_started")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.launcher, sys.executable, "-m", "tests.faults.injected", "run", "-c", str(config)],
                stdout=log, stderr=log, cwd=ROOT,
                env={**os.environ, "SHIPPER_FAULTS": str(self.faults), **self.environ},
            )  # fmt: skip
        await self.until(lambda: self.said().count("event=agent_started") > started)
        return self.process

    def append(self, name: str, *lines: str) -> Path:
        path = self.logs / name
        with path.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        self.written += lines
        return path

    def put(self, fault: str) -> None:
        (self.faults / fault).touch()

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    async def until(self, reached: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        try:
            await self.receiver.wait_for(reached, seconds)
        except TimeoutError:
            raise AssertionError(f"not in {seconds:g} s; the agent has said:\n{self._tail()}") from None

    async def arrived(self, *lines: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until *lines*, or else everything that was written, was acknowledged."""
        wanted = set(lines or self.written)
        await self.until(lambda: wanted <= self.receiver.distinct, seconds)

    async def health(self) -> tuple[str, list[str]]:
        """Return the colour and the codes of the reasons; while nobody answers, that there is none."""
        try:
            answer = await asyncio.to_thread(lambda: ask(self.folder / "state", "status", {}, 10.0))
        except NoAgent:
            return "none", []
        view = cast("dict[str, dict[str, object]]", answer)["health"]
        reasons = cast("list[dict[str, str]]", view["reasons"])
        return str(view["colour"]), [reason["code"] for reason in reasons]

    async def turns(self, colour: str, code: str | None = None, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until health is *colour*, for the reason *code* where one is named.

        Trouble may be over before anybody asks: that it was said since the last call counts as well.
        """
        try:
            async with asyncio.timeout(seconds):
                while colour == "green" or not self._was_said(colour, code):
                    now, codes = await self.health()
                    if now == colour and (code is None or code in codes):
                        break
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not {colour} in {seconds:g} s; the agent has said:\n{self._tail()}") from None
        self._known = len(self.said())

    def _was_said(self, colour: str, code: str | None) -> bool:
        words = f"event=health colour={colour} " + (f"code={code} " if code else "")
        return any(line.startswith(words) for line in self.said()[self._known :].splitlines())

    def _tail(self) -> str:
        return self.said()[-6000:]

    async def stop(self, number: int = signal.SIGTERM, seconds: float = PATIENCE_SECONDS) -> int:
        """Send a signal and return the exit status."""
        if self.process is None:
            raise AssertionError("no agent runs")
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, seconds)

    def abandon(self) -> None:
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()


def play(scene: Scene, story: Callable[[Scene], Awaitable[None]]) -> None:
    """Run *story* with the endpoint up; when it ends, however it does, nothing runs any more."""

    async def run() -> None:
        async with scene.receiver:
            try:
                await story(scene)
            finally:
                scene.put("release")
                scene.abandon()

    asyncio.run(run())
