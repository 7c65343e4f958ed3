"""`shipper status` as an operator runs it: with an agent, without one, on any width."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from shipper.adapters.dead_letters import DIRECTORY
from shipper.adapters.offsets import Life, LifeState, OffsetStore
from shipper.cli.status import status
from shipper.cli.status_text import lag, lasting, number, sparkline, stamp
from shipper.cli.status_view import status_page
from shipper.errors import ShipperError, UsageError
from shipper.pipeline.forecast import Forecast
from shipper.pipeline.health import Colour, HealthView, Reason
from shipper.pipeline.status import (
    Answers,
    Backlog,
    DeadLetterStatus,
    EndpointStatus,
    FileStatus,
    Latency,
    Problem,
    Rate,
    SourceStatus,
    Status,
)
from shipper.pipeline.totals import Totals
from tests.faults.disks import small_disk
from tests.pipeline.agent_scene import Scene, play

NOW_MS = 1_795_464_000_000


def run(*args: str, columns: int = 250) -> Result:
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(status, args, standalone_mode=False)
    if result.exception and not isinstance(result.exception, ShipperError):
        raise result.exception
    return result


def everything(health: HealthView) -> Status:
    return Status(
        at_ms=NOW_MS, version="0.1.0", pid=4711, started_ms=NOW_MS - 7_384_000, state_dir="/var/lib/shipper",
        ready=True, health=health,
        endpoint=EndpointStatus(
            url="http://127.0.0.1:14499/v2/logs/ingest", state="refusing", since_ms=NOW_MS - 61_000, status=503,
            message="the queue is full", attempts=7, requests=1234,
            answers=[Answers("204", 1227, NOW_MS - 61_000), Answers("503", 7, NOW_MS - 400)],
        ),
        backlog=Backlog(unread_bytes=5 << 20, lag_bytes=6 << 20, lag_seconds=61.4, held_bytes=1 << 20,
                        budget_bytes=16 << 20, pending_records=900),
        rate=Rate(120.4, 14_000.0, 1_000.0, 120_000.0),
        append_to_ack=Latency(1000, 0.05, 0.21),
        totals=Totals(files=3, read=2_000_000, acked=1_999_000, filtered={"drop": 99}, dead_lettered={"rejected": 1},
                      pending=900, lost_bytes=4096),
        dead_letters=DeadLetterStatus(1, 812, 256 << 20),
        forecasts=[Forecast(kind="deletion", unread_bytes=180 << 20, in_seconds=420.0,
                            text="app.log.5 is deleted in about 7 min with 180 MiB unread")],
        sources=[
            SourceStatus(
                name="shop", files={"following": 2}, lag_bytes=6 << 20, lag_seconds=61.4, newest_ms=NOW_MS,
                rate=Rate(120.4, 14_000.0, 1_000.0, 120_000.0), counts={"acked": 1_999_000},
                problem=Problem("/var/log/shop/[secret].log: permission denied", NOW_MS - 5_000), problems=2,
            ),
            SourceStatus(name="a-source-with-a-name-that-goes-on-and-on-for-longer-than-a-phone-is-wide"),
        ],
        files=[
            FileStatus(
                id="12.3", source="shop", path="/var/log/shop/caf\udce9/[a]/orders.log", state="following",
                generation=3, offset=123_456_789, size=130_000_000, unread_bytes=5 << 20, lag_bytes=6 << 20,
                lag_seconds=61.4, newest_ms=NOW_MS, layout="log4j",
            )
        ],
        files_left_out=4,
        skipped={"binary (NUL bytes)": 1, "Permission denied": 3},
    )  # fmt: skip


RED = HealthView(Colour.RED, (Reason("file_stalled", "orders.log grew and was not read", NOW_MS - 90_000),))


def printed(width: int) -> list[str]:
    out = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    out.print(status_page(everything(RED), width, files=True))
    return out.export_text().splitlines()


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 132, 250])
def test_it_fits_any_terminal_and_says_what_matters_on_each(width: int) -> None:
    lines = printed(width)

    text = "".join("".join(lines).split())  # however it is folded
    assert max(map(len, lines)) <= width
    for word in (
        "red", "orders.loggrewandwasnotread(1min30s)", "refusingfor1min1s", "thequeueisfull", "204x1,227", "503x7",
        "6.0MiB", "1min1s", "900ontheirway", "4.0KiBlostunread", "isdeletedinabout7min",
        "[secret].log:permissiondenied", "12.3", "4morefiles",
        "3permissiondenied,1binary(NULbytes)",
    ):  # fmt: skip
        assert word in text, f"{word} at {width}"


def test_an_endpoint_that_was_never_asked_is_unknown_and_why() -> None:
    quiet = Status(at_ms=NOW_MS, health=HealthView(Colour.GREEN, ()), endpoint=EndpointStatus(url="http://x"),
                   totals=Totals(files=0))  # fmt: skip
    out = Console(width=80, record=True, file=io.StringIO(), highlight=False)

    out.print(status_page(quiet, 80, files=False))

    assert "unknown: nothing was sent yet" in out.export_text()


def test_names_that_are_no_unicode_are_printed_as_escapes() -> None:
    assert any(r"caf\xe9/[a]/orders.log" in line for line in printed(250))


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    log = tmp_path / "app.log"
    log.write_bytes(b"x" * 150)
    found = log.stat()
    directory = tmp_path / "state"
    store = OffsetStore.open(directory, now_ms=NOW_MS)
    store.commit(
        [
            Life(file_id=1, generation=0, source="app", path=str(log), device=found.st_dev, inode=found.st_ino,
                 offset=100, size=120, changed_ms=NOW_MS),
            Life(file_id=2, generation=0, source="app", path=str(tmp_path / "gone.log"), device=1, inode=2,
                 offset=40, size=40, changed_ms=NOW_MS),
            Life(file_id=3, generation=0, source="app", path=str(tmp_path / "old.log"), device=1, inode=3,
                 offset=9, size=99, state=LifeState.ORPHAN, changed_ms=NOW_MS),
        ]
    )  # fmt: skip
    store.close()
    return directory


def test_without_an_agent_it_says_so_and_shows_what_the_state_knows(state_dir: Path) -> None:
    (state_dir / DIRECTORY).mkdir(exist_ok=True)
    (state_dir / DIRECTORY / "1.ndjson").write_bytes(b"x" * 2048)
    before = {path.name: path.stat().st_mtime_ns for path in state_dir.iterdir()}

    text = run("--state-dir", str(state_dir), "--source", "app")
    listed = run("--state-dir", str(state_dir), "--json")

    assert (text.return_value, listed.return_value) == (1, 1)
    assert "is not running" in text.stdout
    assert "2.0 KiB of 256.0 MiB: shipper dlq list" in text.stdout
    assert "offsets were saved last at 2026-11-23T20:00:00.000Z" in text.stdout
    found = json.loads(listed.stdout)
    assert (found["agent"], found["health"]["colour"]) == ("stopped", "red")
    assert [(file["id"], file["offset"], file["size"], file["lag_bytes"]) for file in found["files"]] == [
        ("1.0", 100, 150, 50), ("2.0", 40, 40, 0), ("3.0", 9, 99, 0)]  # fmt: skip
    assert {path.name: path.stat().st_mtime_ns for path in state_dir.iterdir()} == before


def test_where_no_agent_has_ever_run_nothing_is_made(tmp_path: Path) -> None:
    result = run("--state-dir", str(tmp_path / "state"))

    assert result.return_value == 1
    assert "no agent has run with this state_dir" in result.stdout
    assert not (tmp_path / "state").exists()


def test_a_source_that_is_not_there_is_wrong_usage(state_dir: Path) -> None:
    result = run("--state-dir", str(state_dir), "--source", "shop")

    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "shop: no such source; there are: app"


def test_a_running_agent_is_asked(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "one", "two", "three")
        agent = await scene.start()
        await scene.arrived(3)
        await agent.parts.sender.drain(10)
        config = str(scene.folder / "agent.yaml")

        listed = await asyncio.to_thread(run, "-c", config, "--json")
        text = await asyncio.to_thread(run, "-c", config)
        unknown = await asyncio.to_thread(run, "-c", config, "--source", "shop")
        agent.parts.health.raise_("file_stalled", "app.log grew and was not read")
        red = await asyncio.to_thread(run, "-c", config)

        found = json.loads(listed.stdout)
        assert (listed.return_value, text.return_value, red.return_value) == (0, 0, 1)
        assert (found["agent"], found["health"]["colour"], found["totals"]["read"]) == ("running", "green", 3)
        assert found["files"][0]["path"].endswith("app.log")
        assert text.stdout.startswith("shipper green")
        assert isinstance(unknown.exception, UsageError)
        assert "app.log grew and was not read" in red.stdout

    play(Scene(tmp_path), story)


def test_on_a_full_disk_what_is_acknowledged_and_not_saved_is_said_as_such(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "saved")
        agent = await scene.start()
        await scene.arrived(1)
        assert await agent.parts.sender.drain(10)
        assert await agent.parts.committer.save()
        disk.fill()
        scene.append("app.log", *(f"line {number}" for number in range(40)))
        await scene.receiver.wait_for(lambda: agent.parts.committer.failing is not None)
        await scene.arrived(41)
        await agent.parts.sender.drain(10)
        config = str(scene.folder / "agent.yaml")

        full = json.loads((await asyncio.to_thread(run, "-c", config, "--json")).stdout)
        text = (await asyncio.to_thread(run, "-c", config)).stdout
        disk.make_room()
        await scene.receiver.wait_for(lambda: agent.parts.committer.failing is None)

        assert (full["totals"]["acked"], full["unsaved_records"]) == (41, 40)
        assert "acknowledged, not saved yet: 40 records; a crash now would send them again" in text
        assert agent.parts.committer.unsaved_acked == 0

    with small_disk(tmp_path / "state") as disk:
        play(Scene(tmp_path), story)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (60, "1 min"), (61, "1 min 1 s"), (3_600, "1 h"),
     (7_384, "2 h 3 min"), (86_400 * 3 + 60, "3 d"), (86_400 * 3 + 7_300, "3 d 2 h")],
)  # fmt: skip
def test_a_span_of_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


def test_figures_are_written_as_people_read_them() -> None:
    assert [number(n) for n in (0, 0.04, 3.94, 9.96, 12.3, 1234.5)] == ["0", "0", "3.9", "10", "12", "1,234"]
    assert [lag(None), lag(0.0), lag(75.0)] == ["-", "0 s", "1 min 15 s"]
    assert [stamp(None), stamp(NOW_MS), stamp(1 << 62)] == ["-", "2026-11-23 20:00:00Z", "-"]


def test_a_curve_is_as_wide_as_it_may_be_and_shows_the_latest() -> None:
    assert sparkline([0, 1, 2, 4, 8], 4) == "▂▃▅█"
    assert sparkline([0, 0], 9) == "▁▁"
    assert sparkline([1, 8], 9, plain=True).isascii()
    assert sparkline([1, 2], 0) == ""
