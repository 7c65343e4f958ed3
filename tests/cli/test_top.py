"""`shipper top`: what keys do, what fits, and the whole of it on a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from shipper.adapters.control import NoAgent
from shipper.cli.top import top
from shipper.cli.top_keys import split_keys
from shipper.cli.top_state import Chosen
from shipper.cli.top_view import Latest, Screen, draw
from shipper.pipeline.health import Colour, HealthView, Reason
from shipper.pipeline.status import Answers, EndpointStatus, FileStatus, Latency, Problem, Rate, SourceStatus, Status
from shipper.pipeline.totals import Totals
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.agent_scene import Scene, play

NOW_MS = 1_795_464_000_000
SOURCES = [
    SourceStatus(name=f"source-{number:03d}", files={"following": number}, lag_bytes=lag, lag_seconds=seconds,
                 rate=Rate(records), steps=[0.0, 5.0, 9.0])
    for number, lag, seconds, records in ((1, 10, 5.0, 7.0), (2, 30, None, 900.0), (3, 20, 60.0, 0.0))
]  # fmt: skip


def status(sources: list[SourceStatus], reasons: int = 0) -> Status:
    found = [Reason(f"trouble_{n}", f"trouble {n} " + "x" * 300, NOW_MS - 1000) for n in range(reasons)]
    return Status(
        at_ms=NOW_MS, version="0.1.0", pid=1, started_ms=NOW_MS - 60_000,
        health=HealthView(Colour.RED if found else Colour.GREEN, tuple(found)),
        endpoint=EndpointStatus(url="u", state="answering", since_ms=NOW_MS, answers=[Answers("204", 5, NOW_MS)]),
        totals=Totals(), sources=sources, steps=[1.0, 2.0] * 15, append_to_ack=Latency(1, 0.1, 0.2),
        files=[FileStatus(id=f"{n}.0", source="s", path=f"/var/log/{'deep/' * 30}{n}.log", state="following",
                          generation=0, offset=1, size=2, unread_bytes=0, lag_bytes=1, lag_seconds=1.0, newest_ms=None,
                          problem=Problem("no", 1)) for n in range(60)],
    )  # fmt: skip


EVENTS = [Latest("2026-11-23T20:00:00.123Z", "error", "shop", f"event {n} \x1b[2J\n  at Shop.java") for n in range(40)]


def pressed(*keys: str, sources: list[SourceStatus] = SOURCES) -> Chosen:
    chosen = Chosen()
    for key in keys:
        chosen.press(key, chosen.sources(sources), len(chosen.sources(sources)))
    return chosen


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        pytest.param([], [1, 2, 3], id="as_configured"),
        pytest.param(["s"], [2, 3, 1], id="by_bytes_behind"),
        pytest.param(["s", "s"], [3, 1, 2], id="by_log_time"),
        pytest.param(["s", "s", "r"], [2, 1, 3], id="the_other_way_round"),
        pytest.param(["s", "s", "s"], [2, 1, 3], id="by_records"),
        pytest.param(["/", *"-002", "enter"], [2], id="filtered"),
        pytest.param(["/", *"-002", "backspace", *"3", "enter"], [3], id="filter_mended"),
        pytest.param(["/", *"-002", "escape"], [1, 2, 3], id="filter_given_up"),
        pytest.param(["/", *"-002", "enter", "escape"], [1, 2, 3], id="filter_taken_away"),
        pytest.param(["/", "q", "s", "enter"], [], id="letters_are_typed_not_obeyed"),
    ],
)
def test_sources_are_sorted_and_filtered_by_keys(keys: list[str], order: list[int]) -> None:
    chosen = pressed(*keys)

    assert [source.name for source in chosen.sources(SOURCES)] == [f"source-{number:03d}" for number in order]
    assert not chosen.over


@pytest.mark.parametrize(
    ("keys", "row"),
    [(["down"], 1), (["j", "j", "j", "j"], 2), (["end"], 2), (["down", "up", "k"], 0), (["page_down"], 2)],
)
def test_the_mark_stays_within_the_rows(keys: list[str], row: int) -> None:
    assert pressed(*keys).row == row


def test_enter_looks_into_the_marked_source_and_escape_goes_back() -> None:
    inside = pressed("s", "down", "enter")
    back = pressed("/", *"source", "enter", "down", "enter", "escape")

    assert (inside.source, inside.row) == ("source-003", 0)
    assert (back.source, back.filter) == (None, "source")


@pytest.mark.parametrize(("keys", "over"), [(["q"], True), (["p"], False), ([], False)])
def test_q_ends_it(keys: list[str], over: bool) -> None:
    assert pressed(*keys).over is over


@pytest.mark.parametrize(
    ("read", "keys"),
    [
        (b"\x1b[A", ["up"]), (b"\x1bOB", ["down"]), (b"\x1b", ["escape"]), (b"\x1b[5~q", ["page_up", "q"]),
        (b"jj\x1b[Bk", ["j", "j", "down", "k"]), ("ä/".encode(), ["ä", "/"]), (b"\x1b[1;5Cs", ["s"]),
        (b"\r\x7f", ["enter", "backspace"]), (b"\x01\xff", []), (b"\x1b\x1b[A", ["escape", "up"]),
    ],
)  # fmt: skip
def test_what_a_terminal_sends_is_told_apart(read: bytes, keys: list[str]) -> None:
    assert split_keys(read) == keys


def frame(chosen: Chosen, found: Status | None, screen: Screen, trouble: str = "") -> list[str]:
    out = Console(width=screen.width, height=screen.height, record=True, file=io.StringIO(), highlight=False)
    out.print(draw(chosen, found, trouble, EVENTS, screen))
    return out.export_text().split("\n")[:-1]


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (20, 5), (132, 50), (250, 16), (79, 10)], ids=str)
@pytest.mark.parametrize("reasons", [0, 5])
@pytest.mark.parametrize("source", [None, "s"])
def test_a_frame_is_just_as_large_as_the_terminal(size: tuple[int, int], reasons: int, source: str | None) -> None:
    many = [SourceStatus(name=f"source-{number}" + "y" * 90, steps=[1.0] * 30) for number in range(70)]
    chosen = Chosen()
    chosen.source, chosen.row = source, 55

    lines = frame(chosen, status(many, reasons), Screen(*size))

    assert len(lines) == size[1]
    assert max(map(len, lines)) <= size[0]
    assert not any("\x1b" in line for line in lines)


def test_the_marked_row_is_always_among_those_shown() -> None:
    many = [SourceStatus(name=f"source-{number}") for number in range(70)]
    for row in (0, 9, 35, 69):
        chosen = Chosen()
        chosen.row = row
        assert any(f"source-{row} " in line for line in frame(chosen, status(many), Screen(80, 24)))


def test_without_an_agent_the_frame_says_so() -> None:
    assert "nobody listens" in frame(Chosen(), None, Screen(80, 24), "nobody listens")[0]


def test_where_the_output_is_no_terminal_frames_are_printed(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "one")
        await scene.start()
        await scene.arrived(1)
        args = ["--frames", "2", "--interval", "100ms", "-c", str(scene.folder / "agent.yaml")]

        plain = await asyncio.to_thread(CliRunner().invoke, top, args, standalone_mode=False)
        lines = await asyncio.to_thread(CliRunner().invoke, top, [*args, "--json", "--source", "app"])

        assert plain.stdout.count("shipper green") == 2
        frames = [json.loads(line) for line in lines.stdout.splitlines()]
        assert [one["totals"]["read"] for one in frames] == [1, 1]
        assert frames[0]["files"][0]["source"] == "app"

    play(Scene(tmp_path), story)


def test_without_an_agent_there_is_nothing_to_print(tmp_path: Path) -> None:
    result = CliRunner().invoke(top, ["--state-dir", str(tmp_path)], standalone_mode=False)

    assert isinstance(result.exception, NoAgent)


def test_on_a_terminal_keys_are_obeyed_and_the_terminal_is_given_back(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "one")
        await scene.start()
        await scene.arrived(1)
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        before = termios.tcgetattr(terminal)
        process = subprocess.Popen(
            [sys.executable, "-m", "shipper", "top", "-c", str(scene.folder / "agent.yaml")],
            stdin=terminal, stdout=terminal, stderr=terminal, cwd=Path(__file__).parents[2],
            env={**os.environ, "TERM": "xterm", "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            await seen(controller, b"green")
            os.write(controller, b"\r")
            await seen(controller, b"app.log")
            os.write(controller, b"q")
            assert await asyncio.wait_for(asyncio.to_thread(process.wait), PATIENCE_SECONDS) == 0
            assert termios.tcgetattr(terminal)[:4] == before[:4]
        finally:
            process.kill()
            process.wait()
            os.close(controller)
            os.close(terminal)

    play(Scene(tmp_path), story)


async def seen(controller: int, wanted: bytes) -> None:
    """Read what is drawn until *wanted* stands in it."""
    drawn = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while wanted not in drawn:
            drawn += await asyncio.to_thread(os.read, controller, 65_536)
