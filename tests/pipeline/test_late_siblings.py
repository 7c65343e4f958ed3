"""A rotated file that is found late is read before what its live file has still unread, and waits for no busy file."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.pipeline.agent_scene import Scene, play


def test_a_rotated_file_that_is_found_late_does_not_wait_until_the_live_one_rests(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        async def write_on() -> None:
            while True:
                scene.append("app.log", "goes on")
                await asyncio.sleep(0.02)

        scene.append("app.log", "start 1")
        agent = await scene.start()
        await scene.arrived(1)
        (scene.logs / "app.log").rename(scene.logs / "app.log.1")
        scene.append("app.log", "start 3")
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(write_on())
            await agent.scanned(3)
            (scene.logs / "app.log.1").rename(scene.logs / "app.log.2")
            scene.append("app.log.1", "start 2a", "start 2b")

            await scene.receiver.wait_for(lambda: "start 2a" in scene.receiver.contents())
            writing.cancel()

    play(Scene(tmp_path, multiline={"start": "start", "timeout": "1s"}), story)
