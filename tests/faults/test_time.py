"""A wall clock that jumps, creeps and turns years under a running agent: nothing waits for it, nothing is lost.

The clock is libfaketime's (Debian: faketime); without it these tests are skipped. What a stamp means is
tests/core/test_timestamps.py's matter: here it is read by a whole agent on the day itself.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
DAY_SECONDS = 86_400
pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")

STEPS = {
    "one hour forward": "+3600",
    "one hour back": "-3600",
    "one day forward": f"+{DAY_SECONDS}",
    "one day back": f"-{DAY_SECONDS}",
    "to the true time": "+0",
}
SLEWED_SECONDS = [0.05 * number for number in range(40)]  # as NTP does it, but quicker: two seconds within one


class Clock:
    """What a process believes the time to be; its monotonic clock goes on as it is."""

    def __init__(self, scene: Scene) -> None:
        self._file = scene.folder / "clock"
        scene.environ = {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.set("+0")

    def set(self, text: str) -> None:
        """Let it be *text*, as faketime reads it, from now on."""
        beside = self._file.with_suffix(".new")
        beside.write_text(text + "\n", encoding="ascii")
        beside.rename(self._file)

    def go_to(self, instant: str) -> None:
        """Let it be *instant* now, and go on from there."""
        then = datetime.fromisoformat(instant).replace(tzinfo=UTC).timestamp()
        self.set(f"{then - time.time():+.3f}")


def timestamps(scene: Scene, name: str) -> list[str]:
    return [str(event["timestamp"]) for event in scene.receiver.acked if event["log.file.name"] == name]


def test_a_clock_that_is_set_stops_nobody(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.append("app.log", "first")
        await scene.arrived()
        for name, step in STEPS.items():
            clock.set(step)
            written = [f"{name} {number}" for number in range(100)]
            scene.append("app.log", *written)
            await scene.arrived()
            arrived = [text for text in scene.receiver.contents() if text in set(written)]
            found = outcome(f"time: {name}", written, arrived)
            assert found.kept
            assert not found.duplicated
        for seconds in (*SLEWED_SECONDS, *reversed(SLEWED_SECONDS)):
            clock.set(f"{seconds:+.2f}")
            scene.append("app.log", f"slewed by {seconds:.2f}, {len(scene.written)}")
            await asyncio.sleep(0.02)
        await scene.arrived()
        slewed = [text for text in scene.written if text.startswith("slewed")]
        assert outcome("time: slewed", slewed, scene.receiver.contents("slewed")).kept
        days = {stamp[:10] for stamp in timestamps(scene, "app.log")}
        assert len(days) >= 3, "the agent has not seen the clock that was set"
        await scene.turns("green")
        assert await scene.stop() == 0

    scene = Scene(tmp_path)
    clock = Clock(scene)
    play(scene, story)


def put(scene: Scene, name: str, written_at: str, *lines: str) -> None:
    """Let a file that was written at an instant appear at once."""
    beside = scene.folder / name
    beside.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    seconds = datetime.fromisoformat(written_at).replace(tzinfo=UTC).timestamp()
    os.utime(beside, (seconds, seconds))
    beside.rename(scene.logs / name)
    scene.written += lines


DAYS: dict[str, tuple[str, str, tuple[str, ...], list[str]]] = {
    "year end, stamps without a year": (
        "yearless-new-year.log", "2028-01-01T00:00:05",
        ("Dec 31 23:59:59 the old year", "Jan  1 00:00:01 the new year"),
        ["2027-12-31T23:59:59.000Z", "2028-01-01T00:00:01.000Z"],
    ),
    "Feb 29, stamps without a year": (
        "yearless-leap.log", "2028-03-01T00:00:05",
        ("Feb 29 23:59:59 the leap day", "Mar  1 00:00:01 the day after"),
        ["2028-02-29T23:59:59.000Z", "2028-03-01T00:00:01.000Z"],
    ),
    "DST ends: an hour comes twice": (
        "zoned-autumn.log", "2026-10-25T01:30:00",
        ("2026-10-25 02:59:59 summer", "2026-10-25 02:00:01 winter", "2026-10-25 02:10:00 winter"),
        ["2026-10-25T00:59:59.000Z", "2026-10-25T01:00:01.000Z", "2026-10-25T01:10:00.000Z"],
    ),
    "DST begins: an hour is left out": (
        "zoned-spring.log", "2026-03-29T01:30:00",
        ("2026-03-29 01:59:59 winter", "2026-03-29 03:00:01 summer"),
        ["2026-03-29T00:59:59.000Z", "2026-03-29T01:00:01.000Z"],
    ),
    "epoch in s, ms, us, ns": (
        "epoch.log", "2028-06-01T00:00:05",
        tuple(f"{1_843_430_400 * scale} epoch" for scale in (1, 1_000, 1_000_000, 1_000_000_000)),
        ["2028-06-01T00:00:00.000Z"] * 4,
    ),
}  # fmt: skip
SOURCES: list[dict[str, object]] = [
    {
        "name": "yearless", "pattern": r"^(?P<timestamp>\w{3} +\d+ \d\d:\d\d:\d\d) ",
        "timestamp": {"formats": ["rfc3164"], "timezone": "UTC"},
    },
    {
        "name": "zoned", "pattern": r"^(?P<timestamp>\S+ \S+) ",
        "timestamp": {"formats": ["%Y-%m-%d %H:%M:%S"], "timezone": "Europe/Vienna"},
    },
    {
        "name": "epoch", "pattern": r"^(?P<timestamp>\d+) ",
        "timestamp": {"formats": ["epoch_s", "epoch_ms", "epoch_us", "epoch_ns"]},
    },
]  # fmt: skip


def test_on_days_that_are_out_of_the_ordinary_stamps_mean_what_they_say(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        for name, (file, now, written, expected) in DAYS.items():
            clock.go_to(now)
            put(scene, file, now, *written)
            await scene.arrived()
            assert timestamps(scene, file) == expected
            arrived = [str(event["content"]) for event in scene.receiver.acked if event["log.file.name"] == file]
            assert outcome(f"time: {name}", written, arrived).kept
        assert await scene.stop() == 0

    scene = Scene(tmp_path)
    for source in SOURCES:
        scene.more_sources.append({**source, "paths": [f"{scene.logs}/{source['name']}*.log"]})
    clock = Clock(scene)
    play(scene, story)


def test_stamps_and_files_of_the_future_are_shipped_with_a_time_that_the_endpoint_takes(tmp_path: Path) -> None:
    """A stamp an hour ahead is beyond the ten minutes that the API takes: it keeps its own beside a new one."""

    async def story(scene: Scene) -> None:
        await scene.start()
        clock.go_to("2028-06-01T12:00:00")
        put(scene, "zoned.log", "2031-01-01T00:00:00", "2028-06-01 15:00:00 an hour ahead", "2028-06-01 14:05:00 a bit")
        await scene.arrived()
        scene.append("zoned.log", "2028-06-01 14:06:00 after a file of the future")
        await scene.arrived()

        ahead = scene.receiver.acked[0]
        assert ahead["log.original_timestamp"] == "2028-06-01T13:00:00.000Z"
        assert str(ahead["timestamp"]).startswith("2028-06-01T12:0")
        assert timestamps(scene, "zoned.log")[1:] == ["2028-06-01T12:05:00.000Z", "2028-06-01T12:06:00.000Z"]
        assert outcome("time: stamp and mtime of the future", scene.written, scene.receiver.contents()).kept
        assert await scene.stop() == 0

    scene = Scene(tmp_path)
    scene.more_sources.append({**SOURCES[1], "paths": [f"{scene.logs}/zoned.log"]})
    clock = Clock(scene)
    play(scene, story)
