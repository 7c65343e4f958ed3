"""`format: auto` in a running agent: layouts that change on the way, and files too young to be known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.end_to_end.agent_process import AgentProcess, run_once, write_config
from tests.end_to_end.receiver import Event, Receiver


def iso(number: int) -> str:
    at = datetime.now(UTC) - timedelta(minutes=30) + timedelta(milliseconds=number)
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00")


def log4j_line(number: int) -> str:
    return f"{iso(number).replace('T', ' ').replace('.', ',')} ERROR [main] com.shop.Pay - a {number}\n"


def json_line(number: int) -> str:
    return f'{{"time":"{iso(number)}Z","level":"warn","n":{number}}}\n'


def odd_line(number: int) -> str:
    return f"<{number}> ({iso(number)}) {{critical}} c {number}\n"


async def shipped(folder: Path, log: Path) -> list[Event]:
    async with Receiver() as receiver:
        source: dict[str, object] = {"name": "app", "paths": [str(log)], "timestamp": {"timezone": "UTC"}}
        # One request at a time: of several under way, which arrives first is nobody's promise.
        config = write_config(folder, receiver.url, [source], concurrency=1)
        status, totals = await asyncio.to_thread(run_once, config)
    assert (status, totals["balanced"]) == (0, True)
    return receiver.acked


@pytest.mark.parametrize(
    ("before", "after", "severity"),
    [
        pytest.param(log4j_line, json_line, "warn", id="log4j_then_json"),
        pytest.param(json_line, odd_line, "critical", id="json_then_unknown"),
        pytest.param(odd_line, log4j_line, "error", id="unknown_then_log4j"),
    ],
)
def test_a_file_whose_layout_changes_is_read_by_the_new_one_from_the_chunk_that_shows_it(
    tmp_path: Path, before: Callable[[int], str], after: Callable[[int], str], severity: str
) -> None:
    log = tmp_path / "app.log"
    lines = [before(number) for number in range(2000)] + [after(number) for number in range(2000, 6000)]
    log.write_text("".join(lines), encoding="utf-8")

    events = asyncio.run(shipped(tmp_path, log))

    assert [str(event["content"]) for event in events] == [line.rstrip("\n") for line in lines]
    right = [event for event in events[2000:] if event["severity"] == severity and "log.timestamp_source" not in event]
    assert len(right) >= 4000 - 800  # at most the chunk in which it changed


def test_a_file_met_with_its_first_line_is_known_when_it_has_grown(tmp_path: Path) -> None:
    """One line says little; a stack trace comes later and still is one record."""

    async def scene() -> list[Event]:
        log = tmp_path / "young.log"
        log.write_text(odd_line(0), encoding="utf-8")
        source: dict[str, object] = {"name": "app", "paths": [str(log)], "timestamp": {"timezone": "UTC"}}
        async with Receiver() as receiver:
            with AgentProcess(write_config(tmp_path, receiver.url, [source])) as agent:
                await receiver.wait_for(lambda: len(receiver.acked) == 1)
                for number in range(1, 14):
                    with log.open("a", encoding="utf-8") as file:
                        file.write(odd_line(number) + "  and more\n")
                    await receiver.wait_for(lambda: any(f"c {number}" in text for text in receiver.contents()))  # noqa: B023
                assert await agent.drained() == 0
        return receiver.acked

    events = asyncio.run(scene())

    assert all(str(event["content"]).endswith("\n  and more") for event in events[-4:])
    assert {event["severity"] for event in events[-4:]} == {"critical"}
