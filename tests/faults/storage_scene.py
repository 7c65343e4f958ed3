"""Agents on disks of their own, and what is kept of what they were given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from tests.faults.disks import LoopDisk, SmallDisk
from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play

Disk = TypeVar("Disk", SmallDisk, LoopDisk)


def lines(name: str, count: int = 200) -> list[str]:
    return [f"{name} {number:05d} {'x' * 80}" for number in range(count)]


def kept(scene: Scene, fault: str, *, declared_lost: int = 0) -> bool:
    return outcome(fault, scene.written, scene.receiver.contents(), declared_lost=declared_lost).kept


def play_on(made: AbstractContextManager[Disk], scene: Scene, story: Callable[[Scene, Disk], Awaitable[None]]) -> None:
    """Run *story* with a disk of its own."""
    with made as disk:
        play(scene, lambda scene: story(scene, disk))


async def begun(scene: Scene) -> None:
    """Start the agent and wait until the first lines have arrived."""
    scene.append("app.log", *lines("before"))
    await scene.start()
    await scene.arrived()


async def saved_again(scene: Scene) -> None:
    await scene.until(lambda: "event=state_saved_again" in scene.said())
