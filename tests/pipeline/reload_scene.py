"""An agent whose agent.yaml is written anew and read again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from shipper.pipeline.reload import Outcome, Reloader
from tests.end_to_end import receiver as faults
from tests.pipeline.agent_scene import Scene, play


def source(scene: Scene, name: str, pattern: str = "", **keys: object) -> dict[str, object]:
    return {"name": name, "paths": [f"{scene.logs}/{pattern or name + '*.log'}"], "format": "raw", **keys}


def write(scene: Scene, sources: list[dict[str, object]], **sections: object) -> None:
    """Write agent.yaml anew; *sections* replace its own."""
    path = scene.folder / "agent.yaml"
    document = {**json.loads(path.read_text(encoding="utf-8")), **sections, "sources": sources}
    path.write_text(json.dumps(document), encoding="utf-8")


def reloader(scene: Scene) -> Reloader:
    assert scene.agent is not None
    found = scene.agent.reloader
    assert found is not None
    return found


async def reload(scene: Scene, sources: list[dict[str, object]], **sections: object) -> Outcome:
    write(scene, sources, **sections)
    return await reloader(scene).reload()


def play_app(folder: Path, story: Callable[[Scene], Awaitable[None]]) -> None:
    """Run *story* with one source, `app`, which reads app*.log."""
    scene = Scene(folder)
    scene.source = source(scene, "app")
    play(scene, story)


async def app_and_web_refused(scene: Scene) -> list[dict[str, object]]:
    """Follow two sources, and let the endpoint refuse `web 1`; return them."""
    both = [source(scene, "app"), source(scene, "web")]
    scene.append("app.log", "app 0")
    scene.append("web.log", "web 0")
    await scene.start()
    await reload(scene, both)
    await scene.arrived(2)
    scene.receiver.script = faults.always(503)
    scene.append("web.log", "web 1")
    await scene.receiver.wait_for(lambda: any("web 1" in str(batch) for batch in scene.receiver.seen))
    return both


def sent_by(scene: Scene) -> list[tuple[object, object]]:
    return [(event["log.source"], event["content"]) for event in scene.receiver.acked]
