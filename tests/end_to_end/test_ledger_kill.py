"""Killed while a writer appends and rotates, the agent keeps accounts that hold: `verify` finds nothing to name.

SHIPPER_KILLS sets the number of kills, SHIPPER_SEED what is drawn.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from shipper.adapters.offsets_snapshot import Snapshot
from shipper.cli.verify import readings_by_name
from shipper.config import load
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.verify import Verified, verify
from tests.end_to_end.agent_process import AgentProcess, write_config
from tests.end_to_end.receiver import Receiver
from tests.end_to_end.test_kill import Writer
from tests.seeds import drawn_seed

KILLS = int(os.environ.get("SHIPPER_KILLS", "2"))
SOURCES: dict[str, dict[str, object]] = {
    "lines": {"format": "raw", "drop": ["7 x"]},
    "records": {"format": "raw", "multiline": {"start": r"line-\d*[05] ", "timeout": "200ms"}},
}


async def life_of_a_log(folder: Path, source: dict[str, object], rng: random.Random) -> list[Verified]:
    """Return what `verify` finds when the last of several agents, which were killed, has delivered all of it."""
    logs = folder / "logs"
    logs.mkdir()
    writer = Writer(logs / "app.log", rng)
    writer.append(10)
    async with Receiver() as receiver:
        config = write_config(folder, receiver.url, [{"name": "app", "paths": [str(logs / "app.log")], **source}])
        for _ in range(KILLS):
            with AgentProcess(config):
                await request_after(receiver, len(receiver.seen))
                end = asyncio.get_running_loop().time() + rng.uniform(0.2, 1.2)
                while asyncio.get_running_loop().time() < end:
                    writer.append(rng.randrange(1, 300))
                    if rng.random() < 0.03:
                        writer.rotate()
                    await asyncio.sleep(0.01)
            found = checked(config)
            assert [wrong for one in found for wrong in one.disagreements] == []
            writer.append(rng.randrange(5, 50))
        with AgentProcess(config) as agent:
            writer.append(2 if writer.written % 10 == 6 else 1)  # one that is not dropped
            last = f"line-{writer.written:07d}"
            await receiver.wait_for(lambda: any(last in text for text in reversed(receiver.contents())))
            assert await agent.drained() == 0
    return checked(config)


async def request_after(receiver: Receiver, count: int) -> None:
    """Wait until the agent has got so far that it sends."""
    await receiver.wait_for(lambda: len(receiver.seen) > count)


def checked(config: Path) -> list[Verified]:
    loaded = load(config, os.environ)
    with closing(MatchGuard()) as guard:
        return list(verify(Snapshot.open(loaded.state_dir), readings_by_name(loaded), guard, lambda _: True))


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_after_every_kill_the_ledger_agrees_with_the_files(source: dict[str, object], tmp_path: Path) -> None:
    found = asyncio.run(life_of_a_log(tmp_path, source, random.Random(drawn_seed())))

    assert [wrong for one in found for wrong in one.disagreements] == []
    assert sum(one.recounted for one in found) > 0
