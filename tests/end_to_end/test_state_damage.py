"""The store breaks under a running agent, or comes back older than it was: the agent says so, and at most resends."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from shipper.adapters.offsets_snapshot import Snapshot
from shipper.cli.verify import readings_by_name
from shipper.config import load
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.verify import verify
from tests.end_to_end.agent_process import AgentProcess, write_config
from tests.end_to_end.receiver import Receiver
from tests.patience import PATIENCE_SECONDS


class Place:
    """A log, its agent's configuration, and the endpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.log = folder / "app.log"
        self.receiver = Receiver()
        self.written = 0

    async def __aenter__(self) -> Place:
        await self.receiver.start()
        source: dict[str, object] = {"name": "app", "paths": [str(self.log)], "format": "raw"}
        self.config = write_config(self.folder, self.receiver.url, [source])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.receiver.stop()

    def write(self, lines: int) -> None:
        with self.log.open("a") as file:
            for _ in range(lines):
                self.written += 1
                file.write(f"line {self.written:05}\n")

    async def all_arrived(self) -> None:
        await self.receiver.wait_for(lambda: len(self.receiver.distinct) >= self.written)

    def disagreements(self) -> list[object]:
        readings = readings_by_name(load(self.config, os.environ))
        with closing(MatchGuard()) as guard:
            found = list(verify(Snapshot.open(self.state), readings, guard, lambda _: True))
        return [wrong for one in found for wrong in one.disagreements]


def damage(state: Path) -> None:
    """Make the database's description of itself unreadable, as a page of garbage would."""
    with closing(sqlite3.connect(state / "offsets.db")) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE x(' WHERE name = 'lives'")
        database.execute("PRAGMA schema_version = 99")
        database.commit()


def test_an_agent_whose_store_breaks_stops_with_74_and_the_next_one_loses_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with Place(tmp_path) as place:
            place.write(100)
            with AgentProcess(place.config) as agent:
                await place.all_arrived()
                assert await agent.drained() == 0  # leaves a good copy
            with AgentProcess(place.config) as agent:
                place.write(100)
                await place.all_arrived()
                damage(place.state)
                place.write(50)

                status = await asyncio.to_thread(agent.process.wait, PATIENCE_SECONDS)

            said = agent.log.read_text()
            assert status == 74
            assert "offsets.db: damaged: malformed" in said
            assert "the agent stops; what is not saved is sent again" in said
            place.write(50)
            with AgentProcess(place.config) as agent:
                await place.all_arrived()
                assert await agent.drained() == 0
            times = Counter(place.receiver.contents())
            assert len(times) == place.written
            assert all(times[f"line {number:05}"] == 1 for number in range(1, 101))
            assert "event=state_recovered" in agent.log.read_text()
            assert place.disagreements() == []

    asyncio.run(story())


def test_a_store_that_comes_back_older_resends_what_came_since_and_its_ledger_agrees(tmp_path: Path) -> None:
    async def story() -> None:
        async with Place(tmp_path) as place:
            for run in range(3):
                place.write(100)
                with AgentProcess(place.config) as agent:
                    await place.all_arrived()
                    assert await agent.drained() == 0
                if run == 0:
                    shutil.copytree(place.state, tmp_path / "older")
            shutil.rmtree(place.state)
            shutil.copytree(tmp_path / "older", place.state)
            place.write(100)

            with AgentProcess(place.config) as agent:
                await place.receiver.wait_for(lambda: len(place.receiver.acked) >= 600)
                assert await agent.drained() == 0

            times = Counter(place.receiver.contents())
            assert [times[f"line {number:05}"] for number in (1, 100, 101, 300, 301, 400)] == [1, 1, 2, 2, 1, 1]
            assert place.disagreements() == []

    asyncio.run(story())
