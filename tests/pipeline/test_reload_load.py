"""Reloading all the time while lines are written: none is lost, next to none is sent twice, and nothing is left over.

SHIPPER_RELOAD_SECONDS sets how long that goes on (180 for the full proof, with a second between two reloads).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from itertools import cycle
from pathlib import Path

from tests.pipeline.agent_scene import Scene, play

SECONDS = float(os.environ.get("SHIPPER_RELOAD_SECONDS", "4"))
PAUSE_SECONDS = 1.0 if SECONDS > 30 else 0.07
FILES = 6


def variants(scene: Scene, document: dict[str, object]) -> list[dict[str, object]]:
    """Return agent.yaml with other rules, with a source more, with one less, with other settings."""
    plain = {"name": "app", "paths": [f"{scene.logs}/app*.log"], "format": "raw"}
    ruled = {**plain, "format": "auto", "attributes": {"team": "shop"}, "severity": {"default": "info"}}
    split = {"name": "one", "paths": [f"{scene.logs}/app1.log"], "format": "raw"}
    web = {"name": "web", "paths": [f"{scene.logs}/web*.log"], "format": "raw"}
    endpoint = document["endpoint"]
    assert isinstance(endpoint, dict)
    return [
        {**document, "sources": [plain, web]},
        {**document, "sources": [ruled, web]},
        {**document, "sources": [ruled]},
        {**document, "sources": [split, plain, web]},
        {**document, "sources": [plain, web], "endpoint": {**endpoint, "concurrency": 2, "timeout": "7s"}},
        {**document, "sources": [{**web, "name": "web again"}, {**plain, "name": "app again"}]},
        {**document, "sources": [plain, web], "limits": {"scan": "50ms", "open_files": 8}},
    ]


async def write_until(end: asyncio.Event, scene: Scene, pause: float) -> int:
    """Append to every file, a few lines at a time; return how many each holds."""
    written = 0
    while not end.is_set():
        for number in range(FILES):
            name = f"app{number}.log" if number % 2 else f"web{number}.log"
            scene.append(name, *(f"{name} {written + line:08d}" for line in range(5)))
        written += 5
        await asyncio.sleep(pause)
    return written


def held() -> tuple[int, int]:
    """Return how many descriptors and tasks there are."""
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())  # noqa: PTH208


def test_reloads_under_load_lose_nothing_and_leave_nothing_behind(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        agent = await scene.start()
        assert agent.reloader is not None
        path = scene.folder / "agent.yaml"
        document = json.loads(path.read_text(encoding="utf-8"))
        end = asyncio.Event()
        writing = asyncio.create_task(write_until(end, scene, 0.01))
        await scene.arrived(100)
        loop = asyncio.get_running_loop()
        until = loop.time() + SECONDS
        before = held()
        turns = variants(scene, document)
        for reloads, variant in enumerate(cycle(turns), 1):
            path.write_text(json.dumps(variant), encoding="utf-8")
            assert (await agent.reloader.reload()).applied
            if loop.time() > until and reloads >= len(turns):
                break
            await asyncio.sleep(PAUSE_SECONDS)
        path.write_text(json.dumps(turns[0]), encoding="utf-8")
        await agent.reloader.reload()
        end.set()
        written = await writing
        await scene.receiver.wait_for(lambda: len(scene.receiver.distinct) >= written * FILES)
        await scene.receiver.wait_for(lambda: held()[1] <= before[1] and held()[0] <= before[0] + FILES)

        arrived = Counter(scene.receiver.contents())
        names = [f"app{number}.log" if number % 2 else f"web{number}.log" for number in range(FILES)]
        assert set(arrived) == {f"{name} {line:08d}" for name in names for line in range(written)}
        twice = sum(count - 1 for count in arrived.values())
        assert twice == 0

    scene = Scene(tmp_path)
    scene.source = {"name": "app", "paths": [f"{scene.logs}/app*.log"], "format": "raw"}
    play(scene, story)
