"""A record of several lines that a rotation cuts is one record, whatever the rotation and whoever looks.

Each case × {agent up, down, endpoint stalled}; a crash in between costs a copy of it at most.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shipper.adapters.offsets_snapshot import Snapshot
from shipper.config import load
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from tests.end_to_end import receiver as faults
from tests.end_to_end.agent_process import AgentProcess, run_once, write_config
from tests.end_to_end.receiver import Event, Receiver
from tests.patience import PATIENCE_SECONDS

Case = Callable[[Path], None]

FIRST = "2026-11-26 10:00:00 an ordinary record\n"
CUT = "2026-11-26 10:00:01 it fails\n  at one\n  at two\n"
REST = "  at three\n  at four\n"
NEXT = "2026-11-26 10:00:02 the next record\n"
LAST = "2026-11-26 10:00:03 the last record\n"
OPEN = "2026-11-26 10:00:04 what closes the last record, and stays open itself\n"
EXPECTED = [FIRST, CUT + REST, NEXT, LAST]


def renamed(log: Path) -> None:
    log.rename(log.with_name("app.log.1"))
    log.write_text(REST + NEXT)


def renamed_and_compressed(log: Path) -> None:
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    shutil.copystat(log, log.with_name("app.log.1.gz"))
    log.unlink()
    log.write_text(REST + NEXT)


def copied_and_truncated(log: Path) -> None:
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    with log.open("a") as file:
        file.write(REST + NEXT)


CASES: dict[str, Case] = {case.__name__: case for case in (renamed, renamed_and_compressed, copied_and_truncated)}


def configure(folder: Path, url: str, timeout: str = "1h") -> Path:
    source: dict[str, object] = {
        "name": "app", "paths": [str(folder / "logs" / "*.log")], "format": "raw", "record_id": True,
        "multiline": {"start": r"^\d{4}-", "timeout": timeout},
    }  # fmt: skip
    (folder / "logs").mkdir(exist_ok=True)
    return write_config(folder, url, [source], concurrency=1)


def as_contents(records: list[str]) -> list[str]:
    return [record.removesuffix("\n") for record in records]


@asynccontextmanager
async def running(config: Path, drain_seconds: float = PATIENCE_SECONDS) -> AsyncIterator[Agent]:
    """An agent on this loop, which is stopped with the block; where all is well it delivers what is on its way."""
    agent = Agent(load(config, os.environ), Journal(lambda _: None), watching=False)
    await agent.start()
    try:
        yield agent
    except BaseException:
        await agent.stop(0)
        raise
    await agent.stop(drain_seconds)


async def cut_while(state: str, folder: Path, case: Case) -> list[str]:
    async with Receiver() as receiver:
        config = configure(folder, receiver.url)
        log = folder / "logs" / "app.log"
        log.write_text(FIRST + CUT)

        async def goes_on(agent: Agent) -> None:
            await agent.scanned(3)
            receiver.script = faults.accept
            with log.open("a") as file:
                file.write(LAST + OPEN)
            await receiver.wait_for(lambda: len(receiver.acked) >= 4)
            await agent.scanned(3)

        async with running(config, 0 if state == "stalled" else PATIENCE_SECONDS) as agent:
            await receiver.wait_for(lambda: len(receiver.acked) == 1)
            if state != "down":
                receiver.script = faults.accept if state == "up" else faults.always(503)
                case(log)
            if state == "up":
                await goes_on(agent)
            elif state == "stalled":
                await agent.scanned(3)
        if state == "down":
            case(log)
        if state != "up":
            async with running(config) as agent:
                await goes_on(agent)
        return receiver.contents()


@pytest.mark.parametrize("state", ["up", "down", "stalled"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_record_that_a_rotation_cuts_is_one_record(tmp_path: Path, case: Case, state: str) -> None:
    arrived = asyncio.run(cut_while(state, tmp_path, case))

    assert arrived == as_contents(EXPECTED)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_shot_reads_the_rest_of_a_record_that_nobody_goes_on_with(tmp_path: Path, case: Case) -> None:
    """The new file begins with nothing but lines that belong to the old one's record."""

    async def story() -> list[str]:
        async with Receiver() as receiver:
            config = configure(tmp_path, receiver.url)
            log = tmp_path / "logs" / "app.log"
            log.write_text(FIRST + CUT)
            with AgentProcess(config) as agent:
                await receiver.wait_for(lambda: len(receiver.acked) == 1)
                assert await agent.drained() == 0
            case(log)
            log.write_text(REST)
            status, totals = await asyncio.to_thread(run_once, config)
            assert status == 0
            assert totals["read"] == totals["acked"] == 1
            return receiver.contents()

    assert asyncio.run(story()) == as_contents([FIRST, CUT + REST])


def sent(receiver: Receiver) -> list[Event]:
    """Return the copies of the joined record that were on their way, answered or not."""
    return [event for events in receiver.seen for event in events if "at four" in str(event["content"])]


def saved(folder: Path) -> set[int]:
    return {life.offset for life, _ in Snapshot.open(folder / "state").lives()}


def test_a_crash_before_the_answer_costs_a_copy_at_most(tmp_path: Path) -> None:
    """The record went on its way; its answer never came. Both files stand before it after the restart."""

    async def story() -> None:
        async with Receiver() as receiver:
            config = configure(tmp_path, receiver.url)
            log = tmp_path / "logs" / "app.log"
            log.write_text(FIRST + CUT)
            with AgentProcess(config):
                await receiver.wait_for(lambda: len(receiver.acked) == 1 and len(FIRST) in saved(tmp_path))
                receiver.script = faults.hang
                renamed(log)
                await receiver.wait_for(lambda: sent(receiver) != [])
            receiver.script = faults.accept
            with AgentProcess(config) as agent:
                with log.open("a") as file:
                    file.write(LAST + OPEN)
                await receiver.wait_for(lambda: len(receiver.acked) >= 4)
                assert await agent.drained() == 0

        assert receiver.contents() == as_contents(EXPECTED)
        copies = sent(receiver)
        assert len({str(event["log.record_id"]) for event in copies}) == 1
        assert len(copies) == 2

    asyncio.run(story())


def test_lines_that_begin_a_record_of_their_own_are_not_joined(tmp_path: Path) -> None:
    def case(log: Path) -> None:
        log.rename(log.with_name("app.log.1"))
        log.write_text(NEXT)

    async def story() -> list[str]:
        async with Receiver() as receiver:
            config = configure(tmp_path, receiver.url, timeout="300ms")
            log = tmp_path / "logs" / "app.log"
            log.write_text(FIRST + CUT)
            async with running(config):
                await receiver.wait_for(lambda: len(receiver.acked) == 1)
                case(log)
                await receiver.wait_for(lambda: len(receiver.acked) >= 3)
            return receiver.contents()

    assert asyncio.run(story()) == as_contents([FIRST, CUT, NEXT])
