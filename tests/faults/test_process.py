"""The process is stopped, killed, started twice, reloaded: nothing is lost, and the one that must not run says why."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end import receiver as endpoint
from tests.end_to_end.agent_process import write_config
from tests.faults.outcome import Outcome, outcome
from tests.faults.scene import ROOT, Scene, play
from tests.patience import PATIENCE_SECONDS

KILLS = 6


def lines(name: str, count: int) -> list[str]:
    return [f"{name} {number:06d} {'x' * 60}" for number in range(count)]


def outcome_of(scene: Scene, fault: str) -> Outcome:
    return outcome(fault, scene.written, scene.receiver.contents())


def test_an_agent_that_was_stopped_for_a_while_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its connections are cut meanwhile, its file is rotated, and its clocks have jumped for it."""

    async def story(scene: Scene) -> None:
        process = await scene.start()
        scene.append("app.log", *lines("before", 500))
        await scene.arrived()
        process.send_signal(signal.SIGSTOP)
        scene.append("app.log", *lines("during", 2000))
        await scene.receiver.stop()
        (scene.logs / "app.log").rename(scene.logs / "app.log.1")
        scene.append("app.log", *lines("rotated", 500))
        await scene.receiver.start()
        process.send_signal(signal.SIGCONT)
        await scene.arrived()
        await scene.turns("green")

        found = outcome_of(scene, "process: SIGSTOP, rotation meanwhile, SIGCONT")
        assert found.kept
        assert found.duplicated == 0
        assert await scene.stop() == 0

    play(Scene(tmp_path), story)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(endpoint.hang, id="it_hangs"),
        pytest.param(endpoint.always(503), id="it_refuses"),
    ],
)
def test_an_agent_with_a_backlog_ends_in_time_and_the_next_one_sends_the_rest(
    tmp_path: Path, script: endpoint.Script
) -> None:
    """It drains for a while, here for an hour, or until it is told a second time."""

    async def story(scene: Scene) -> None:
        process = await scene.start()
        scene.put("drain_long")
        scene.append("app.log", *lines("taken", 200))
        await scene.arrived()
        scene.receiver.script = script
        scene.append("app.log", *lines("backlog", 30_000))
        await scene.until(lambda: len(scene.receiver.seen) > 1 and b"backlog" in str(scene.receiver.seen[-1]).encode())
        process.send_signal(signal.SIGTERM)
        await scene.until(lambda: not (tmp_path / "state" / "control.sock").exists())
        status = await scene.stop()
        (scene.faults / "drain_long").unlink()
        scene.receiver.script = endpoint.accept
        await scene.start()
        await scene.arrived()

        found = outcome_of(scene, f"process: SIGTERM twice under a backlog, endpoint: {script!r:.40}")
        assert status == 0
        assert "event=agent_stopped drained=false" in scene.said()
        assert found.kept
        assert found.duplicated == 0
        assert await scene.stop() == 0

    play(Scene(tmp_path, timeout="30s"), story)


def test_a_second_agent_on_the_same_state_is_told_who_holds_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        process = await scene.start()
        scene.append("app.log", *lines("first", 100))
        await scene.arrived()

        second = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "shipper", "run", "-c", str(tmp_path / "agent.yaml")],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=ROOT,
        )  # fmt: skip
        scene.append("app.log", *lines("still", 100))
        await scene.arrived()

        assert second.returncode == 75
        assert f"held by process {process.pid};" in second.stderr
        assert outcome_of(scene, "process: started twice").kept
        assert await scene.stop() == 0

    play(Scene(tmp_path), story)


def test_an_embedded_endpoint_does_not_outlive_an_agent_that_cannot_start(tmp_path: Path) -> None:
    """The control socket's place is taken by a folder: the start fails after the endpoint has come up."""
    (tmp_path / "state" / "control.sock").mkdir(parents=True)
    (tmp_path / "state" / "control.sock" / "full").touch()
    port = _free_port()
    source: dict[str, object] = {"name": "app", "paths": [str(tmp_path / "app.log")]}
    config = write_config(tmp_path, f"http://127.0.0.1:{port}/v2/logs/ingest", [source], embedded=True)

    done = subprocess.run(
        [sys.executable, "-m", "shipper", "run", "-c", str(config)],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=ROOT,
    )  # fmt: skip

    assert done.returncode == 74
    assert "event=endpoint_started" in done.stderr
    assert not _listens(port)


def test_an_agent_that_is_killed_while_it_reloads_starts_with_what_is_written_there(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        config = tmp_path / "agent.yaml"
        document = json.loads(config.read_text(encoding="utf-8"))
        for turn in range(KILLS):
            scene.append("app.log", *lines(f"turn-{turn}", 300))
            source = {**scene.source, "attributes": {"turn": str(turn)}}
            more = {"name": f"more-{turn}", "paths": [f"{scene.logs}/more/*.log"], "format": "raw"}
            config.write_text(json.dumps({**document, "sources": [source, more]}), encoding="utf-8")
            assert scene.process is not None
            scene.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.03 * turn)
            await scene.stop(signal.SIGKILL)
            scene.source = source
            await scene.start()
        await scene.arrived()

        assert outcome_of(scene, "process: killed during a reload, six times").kept
        # Each life sends a line once; what it had not saved when it was killed the next one sends again.
        assert max(Counter(scene.receiver.contents()).values()) <= KILLS + 1
        assert await scene.stop() == 0

    play(Scene(tmp_path), story)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
