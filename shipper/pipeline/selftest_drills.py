"""The faults of `shipper selftest`: each is done to a real agent while lines are written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from shipper.pipeline.selftest_agent import DrillAgent
from shipper.pipeline.selftest_endpoint import DrillEndpoint, busy, small_requests, take_all
from shipper.pipeline.selftest_writer import DrillWriter

_MOST_EVENTS: Final = 20
_SLOW_SECONDS: Final = 0.3


class Scene(NamedTuple):
    """What a drill works on; *seconds* is how long it may go on doing damage."""

    agent: DrillAgent
    endpoint: DrillEndpoint
    writer: DrillWriter
    seconds: float


class Drill(NamedTuple):
    """A fault.

    Attributes:
        name: Of the drill and of its log; letters, digits and dashes.
        what: What is done, for the report.
        run: Does it, and returns how many faults there were.
    """

    name: str
    what: str
    run: Callable[[Scene], Awaitable[int]]


async def _kill(scene: Scene) -> int:
    """Answers are slow meanwhile: requests are on their way at each kill, and their lines arrive twice."""
    scene.endpoint.answer_seconds = _SLOW_SECONDS
    for _ in range(3):
        await scene.writer.write_for(scene.seconds / 4)
        await scene.agent.kill()
        await scene.agent.start()
    scene.endpoint.answer_seconds = 0.0
    await scene.writer.write_for(scene.seconds / 4)
    return 3


async def _stop(scene: Scene) -> int:
    await scene.writer.write_for(scene.seconds / 2)
    await scene.agent.stop()
    await scene.writer.write_for(scene.seconds / 4)
    await scene.agent.start()
    await scene.writer.write_for(scene.seconds / 4)
    return 1


async def _busy(scene: Scene) -> int:
    scene.endpoint.refuse = busy
    return await _refused(scene)


async def _too_large(scene: Scene) -> int:
    scene.endpoint.refuse = small_requests(_MOST_EVENTS)
    return await _refused(scene)


async def _refused(scene: Scene) -> int:
    """Write while the endpoint refuses, until it has, then let it take everything."""
    before = scene.endpoint.refusals
    try:
        await scene.writer.write_for(scene.seconds / 2)
        for _ in range(100):
            if scene.endpoint.refusals > before:
                break
            await asyncio.sleep(0.05)
    finally:
        scene.endpoint.refuse = take_all
    await scene.writer.write_for(scene.seconds / 2)
    return scene.endpoint.refusals - before


async def _down(scene: Scene) -> int:
    await scene.writer.write_for(scene.seconds / 4)
    await scene.endpoint.stop()
    try:
        await scene.writer.write_for(scene.seconds / 2)
    finally:
        await scene.endpoint.start()
    await scene.writer.write_for(scene.seconds / 4)
    return 1


async def _rename(scene: Scene) -> int:
    return await _rotate(scene, scene.writer.rename_and_create)


async def _copy_truncate(scene: Scene) -> int:
    return await _rotate(scene, scene.writer.copy_and_truncate)


async def _rotate(scene: Scene, rotate: Callable[[], None]) -> int:
    for _ in range(3):
        await scene.writer.write_for(scene.seconds / 4)
        rotate()
    await scene.writer.write_for(scene.seconds / 4)
    return scene.writer.rotations


async def _full_disk(scene: Scene) -> int:
    """Counts what the agent says of it: that it could not save, once."""
    scene.agent.said.clear()
    scene.agent.fill_disk()
    try:
        await scene.writer.write_for(scene.seconds / 2)
        for _ in range(100):
            if any("event=state_not_saved" in line for line in scene.agent.said):
                break
            await asyncio.sleep(0.05)
    finally:
        scene.agent.free_disk()
    await scene.writer.write_for(scene.seconds / 2)
    return sum("event=state_not_saved" in line for line in scene.agent.said)


DRILLS: Final = (
    Drill("kill", "the agent is killed (kill -9) and started again", _kill),
    Drill("stop", "the agent is stopped and started again", _stop),
    Drill("busy", "the endpoint answers 429", _busy),
    Drill("too-large", f"the endpoint answers 413 to more than {_MOST_EVENTS} events", _too_large),
    Drill("down", "nothing listens at the endpoint", _down),
    Drill("rename", "the log is rotated by rename and create", _rename),
    Drill("copy-truncate", "the log is copied and truncated, with no line written in between", _copy_truncate),
    Drill("full-disk", "no file of the agent can grow, its offsets neither", _full_disk),
)
