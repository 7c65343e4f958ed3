"""`shipper selftest`: a fault drill on this host, with a real agent and a private endpoint, in a folder of its own.

Every line has a number, so what was delivered is known line by line. Nothing
of the host's own shipper is touched: another state folder, another port.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from shipper.pipeline.selftest_agent import DrillAgent
from shipper.pipeline.selftest_drills import DRILLS, Drill, Scene
from shipper.pipeline.selftest_endpoint import DrillEndpoint
from shipper.pipeline.selftest_writer import DrillWriter

LONGEST_SECONDS: Final = 115.0  # of all drills together, so that two minutes hold with the end of the agent
DRAIN_SECONDS: Final = 15.0
QUIET_SECONDS: Final = 0.3  # after the last line has arrived: what comes twice comes then
_LOOK_SECONDS: Final = 0.05


class Outcome(msgspec.Struct, frozen=True):
    """What became of the lines of one drill.

    Attributes:
        drill: Its name.
        what: What was done.
        faults: How often; a drill without one has shown nothing.
        written: Lines that were written.
        delivered: Of those, the ones that arrived.
        duplicated: Arrivals over one a line.
        lost: Lines that did not arrive in time.
        foreign: Events that are no line of it: cut or joined ones.
        seconds: How long it took.
    """

    drill: str
    what: str
    faults: int
    written: int
    delivered: int
    duplicated: int
    lost: int
    foreign: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the fault happened, and every line arrived as it was written."""
        return self.faults > 0 and self.lost == 0 and self.foreign == 0


async def drill_all(
    seconds: float,
    folder: Path | None = None,
    *,
    drills: Sequence[Drill] = DRILLS,
    patience_seconds: float = DRAIN_SECONDS,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Return what became of the lines under each fault; what was made for it is gone afterwards.

    Args:
        seconds: How long to do damage, over all drills.
        folder: Where the logs and the state of the drill lie meanwhile; default: the folder for temporary files.
        drills: Which.
        patience_seconds: How long a line may take to arrive, once the damage of its drill is over.
        on_outcome: Called with each, when it is known.

    Raises:
        ShipperError: The agent does not start.
    """
    endpoint = DrillEndpoint()
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_SECONDS
    outcomes = list[Outcome]()
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shipper-selftest-", dir=folder)))
        stack.push_async_callback(endpoint.stop)
        await endpoint.start()
        # Made before the agent starts: a log that is rotated away before its folder was ever looked at is nobody's.
        writers = [DrillWriter(place / one.name / "drill.log", one.name) for one in drills]
        for writer in writers:
            stack.callback(writer.close)
        agent = DrillAgent(_config(place, endpoint.url, drills))
        stack.push_async_callback(agent.kill)
        await agent.start()
        for drill, writer in zip(drills, writers, strict=True):
            outcome = await _one(drill, Scene(agent, endpoint, writer, seconds / len(drills)), patience_seconds, end)
            outcomes.append(outcome)
            on_outcome(outcome)
        await agent.stop()
    return outcomes


def _config(place: Path, url: str, drills: Sequence[Drill]) -> Path:
    path = place / "agent.yaml"
    sources = [{"name": one.name, "paths": [f"{place}/{one.name}/*.log"], "format": "raw"} for one in drills]
    document = {
        "state_dir": str(place / "state"),
        "endpoint": {"url": url, "flush_interval": "100ms", "retry": {"initial": "100ms", "max": "1s"}},
        "limits": {"scan": "500ms"},
        "sources": sources,
    }
    path.write_bytes(msgspec.json.encode(document))  # JSON is YAML
    return path


async def _one(drill: Drill, scene: Scene, patience_seconds: float, end: float) -> Outcome:
    loop = asyncio.get_running_loop()
    begun, endpoint = loop.time(), scene.endpoint
    faults = await drill.run(scene)
    scene.writer.close()
    lines = set(scene.writer.written)
    give_up = min(end, loop.time() + patience_seconds)
    while loop.time() < give_up and any(line not in endpoint.taken for line in lines):
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.sleep(QUIET_SECONDS)
    arrived = {line: count for line, count in endpoint.taken.items() if line in lines}
    foreign = sum(count for line, count in endpoint.taken.items() if line not in lines)
    endpoint.taken.clear()
    return Outcome(
        drill.name, drill.what, faults, len(lines), len(arrived), sum(arrived.values()) - len(arrived),
        len(lines) - len(arrived), foreign, round(loop.time() - begun, 1),
    )  # fmt: skip
