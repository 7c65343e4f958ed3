"""A file that cannot be opened because its server is dead holds up its own file system, not the agent."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from shipper.pipeline import reads
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.agent_scene import Scene, play

OPEN_FILES = 8


def test_opening_a_file_on_a_dead_server_does_not_hold_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file was closed for others; no scan is due, so it is the reader who opens it again."""
    answers = threading.Event()
    asked = threading.Event()
    open_now = os.open

    def open_slowly(path: str, flags: int, *more: int, dir_fd: int | None = None) -> int:
        if str(path).endswith("hangs.log"):
            asked.set()
            assert answers.wait(PATIENCE_SECONDS)
        return open_now(path, flags, *more, dir_fd=dir_fd)

    async def story(scene: Scene) -> None:
        scene.append("hangs.log", "hangs 0")
        agent = await scene.start()
        await scene.arrived(1)
        for number in range(2 * OPEN_FILES):
            scene.append(f"app{number}.log", f"app {number}")
        await scene.arrived(1 + 2 * OPEN_FILES)
        held = agent.parts.tailer.by_path[f"{scene.logs}/hangs.log"]
        await scene.receiver.wait_for(lambda: held.file is None)
        monkeypatch.setattr(os, "open", open_slowly)

        scene.append("hangs.log", "hangs 1")
        await scene.receiver.wait_for(asked.is_set)
        await scene.receiver.wait_for(lambda: bool(agent.parts.tailer.reads.hanging))
        scene.append(f"app{2 * OPEN_FILES - 1}.log", "app goes on")
        await scene.arrived(2 + 2 * OPEN_FILES)
        answers.set()
        await scene.arrived(3 + 2 * OPEN_FILES)

        assert scene.receiver.contents()[-2:] == ["app goes on", "hangs 1"]
        assert agent.parts.tailer.reads.hanging == {}

    monkeypatch.setattr(reads, "is_far", lambda _kind: True)
    scene = Scene(tmp_path, watching=True)
    scene.limits = {"scan": "1h", "open_files": OPEN_FILES}
    play(scene, story)
