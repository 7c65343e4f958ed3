"""What the agent has delivered, or will, is not sent again by a backfill; the rest is."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.agent_process import AgentProcess, write_config
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.backfill.scene import Scene, contents, log, with_scene
from tests.processes import started

ROOT = Path(__file__).parents[3]


def agent_once(scene: Scene, **source: object) -> None:
    """Let an agent read its source to the end."""
    sources: list[dict[str, object]] = [
        {"name": "app", "paths": [str(scene.folder / "logs/app.log")], "format": "raw", **source}
    ]
    config = write_config(scene.folder, scene.receiver.url, sources)
    with AgentProcess(config, "--once") as agent:
        agent.process.wait(PATIENCE_SECONDS)


def test_what_the_agent_has_acknowledged_is_not_sent_again_even_when_it_was_packed_since(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text, older = log(800), log(300, begin=5000)
        live = scene.write("app.log", text)
        await asyncio.to_thread(agent_once, scene)
        assert not scene.missing(text)
        live.unlink()
        packed = scene.write("app.log.1.gz", text)
        scene.write("app.log.2.gz", older)

        outcome = await scene.run(packed.parent)

        assert outcome.delivered
        assert outcome.totals.acked == 300
        assert not scene.surplus(text, older)
        assert not scene.missing(text, older)

    asyncio.run(with_scene(tmp_path, act))


def test_a_live_file_is_left_to_the_agent_and_sent_from_what_it_has_passed_over(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        before, after = log(500), log(100, begin=500)
        live = scene.write("app.log", before)
        await asyncio.to_thread(agent_once, scene, start_at="end")
        assert scene.arrived() == []
        with live.open("ab") as file:
            file.write(after)

        plan = scene.plan(live)
        outcome = await scene.run(live)

        assert plan.files[0].agent_bytes == len(after)
        assert outcome.delivered
        assert scene.arrived() == contents(before)
        await asyncio.to_thread(agent_once, scene, start_at="end")
        assert not scene.missing(before, after)
        assert not scene.surplus(before, after)

    asyncio.run(with_scene(tmp_path, act))


def test_agent_and_backfill_run_at_once_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        live_text, old = log(2000), log(8000, begin=10_000)
        live = scene.write("app.log", live_text)
        sources: list[dict[str, object]] = [{"name": "app", "paths": [str(live)], "format": "raw"}]
        config = write_config(scene.folder, scene.receiver.url, sources)
        with AgentProcess(config) as agent:
            await scene.receiver.wait_for(lambda: len(scene.receiver.acked) >= 1)
            scene.write("app.log.1.gz", old)
            command = [sys.executable, "-m", "shipper", "backfill", "-c", str(config), "--quiet", str(live.parent)]
            async with started(*command, cwd=ROOT, stderr=subprocess.PIPE) as backfill:
                more = log(500, begin=2000)
                with live.open("ab") as file:
                    file.write(more)
                _, complaints = await backfill.communicate()
            assert backfill.returncode == 0, complaints
            await scene.receiver.wait_for(lambda: not scene.missing(live_text, more, old))
            await agent.drained()

        assert not scene.surplus(live_text, more, old)
        assert gzip.decompress((live.parent / "app.log.1.gz").read_bytes()) == old

    asyncio.run(with_scene(tmp_path, act))
