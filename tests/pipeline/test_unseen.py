"""Directories that cannot be looked at: their files stand where they stood, and others are found as ever."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.pipeline import looks
from tests.end_to_end import receiver as faults
from tests.pipeline.agent_scene import Scene, play


def scene_of(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.source["paths"] = [f"{scene.logs}/**/*.log"]
    return scene


def listing(monkeypatch: pytest.MonkeyPatch, place: Path, instead: Callable[[], None]) -> None:
    """Let *instead* come before each look at *place*, and below it."""
    scandir = os.scandir

    def look(path: str) -> object:
        if str(path).startswith(str(place)):
            instead()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", look)


def said(scene: Scene, *events: str) -> list[str]:
    return [line for line in scene.said if line.split()[0].removeprefix("event=") in events]


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_files_of_a_directory_that_cannot_be_listed_are_read_on_and_none_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail() -> None:
        if failing.is_set():
            raise OSError(code, os.strerror(code))

    async def story(scene: Scene) -> None:
        (scene.logs / "dark").mkdir()
        scene.append("dark/read.log", "read 0")
        agent = await scene.start()
        await scene.arrived(1)
        scene.receiver.script = faults.always(503)
        scene.append("dark/waits.log", *[f"waits {number} {'x' * 100}" for number in range(20_000)])
        await scene.receiver.wait_for(lambda: not agent.parts.tailer.has_room)
        failing.set()
        await agent.scanned(5)
        assert len(agent.parts.census.hidden) == 2
        scene.receiver.script = faults.accept
        scene.append("dark/read.log", "read 1")
        scene.append("well.log", "well 0")
        await scene.arrived(20_003, 60)
        failing.clear()
        scene.append("dark/new.log", "new 0")
        await scene.arrived(20_004)
        await agent.scanned(2)

        assert agent.parts.census.hidden == frozenset()
        assert said(scene, "file_drain", "file_gone", "bytes_lost", "file_renamed") == []

    failing = threading.Event()
    scene = scene_of(tmp_path)
    scene.limits = {"memory": "4MiB"}
    listing(monkeypatch, scene.logs / "dark", fail)
    play(scene, story)


@pytest.mark.parametrize("far", [False, True], ids=["a_directory", "a_mount"])
def test_what_does_not_answer_is_left_to_itself_and_everything_else_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, far: bool
) -> None:
    """Of a mount that is far no second directory is asked: each would take a thread for as long as it is dead."""

    def hang() -> None:
        if hanging.is_set():
            asked.append(threading.get_ident())
            assert answers.wait(60)

    async def story(scene: Scene) -> None:
        for name in ("dead/one", "dead/two"):
            (scene.logs / name).mkdir(parents=True)
            scene.append(f"{name}/app.log", f"{name} 0")
        agent = await scene.start()
        await scene.arrived(2)
        hanging.set()
        await scene.receiver.wait_for(lambda: bool(agent.parts.census.looks.at))
        scene.append("born.log", "born")
        scene.append("dead/two/app.log", "dead/two 1")
        await scene.arrived(4)
        await agent.scanned(3)
        if far:
            assert len(asked) == 1
            assert agent.parts.census.looks.at == f"{scene.logs}/dead"
        hanging.clear()
        answers.set()
        scene.append("dead/one/new.log", "new")
        await scene.arrived(5)
        await agent.scanned(2)

        assert agent.parts.census.looks.at == ""
        assert said(scene, "file_drain", "file_gone") == []
        assert sorted(scene.receiver.contents()) == ["born", "dead/one 0", "dead/two 0", "dead/two 1", "new"]

    asked, answers, hanging = list[int](), threading.Event(), threading.Event()
    scene = scene_of(tmp_path)
    monkeypatch.setattr(looks, "SCAN_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(looks, "far_mount_of", lambda path: f"{scene.logs}/dead" if far and "/dead" in path else "")
    listing(monkeypatch, scene.logs / "dead" / "one", hang)
    try:
        play(scene, story)
    finally:
        answers.set()
