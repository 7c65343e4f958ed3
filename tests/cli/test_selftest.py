"""`shipper selftest`: it does the damage, counts every line, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from rich.console import Console

from shipper.adapters.host_processes import programs
from shipper.cli.selftest import print_report
from shipper.pipeline.selftest import Outcome, drill_all
from shipper.pipeline.selftest_drills import DRILLS, Drill, Scene
from shipper.pipeline.selftest_endpoint import take_all
from tests.patience import PATIENCE_SECONDS

PROJECT = Path(__file__).parents[2]
LOST = Outcome("kill", "the agent is killed", 3, 100, 99, 2, 1, 0, 1.0)
FINE = Outcome("busy", "the endpoint answers 429", 1, 100, 100, 0, 0, 0, 1.0)
NO_FAULT = Outcome("down", "nothing listens", 0, 100, 100, 0, 0, 0, 1.0)
CUT = Outcome("rename", "rotated", 1, 100, 100, 0, 0, 4, 1.0)


async def forget(scene: Scene) -> int:
    """Acknowledge lines and lose them, as no endpoint may."""
    scene.endpoint.refuse = lambda events: web.Response(status=204)
    await scene.writer.write_for(0.1)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not scene.endpoint.refusals:
            await asyncio.sleep(0.01)
    scene.endpoint.refuse = take_all
    return 1


def agents_in(folder: Path) -> list[int]:
    """Return the agents (not the self-tests) that were started for it."""
    return [one.pid for one in programs() if "run" in one.command and str(folder) in one.command[-1]]


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command for as long as the block lasts, and with it what it has started."""
    with subprocess.Popen(
        [sys.executable, "-m", "shipper", "selftest", "--folder", str(folder), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT, start_new_session=True,
    ) as child:  # fmt: skip
        try:
            yield child
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def test_every_fault_is_made_and_no_line_is_lost(tmp_path: Path) -> None:
    with started(tmp_path, "--minutes", "0.05", "--json") as child:
        stdout, stderr = child.communicate(timeout=3 * PATIENCE_SECONDS)

    report = json.loads(stdout)
    rows = {row["drill"]: row for row in report["drills"]}
    assert (child.returncode, report["passed"], stderr) == (0, True, "")
    assert list(rows) == [drill.name for drill in DRILLS]
    assert {name: (row["lost"], row["foreign"], row["passed"]) for name, row in rows.items()} == dict.fromkeys(
        rows, (0, 0, True)
    )
    assert all(row["faults"] and row["written"] == row["delivered"] > 100 for row in rows.values())
    assert rows["stop"]["duplicated"] == 0
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_ended_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with started(tmp_path, "--minutes", "1") as child:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not agents_in(tmp_path):
            assert child.poll() is None
            assert time.monotonic() < deadline
        os.kill(child.pid, signal.SIGTERM)
        child.communicate(timeout=PATIENCE_SECONDS)

    assert child.returncode == 1
    assert list(tmp_path.iterdir()) == []
    assert agents_in(tmp_path) == []


def test_a_line_that_does_not_arrive_is_counted_as_lost(tmp_path: Path) -> None:
    drills = [Drill("forget", "acknowledged and lost", forget)]

    (outcome,) = asyncio.run(drill_all(0.1, tmp_path, drills=drills, patience_seconds=0.5))

    assert outcome.lost > 0
    assert outcome.lost + outcome.delivered == outcome.written
    assert not outcome.passed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("outcome", "passed"), [(FINE, True), (LOST, False), (NO_FAULT, False), (CUT, False)], ids=lambda one: str(one)[:30]
)
def test_a_drill_passes_only_where_the_fault_happened_and_all_arrived(outcome: Outcome, passed: bool) -> None:
    assert outcome.passed is passed


@pytest.mark.parametrize("columns", [40, 120])
def test_the_report_fits_the_terminal(columns: int) -> None:
    out = Console(width=columns, file=io.StringIO())

    print_report([FINE, LOST, NO_FAULT, CUT], out)

    assert isinstance(out.file, io.StringIO)
    lines = out.file.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    assert "400 lines, 1 lost, 2 delivered twice, 4 events that nobody wrote" in text
    assert "not shown, because the fault could not be made: down" in text
