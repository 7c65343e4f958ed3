"""`shipper tap` as an operator runs it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipper.adapters.control import NoAgent
from shipper.cli.tap import severities, tap
from shipper.errors import ShipperError, UsageError
from tests.end_to_end import receiver as faults
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.agent_scene import Scene, play
from tests.processes import ending


def run(config: Path, *args: str) -> Result:
    result = CliRunner().invoke(tap, [*args, "-c", str(config)], standalone_mode=False)
    if result.exception and not isinstance(result.exception, ShipperError):
        raise result.exception
    return result


async def tapped(scene: Scene, *args: str, lines: list[str]) -> Result:
    """Return what a tap says that is open while *lines* are written."""
    agent = await scene.start()
    tapping = agent.parts.sender.tapping
    assert tapping is not None
    running = asyncio.create_task(asyncio.to_thread(run, scene.folder / "agent.yaml", *args))
    await scene.receiver.wait_for(lambda: tapping.active or running.done())
    scene.append("app.log", *lines)
    return await asyncio.wait_for(running, PATIENCE_SECONDS)


LINES = ["2026-01-31 10:00:00 INFO one", "2026-01-31 10:00:01 ERROR two", "2026-01-31 10:00:02 WARN three"]


def levelled(folder: Path) -> Scene:
    return Scene(folder, format="auto", pattern=r"^(?P<timestamp>\S+ \S+) (?P<severity>[A-Z]+) ")


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        pytest.param(["--limit", "3"], ["one", "two", "three"], id="limit"),
        pytest.param(["--limit", "2", "--severity", "warn"], ["two", "three"], id="this_and_worse"),
        pytest.param(["--limit", "1", "--severity", "warn,debug"], ["three"], id="exactly_these"),
        pytest.param(["--limit", "1", "--match", "tw"], ["two"], id="text"),
        pytest.param(["--limit", "1", "--source", "app", "--match", "three"], ["three"], id="source_and_text"),
    ],
)
def test_the_events_that_fit_are_printed_and_their_json_is_what_arrived(
    args: list[str], shown: list[str], tmp_path: Path
) -> None:
    async def story(scene: Scene) -> None:
        result = await tapped(scene, *args, "--json", lines=LINES)

        printed = [json.loads(line) for line in result.stdout.splitlines()]
        assert [event["content"].split()[-1] for event in printed] == shown
        assert all(event in scene.receiver.acked for event in printed)

    play(levelled(tmp_path), story)


def test_for_people_a_line_has_time_severity_source_content_and_the_rest(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        result = await tapped(scene, "--limit", "1", lines=["\x1b[31m2026-01-31 10:00:00 INFO one\x1b[0m"])

        assert "\x1b" not in result.stdout
        assert " app " in result.stdout
        assert f"log.file.path={scene.logs}/app.log" in result.stdout

    play(levelled(tmp_path), story)


def test_while_nothing_leaves_the_tap_says_why(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.receiver.script = faults.always(503)
        await scene.start()
        scene.append("app.log", "one")
        await scene.receiver.wait_for(lambda: len(scene.receiver.seen) >= 2)
        child = subprocess.Popen(
            [sys.executable, "-m", "shipper", "tap", "--limit", "1", "-c", str(scene.folder / "agent.yaml")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        with ending(child) as process:
            assert process.stderr is not None
            said = await asyncio.wait_for(asyncio.to_thread(process.stderr.readline), PATIENCE_SECONDS)
            scene.receiver.script = faults.accept
            shown, _ = await asyncio.wait_for(asyncio.to_thread(process.communicate), PATIENCE_SECONDS)

        assert said == "nothing leaves: the endpoint is refusing; see 'shipper status'\n"
        assert " app one " in shown

    play(Scene(tmp_path), story)


def test_a_tap_ends_with_the_agent_and_says_so(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        agent = await scene.start()
        running = asyncio.create_task(asyncio.to_thread(run, scene.folder / "agent.yaml"))
        tapping = agent.parts.sender.tapping
        assert tapping is not None
        await scene.receiver.wait_for(lambda: tapping.active)
        await scene.stop()
        result = await asyncio.wait_for(running, PATIENCE_SECONDS)

        assert (result.return_value, result.stderr) == (1, "the agent has stopped\n")

    play(Scene(tmp_path), story)


def test_without_an_agent_there_is_nothing_to_tap(tmp_path: Path) -> None:
    result = CliRunner().invoke(tap, ["--state-dir", str(tmp_path)], standalone_mode=False)

    assert isinstance(result.exception, NoAgent)


def test_an_unknown_severity_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="--severity: 'loud' is none"):
        severities("loud")
