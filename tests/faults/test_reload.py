"""SIGHUP again and again under load, as an operator's tool may send it: nothing lost, nothing twice, nothing left over.

SHIPPER_RELOAD_SECONDS sets for how long (180 for the full proof, a second between two signals).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from itertools import cycle
from pathlib import Path

from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play

SECONDS = float(os.environ.get("SHIPPER_RELOAD_SECONDS", "3"))
PAUSE_SECONDS = 1.0 if SECONDS > 30 else 0.1
FILES = 5
LINES_A_SECOND = 2000


class Held:
    """What a process holds now."""

    def __init__(self, pid: int) -> None:
        self.descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        self.threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        self.rss_kib = int(status.partition("VmRSS:")[2].split()[0])

    def is_no_more_than(self, before: Held) -> bool:
        """Whether nothing is left of reloads that came since."""
        return self.descriptors <= before.descriptors + FILES and self.threads <= before.threads + 4

    def __str__(self) -> str:
        return f"descriptors={self.descriptors} threads={self.threads} rss_kib={self.rss_kib}"


async def append_for_ever(scene: Scene) -> None:
    """Append some 2,000 lines a second to five files."""
    number = 0
    while True:
        for file in range(FILES):
            name = f"app{file}.log"
            scene.append(name, *(f"{name} {number + line:08d} {'x' * 50}" for line in range(20)))
        number += 20
        await asyncio.sleep(20 * FILES / LINES_A_SECOND)


def variants(scene: Scene) -> list[dict[str, object]]:
    document = json.loads((scene.folder / "agent.yaml").read_text(encoding="utf-8"))
    app = scene.source
    one = {"name": "one", "paths": [f"{scene.logs}/app1.log"], "format": "raw"}
    more = {"name": "more", "paths": [f"{scene.folder}/more/*.log"], "format": "raw"}
    return [
        {**document, "sources": [one, app]},
        {**document, "sources": [{**app, "attributes": {"team": "shop"}}, more]},
        {**document, "sources": [{**app, "drop": ["never there"]}]},
        {**document, "sources": [{**app, "name": "again"}], "endpoint": {**document["endpoint"], "concurrency": 2}},
        {**document, "sources": [{**app, "drop": ["("]}]},  # refused
        document,
    ]


def answers(scene: Scene) -> int:
    """Return how many signals were answered: with a new configuration, or with what is wrong with it."""
    return scene.said().count("event=reloaded ") + scene.said().count("event=reload_refused ")


def test_hangup_signals_under_load(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        process = await scene.start()
        writing = asyncio.create_task(append_for_ever(scene))
        await scene.until(lambda: len(scene.receiver.acked) > 2 * LINES_A_SECOND / 10)
        before = Held(process.pid)
        loop = asyncio.get_running_loop()
        end, sent, config = loop.time() + SECONDS, 0, scene.folder / "agent.yaml"
        turns = variants(scene)
        for variant in cycle(turns):
            config.write_text(json.dumps(variant), encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            sent += 1
            await scene.until(lambda sent=sent: answers(scene) == sent)  # type: ignore[misc]  # mypy does not see the default
            await asyncio.sleep(PAUSE_SECONDS)
            if loop.time() > end and sent >= len(turns):
                break
        config.write_text(json.dumps(turns[-1]), encoding="utf-8")
        writing.cancel()
        await scene.arrived()
        await scene.until(lambda: Held(process.pid).is_no_more_than(before))
        after = Held(process.pid)

        found = outcome(f"config: SIGHUP {sent} times in {SECONDS:g} s", scene.written, scene.receiver.contents())
        refused = scene.said().count("event=reload_refused ")
        print(f"reloaded={answers(scene) - refused} refused={refused} {before} -> {after}")  # noqa: T201 -- the long run's figures
        assert found.kept
        assert found.duplicated == 0
        assert refused == sum(1 for _, variant in zip(range(sent), cycle(turns), strict=False) if variant is turns[4])
        assert await scene.stop() == 0

    play(Scene(tmp_path), story)
