"""Reading meets an error, or a doubt: it is that file's alone, and nothing stays unread because of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from shipper.adapters.files import OpenFile, Turn
from shipper.config import load
from shipper.errors import FileUnreadable
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from tests.end_to_end.agent_process import write_config
from tests.pipeline.agent_scene import Scene, play


def test_a_fingerprint_that_cannot_be_taken_anew_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def unreadable(file: OpenFile) -> bytes:
        asked.append(file.path)
        raise FileUnreadable(f"{file.path}: Input/output error")

    monkeypatch.setattr(OpenFile, "first", unreadable)

    async def story(scene: Scene) -> None:
        scene.append("app.log", "one")
        agent = await scene.start()
        await scene.arrived(1)
        scene.append("app.log", "two")

        await agent._tasks.until(scene.arrived(2))

        assert asked

    play(Scene(tmp_path), story)


def test_a_fingerprint_that_hangs_holds_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def hangs(file: OpenFile) -> bytes:
        asked.append(file.path)
        await asyncio.Event().wait()
        return b""

    monkeypatch.setattr(OpenFile, "first", hangs)

    async def story(scene: Scene) -> None:
        scene.append("app.log", "one")
        await scene.start()
        await scene.arrived(1)
        scene.append("app.log", "two")
        await scene.receiver.wait_for(lambda: bool(asked))
        scene.append("other.log", "three")

        assert sorted(await scene.arrived(3)) == ["one", "three", "two"]

    play(Scene(tmp_path), story)


@pytest.mark.parametrize("doubts", [1, 3, 6])
def test_once_reads_on_after_every_doubt_that_a_look_has_dispelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doubts: int
) -> None:
    lines = [f"{number:06d} {'x' * 100}" for number in range(20_000)]
    left = [doubts]

    def doubtful(file: OpenFile, offset: int, size: int, expect: bytes) -> Turn | None:
        turn = file.read_now(offset, size, expect)
        if not (left[0] and offset):
            return turn
        left[0] -= 1
        return turn._replace(guard_ok=False)

    monkeypatch.setattr(OpenFile, "cached_now", doubtful)

    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines)
        config = write_config(scene.folder, scene.receiver.url, [scene.source])

        totals = await Agent(load(config, os.environ), Journal(scene.said.append)).run_once(60)

        assert left == [0]
        assert (totals.read, totals.delivered) == (len(lines), True)
        assert sorted(scene.receiver.contents()) == lines

    play(Scene(tmp_path), story)
