"""Killed at any request of a bisection, the agent ends with the same dead letters and nothing lost.

A batch of 5,000 events over 40 files, three of them bad. SHIPPER_BISECTION_KILLS=all kills at every request
of the bisection (some two minutes); CI samples a few.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from shipper.adapters.offsets import OffsetStore
from tests.end_to_end import receiver as faults
from tests.end_to_end.agent_process import AgentProcess, write_config
from tests.end_to_end.receiver import Answer, Event, Receiver

FILES = 40
LINES = 125
BAD = {(3, 0), (17, 60), (39, LINES - 1)}
KILLS = range(1, 48) if os.environ.get("SHIPPER_BISECTION_KILLS") == "all" else (1, 2, 11, 30)


def line(file: int, number: int) -> str:
    return f"file {file:02d} line {number:03d}{' poison' if (file, number) in BAD else ''}"


def logs_of(folder: Path) -> dict[Path, list[str]]:
    """Return the lines of each log, before which stands a first one of a single line."""
    logs = {folder / f"{file:02d}.log": [line(file, number) for number in range(LINES)] for file in range(FILES)}
    return {folder / "first.log": ["the first line"], **logs}


def write(logs: dict[Path, list[str]]) -> None:
    for path, lines in logs.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(text + "\n" for text in lines), encoding="utf-8")


class KillAt:
    """Refuses poison, and leaves request *number* after the first without an answer."""

    def __init__(self, number: int) -> None:
        self.left = number + 1
        self.reached = asyncio.Event()

    def __call__(self, events: list[Event]) -> Answer | str:
        self.left -= 1
        if self.left > 0:
            return faults.refuse_content("poison")(events)
        self.reached.set()
        return "hang"


async def killed_at(request: int, folder: Path, logs: dict[Path, list[str]]) -> Receiver:
    async with Receiver() as receiver:
        kill = receiver.script = KillAt(request)
        source: dict[str, object] = {"name": "app", "paths": [f"{folder}/logs/*.log"], "format": "raw"}
        # What comes after a pause leaves at once. So one line does, and what is written then gathers until it is full.
        first, rest = dict(list(logs.items())[:1]), dict(list(logs.items())[1:])
        write(first)
        config = write_config(
            folder, receiver.url, [source],
            target_request_bytes="4MiB", max_request_events=FILES * LINES, flush_interval="1h",
        )  # fmt: skip
        with AgentProcess(config):
            await receiver.wait_for(lambda: len(receiver.acked) == 1)
            write(rest)
            await receiver.wait_for(kill.reached.is_set)
        receiver.script = faults.refuse_content("poison")
        with AgentProcess(write_config(folder, receiver.url, [source])) as agent:
            good = sum(map(len, logs.values())) - len(BAD)
            # At the last requests all good events have arrived before the kill: the letters tell that it went on.
            await receiver.wait_for(lambda: len(receiver.distinct) >= good and letters_written(folder) >= len(BAD))
            assert await agent.drained() == 0
        return receiver


def letters_written(folder: Path) -> int:
    return sum(segment.read_bytes().count(b"\n") for segment in (folder / "state" / "dead_letters").glob("*.ndjson"))


def letters(state_dir: Path) -> list[tuple[str, int, int, str, object]]:
    found = [
        json.loads(text)
        for segment in (state_dir / "dead_letters").glob("*.ndjson")
        for text in segment.read_text(encoding="utf-8").splitlines()
    ]
    return sorted((row["path"], row["start"], row["end"], row["reason"], row["event"]["content"]) for row in found)


def expected_letters(logs: dict[Path, list[str]]) -> list[tuple[str, int, int, str, object]]:
    expected = []
    for path, lines in logs.items():
        start = 0
        for text in lines:
            end = start + len(text) + 1
            if "poison" in text:
                expected.append((str(path), start, end, "rejected", text))
            start = end
    return sorted(expected)


def saved_offsets(state_dir: Path) -> dict[str, int]:
    store = OffsetStore.open(state_dir, now_ms=0)
    try:
        return {life.path: life.offset for life in store.load()}
    finally:
        store.close()


@pytest.mark.parametrize("request_number", KILLS)
def test_three_dead_letters_and_nothing_lost_whichever_request_it_is_killed_at(
    tmp_path: Path, request_number: int
) -> None:
    logs = logs_of(tmp_path / "logs")

    receiver = asyncio.run(killed_at(request_number, tmp_path, logs))

    assert [len(events) for events in receiver.seen[:2]] == [1, FILES * LINES]
    assert receiver.distinct == {text for lines in logs.values() for text in lines if "poison" not in text}
    assert letters(tmp_path / "state") == expected_letters(logs)
    assert saved_offsets(tmp_path / "state") == {str(path): path.stat().st_size for path in logs}
