"""Files whose rows a command changes: nobody else may take them up meanwhile."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, OffsetStore
from shipper.errors import StateDamaged, StateError
from shipper.pipeline import seats, state_commands
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from shipper.pipeline.reads import READ_BYTES
from shipper.pipeline.seats import Seats
from tests.end_to_end import receiver as faults
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.agent_scene import Scene, play

LINES = ["one", "two", "three"]


@pytest.mark.parametrize("command", ["rewind", "forget"])
def test_a_scan_that_comes_while_a_row_changes_takes_its_file_for_no_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    change = getattr(state_commands, f"_{command}")

    def slowly(*arguments: object) -> object:
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        return change(*arguments)

    monkeypatch.setattr(state_commands, f"_{command}", slowly)

    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.arrived(3)
        await agent.scanned(1)
        parts = agent.parts
        handlers = Seats(parts, Journal(scene.said.append)).handlers()
        changing = asyncio.ensure_future(handlers[f"state.{command}"]({"name": str(log)}))
        await scene.receiver.wait_for(begun.is_set)
        looked = parts.census.looks._looking_since
        parts.following.scan_soon()
        with suppress(TimeoutError):
            await scene.receiver.wait_for(lambda: parts.census.looks._looking_since != looked, 0.5)
        go_on.set()
        await changing
        await scene.arrived(6)
        scene.append("app.log", "four")
        await scene.arrived(7)
        await agent.scanned(2)

        assert len(parts.tailer.followed) == 1
        assert sorted(scene.receiver.contents()) == sorted([*LINES, *LINES, "four"])

    play(Scene(tmp_path), story)


async def rewound(agent: Agent, scene: Scene, name: Path) -> object:
    seats_of_it = Seats(agent.parts, Journal(scene.said.append))
    return await seats_of_it.handlers()["state.rewind"]({"name": str(name)})


def test_what_was_read_ahead_of_a_file_that_a_command_takes_away_takes_no_memory_any_more(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.receiver.script = faults.always(503)
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        tailer = agent.parts.tailer
        tailer.reads._from_cache = False  # as of a disk that must be asked
        tailer.reads.ahead(next(iter(tailer.followed.values())))
        assert tailer.reads.held_bytes == READ_BYTES

        await rewound(agent, scene, log)

        assert tailer.reads.held_bytes == 0
        scene.receiver.script = faults.accept
        await scene.receiver.wait_for(lambda: set(LINES) <= scene.receiver.distinct)

    play(Scene(tmp_path), story)


def failing(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Let the first looks at the rows that follow the command's change end in *errors*."""
    load, waiting = OffsetStore.load, list(errors)

    def load_later(store: OffsetStore) -> list[Life]:
        rows = load(store)
        if rows and rows[0].offset == 0 and waiting:  # the command has changed it
            raise waiting.pop(0)
        return rows

    monkeypatch.setattr(OffsetStore, "load", load_later)
    monkeypatch.setattr(seats, "RETRY_SECONDS", 0.05)


def test_rows_that_cannot_be_read_after_a_command_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.arrived(3)
        await agent.parts.sender.drain(PATIENCE_SECONDS)
        await agent.parts.committer.save()
        failing(monkeypatch, *[StateError("offsets.db: disk I/O error")] * 3)

        await rewound(agent, scene, log)
        await scene.arrived(6)

        assert len(agent.parts.tailer.followed) == 1
        assert scene.events_said().count("state_not_read") == 1
        assert scene.receiver.contents() == LINES * 2

    play(Scene(tmp_path), story)


def test_a_store_that_is_found_damaged_after_a_command_ends_the_agent_and_nothing_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a scan would take the file for a new one, and all of it would be sent once more."""

    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.arrived(3)
        await agent.parts.sender.drain(PATIENCE_SECONDS)
        await agent.parts.committer.save()
        failing(monkeypatch, StateDamaged("offsets.db: damaged"))

        with pytest.raises(StateDamaged):
            await rewound(agent, scene, log)
        with pytest.raises(StateDamaged):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await agent._tasks.until(asyncio.Event().wait())

        assert scene.receiver.contents() == LINES

    play(Scene(tmp_path), story)
