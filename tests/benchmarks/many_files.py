"""What many files cost: start-up, idle and active CPU, memory, descriptors.

`python -m tests.benchmarks.many_files FILES ACTIVE [SECONDS]`: FILES files of one line each in folders of 1,000, all of
them shipped; then SECONDS (60) without a change; then ten rounds of one new line for each of ACTIVE files. Figures are
of the shipper's process alone, CPU from /proc/PID/stat, and of a machine that may be busy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.benchmarks.report import SinkProcess, peak_rss_mb

FOLDER_FILES: Final = 1_000
ROUNDS: Final = 10
PATIENCE_SECONDS: Final = 900.0
LINE: Final = "2026-11-26T00:00:00.000Z INFO round {} of {} " + "x" * 60 + "\n"


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process now, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def descriptors(pid: int) -> int:
    """Return how many files a process holds open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def make_files(folder: Path, count: int) -> list[Path]:
    """Write *count* files of one line."""
    paths = [folder / f"{number // FOLDER_FILES:03d}" / f"application-{number:06d}.log" for number in range(count)]
    for directory in {path.parent for path in paths}:
        directory.mkdir(parents=True)
    for path in paths:
        path.write_text(LINE.format("first", path.name), encoding="ascii")
    return paths


def wait_for(sink: SinkProcess, events: int) -> float:
    """Wait until *events* have arrived; return how long that took."""
    started = time.monotonic()
    while int(str(sink.ask("count")["events"])) < events:
        if time.monotonic() - started > PATIENCE_SECONDS:
            raise SystemExit(f"{events} events did not arrive: {sink.ask('count')}")
        time.sleep(0.1)
    return time.monotonic() - started


def measure(folder: Path, files: int, active: int, seconds: float) -> dict[str, float]:
    """Return the figures, by name."""
    paths = make_files(folder / "logs", files)
    found: dict[str, float] = {}
    with SinkProcess() as sink:
        config = folder / "agent.yaml"
        config.write_text(
            json.dumps(
                {
                    "state_dir": str(folder / "state"),
                    "endpoint": {"url": f"http://127.0.0.1:{sink.port}/v2/logs/ingest"},
                    "sources": [
                        {"name": "b", "paths": [f"{folder}/logs/**/*.log"], "pattern": "^(?P<timestamp>\\S+) "}
                    ],
                }
            ),
            encoding="utf-8",
        )
        for start in ("first_start", "second_start"):
            agent = subprocess.Popen(
                [sys.executable, "-m", "shipper", "run", "-c", str(config)], stderr=(folder / "log").open("ab")
            )
            pid = agent.pid
            try:
                if start == "first_start":
                    found[f"{start}_seconds"] = wait_for(sink, files)
                    found[f"{start}_cpu"] = cpu_seconds(pid)
                    found[f"{start}_rss_mb"] = rss_mb(pid)
                    found[f"{start}_peak_mb"] = peak_rss_mb(pid)
                    time.sleep(max(5.0, files / 5_000))
                    continue
                with paths[0].open("a", encoding="ascii") as file:
                    file.write(LINE.format("second", 0))
                found[f"{start}_seconds"] = wait_for(sink, files + 1)
                found[f"{start}_cpu"] = cpu_seconds(pid)
                found[f"{start}_rss_mb"] = rss_mb(pid)
                time.sleep(max(5.0, files / 5_000))
                before = cpu_seconds(pid)
                time.sleep(seconds)
                found["idle_percent"] = 100 * (cpu_seconds(pid) - before) / seconds
                found["idle_rss_mb"] = rss_mb(pid)
                before, started = cpu_seconds(pid), time.monotonic()
                for number in range(ROUNDS):
                    for path in paths[:active]:
                        with path.open("a", encoding="ascii") as file:
                            file.write(LINE.format(number, path.name))
                found["writing_seconds"] = time.monotonic() - started
                wait_for(sink, files + 1 + ROUNDS * active)
                found["active_seconds"] = time.monotonic() - started
                found["active_cpu"] = cpu_seconds(pid) - before
                found["descriptors"] = descriptors(pid)
                found["peak_mb"] = peak_rss_mb(pid)
            finally:
                agent.terminate()
                agent.wait()
    return found


def main(files: int, active: int, seconds: float) -> None:
    """Measure and print one line of JSON."""
    with tempfile.TemporaryDirectory(prefix="many-files-") as folder:
        figures = measure(Path(folder), files, active, seconds)
    print(json.dumps({"files": files, "active": active, **{name: round(value, 2) for name, value in figures.items()}}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 60.0)
