"""Reading in turns: bounded, fair, slowed down on demand, and the last line of a file is neither lost nor doubled."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from shipper.pipeline.agent import Agent
from tests.end_to_end import receiver as faults
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.agent_scene import Scene, play


async def settled(agent: Agent) -> None:
    """Wait until the agent has looked at everything and reads no more."""
    before = -1
    async with asyncio.timeout(PATIENCE_SECONDS):
        while agent.totals().bytes_read != before:
            before = agent.totals().bytes_read
            await agent.scanned(3)


def test_while_the_endpoint_stalls_no_more_is_read_than_the_budget_allows(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.limits = {"memory": "4MiB"}
        scene.receiver.script = faults.always(503)
        lines = [f"{number:06d} {'x' * 200}" for number in range(40_000)]
        scene.append("app.log", *lines)
        agent = await scene.start()
        await settled(agent)
        assert agent.totals().bytes_read < 3 << 20

        scene.receiver.script = faults.accept

        assert await scene.arrived(len(lines)) == lines

    play(Scene(tmp_path), story)


def test_a_small_file_does_not_wait_for_a_large_one(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.limits = {"memory": "4MiB"}
        scene.endpoint = {"target_request_bytes": "64KiB", "concurrency": 1}
        scene.append("a-large.log", *["x" * 200] * 60_000)
        scene.append("b-small.log", "small")
        await scene.start()

        await scene.receiver.wait_for(lambda: "small" in scene.receiver.distinct)

        assert scene.receiver.contents().index("small") < 60_000 - 1

    play(Scene(tmp_path), story)


def test_more_files_than_may_be_open_are_all_read(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.limits = {"open_files": 16}
        before = len(list(Path("/proc/self/fd").iterdir()))
        for number in range(100):
            scene.append(f"{number}.log", f"line of {number}")
        agent = await scene.start()
        await scene.arrived(100)
        for number in range(100):
            scene.append(f"{number}.log", f"second line of {number}")
        await scene.arrived(200)
        await settled(agent)
        for number in range(0, 100, 7):
            scene.append(f"{number}.log", f"third line of {number}")

        arrived = await scene.arrived(215)

        assert len(set(arrived)) == len(arrived) == 215
        assert len(list(Path("/proc/self/fd").iterdir())) - before < 16 + 30

    play(Scene(tmp_path), story)


@pytest.mark.parametrize("files", [8, 100])
def test_after_a_start_what_has_nothing_to_read_is_opened_only_where_all_can_stay_open(
    tmp_path: Path, files: int
) -> None:
    async def story(scene: Scene) -> None:
        scene.limits = {"open_files": 16}
        for number in range(files):
            scene.append(f"{number}.log", f"line of {number}")
        await scene.start()
        await scene.arrived(files)
        await scene.stop()
        agent = await scene.start()
        await settled(agent)
        followed = list(agent.parts.tailer.followed.values())

        assert all(one.finished for one in followed)
        assert [one.file is not None for one in followed] == [files == 8] * files

        for number in range(0, files, 3):
            scene.append(f"{number}.log", f"second line of {number}")
        count = files + len(range(0, files, 3))
        arrived = await scene.arrived(count)

        assert len(set(arrived)) == len(arrived) == count

    play(Scene(tmp_path), story)


def test_a_rate_limit_slows_reading_and_drops_nothing(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        lines = [f"{number:05d} {'x' * 93}" for number in range(8000)]
        scene.append("app.log", *lines[:4000])
        loop = asyncio.get_running_loop()
        started = loop.time()
        await scene.start()
        await scene.arrived(2000)
        scene.append("app.log", *lines[4000:])

        assert await scene.arrived(len(lines)) == lines
        assert loop.time() - started > 0.4

    play(Scene(tmp_path, rate_limit=1_000_000), story)


def test_a_last_line_without_its_end_is_shipped_after_its_time_and_its_rest_as_a_part(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.append("app.log", "whole")
        with log.open("a", encoding="utf-8") as file:
            file.write("half a li")
        await scene.start()
        await scene.arrived(2)
        await scene.stop()
        with log.open("a", encoding="utf-8") as file:
            file.write("ne\nnext\n")
        await scene.start()

        assert await scene.arrived(4) == ["whole", "half a li", "ne", "next"]
        assert scene.receiver.acked[2]["log.part"] == "2/2"

    play(Scene(tmp_path), story)


def test_a_file_that_was_read_is_not_read_again_after_a_restart(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "one", "two")
        await scene.start()
        await scene.arrived(2)
        await scene.stop()
        agent = await scene.start()
        await agent.scanned(3)
        scene.append("app.log", "three")

        assert await scene.arrived(3) == ["one", "two", "three"]

    play(Scene(tmp_path), story)


def test_the_totals_balance_whatever_becomes_of_the_records(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.receiver.script = faults.refuse_content("poison")
        scene.append("app.log", *[f"line {n}" for n in range(50)], "poison", "drop me", "", *["x" * 100_000])
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: agent.totals().read >= 53 and not agent.totals().pending)

        totals = agent.totals()

        assert totals.balanced
        assert totals.dead_lettered == {"rejected": 1}
        assert totals.filtered == {"drop": 1}
        assert totals.parts == 1

    play(Scene(tmp_path, drop=["^drop"]), story)


def test_no_descriptor_is_left_when_the_agent_has_stopped(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        for number in range(20):
            scene.append(f"{number}.log", "line")
        await scene.start()
        await scene.arrived(20)
        await scene.stop()

        open_now = [os.path.realpath(name) for name in Path("/proc/self/fd").iterdir()]
        assert not [target for target in open_now if str(scene.folder) in target]

    play(Scene(tmp_path), story)


def test_the_endpoint_is_told_what_is_unread_of_a_source(tmp_path: Path) -> None:
    """An endpoint of this host shows it in its viewer; at the end it is nothing."""

    async def story(scene: Scene) -> None:
        scene.append("app.log", *(f"line {number} {'x' * 200}" for number in range(20_000)))
        await scene.start()
        await scene.arrived(20_000)
        scene.append("app.log", "the last line")
        await scene.arrived(20_001)

        said = [head.get("x-shipper-unread") for head in scene.receiver.heads]
        assert said[-1] == "app=0"
        assert all(text is not None and text.startswith("app=") for text in said)

    play(Scene(tmp_path), story)
