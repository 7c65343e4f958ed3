"""An agent that is watched over HTTP, and that says of itself how it does."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import aiohttp
import pytest

from shipper.pipeline import monitoring_pages
from shipper.pipeline.health import Colour
from tests.end_to_end import receiver as faults
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.agent_scene import Scene, play


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def get(port: object, path: str) -> tuple[int, str]:
    """Return the page once it is served."""
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status, await answer.text()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)


def test_the_pages_of_a_running_agent(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        port = free_port()
        scene.monitoring["port"] = port
        scene.append("app.log", "one", "two")
        agent = await scene.start()
        await scene.arrived(2)
        await agent.parts.sender.drain(10)

        status, text = await get(port, "/metrics")
        assert status == 200
        assert 'shipper_acked_records_total{source="app"} 2.0' in text
        assert (await get(port, "/livez"), await get(port, "/readyz")) == ((200, "ok\n"), (200, "ok\n"))
        assert await get(port, "/health") == (200, '{"colour": "green", "reasons": []}\n')

        agent.parts.health.raise_("late", "it is late", colour=Colour.YELLOW)
        assert (await get(port, "/health"))[0] == 200
        agent.parts.health.raise_("file_stalled", "it stands still", file="/l/caf\udce9.log")
        status, text = await get(port, "/health")
        reason = json.loads(text)["reasons"][0]
        assert (status, reason["code"], reason["text"], reason["colour"]) == (
            503, "file_stalled", "it stands still", "red")  # fmt: skip
        assert (await get(port, "/livez"))[0] == 200  # a restart would not help

        agent.parts.health.raise_("loop_silent", "does not go round: sender; only a restart helps")
        assert await get(port, "/livez") == (503, "does not go round: sender; only a restart helps\n")

        await scene.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    play(Scene(tmp_path), story)


def test_a_port_that_is_taken_holds_up_no_log_and_is_taken_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(scene: Scene) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = scene.monitoring["port"] = other.getsockname()[1]
            scene.append("app.log", "one")
            await scene.start()
            await scene.arrived(1)
            await scene.receiver.wait_for(lambda: "monitoring_not_served" in scene.events_said())

        assert (await get(port, "/livez"))[0] == 200
        assert scene.events_said().count("monitoring_not_served") == 1

    monkeypatch.setattr(monitoring_pages, "RETRY_SECONDS", 0.05)
    play(Scene(tmp_path), story)


def test_the_agents_own_figures_are_events_beside_the_others_and_change_no_count(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.monitoring["self_events"] = "1s"
        scene.append("app.log", "one", "two")
        agent = await scene.start()

        def own() -> list[dict[str, object]]:
            return [event for event in scene.receiver.acked if event.get("log.source") == "shipper.self"]

        await scene.receiver.wait_for(lambda: any(event.get("shipper.records_acked") == 2 for event in own()))
        at = next(at for at, event in enumerate(own()) if event.get("shipper.records_acked") == 2)
        whole, of_source = own()[at : at + 2]
        assert (whole["shipper.records_read"], whole["shipper.records_acked"], whole["shipper.health"]) == (
            2, 2, "green")  # fmt: skip
        assert (whole["severity"], whole["dt.ingest.origin"]) == ("info", "shipper")
        assert whole["host.name"] == socket.gethostname()
        assert (of_source["shipper.source"], of_source["shipper.acked"]) == ("app", 2)
        assert (agent.totals().read, agent.totals().balanced) == (2, True)

    play(Scene(tmp_path), story)


def test_while_the_endpoint_fails_the_agent_does_not_talk_of_itself(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.monitoring["self_events"] = "1s"
        scene.receiver.script = faults.always(503)
        scene.append("app.log", "one")
        await scene.start()
        await scene.receiver.wait_for(lambda: len(scene.receiver.seen) >= 25)

        assert {str(event["content"]) for events in scene.receiver.seen for event in events} == {"one"}

    play(Scene(tmp_path), story)
