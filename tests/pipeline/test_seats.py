"""Files whose rows a command changes: nobody else may take them up meanwhile."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from shipper.pipeline import state_commands
from shipper.pipeline.seats import Seats
from tests.pipeline.agent_scene import Scene, play

LINES = ["one", "two", "three"]


@pytest.mark.parametrize("command", ["rewind", "forget"])
def test_a_scan_that_comes_while_a_row_changes_takes_its_file_for_no_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    change = getattr(state_commands, f"_{command}")

    def slowly(*arguments: object) -> object:
        begun.set()
        go_on.wait(10)
        return change(*arguments)

    monkeypatch.setattr(state_commands, f"_{command}", slowly)

    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.arrived(3)
        await agent.scanned(1)
        parts = agent.parts
        changing = asyncio.ensure_future(Seats(parts).handlers()[f"state.{command}"]({"name": str(log)}))
        await scene.receiver.wait_for(begun.is_set, 10)
        looked = parts.census.looks._looking_since
        parts.following.scan_soon()
        with suppress(TimeoutError):
            await scene.receiver.wait_for(lambda: parts.census.looks._looking_since != looked, 0.5)
        go_on.set()
        await changing
        await scene.arrived(6)
        scene.append("app.log", "four")
        await scene.arrived(7)
        await agent.scanned(2)

        assert len(parts.tailer.followed) == 1
        assert sorted(scene.receiver.contents()) == sorted([*LINES, *LINES, "four"])

    play(Scene(tmp_path), story)
