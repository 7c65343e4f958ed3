"""What two workers of `shipper backfill` are worth on two cores: `python -m tests.benchmarks.backfill_cores`.

First what the machine has to give: a loop that only burns CPU, alone and
twice at a time; then two commands of one worker each at a time, with half of
the lines each and a sink each. Then one worker and two on the same lines.
Every case is run in every round, so that all meet the same neighbours; the
sink throws bodies away unseen (quiet_sink.py), and its CPU is told apart.

BENCH_LINES (3 million) and BENCH_RUNS (5) make it smaller or larger. Speeds
are those of the run without the start of the command, which is told beside
them: it is paid once, however much there is to send.
"""

from __future__ import annotations

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.backfill import ship
from tests.benchmarks.backfill_logs import access_lines
from tests.benchmarks.quiet_sink import QuietSink

LINES = int(os.environ.get("BENCH_LINES", "3000000"))
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
BURN = """
import time
began, turns = time.monotonic(), 0
while time.monotonic() - began < 2:
    for number in range(20000): turns += number & 1
print(turns)
"""


class Run(NamedTuple):
    """One run: wall seconds of all and of the sending alone; CPU seconds of workers, command and sink."""

    wall: float
    sending: float
    workers: float
    command: float
    sink: float
    peak_bytes: float


def burn(copies: int) -> float:
    """Return how much *copies* loops do together."""
    loops = [subprocess.Popen([sys.executable, "-c", BURN], stdout=subprocess.PIPE) for _ in range(copies)]
    return sum(float(loop.communicate()[0]) for loop in loops)


def once(folder: Path, *arguments: str) -> Run:
    """Send what *arguments* name with a state of its own."""
    served = QuietSink()
    with tempfile.TemporaryDirectory(dir=folder) as state:
        totals, wall, cpu = ship(Path(state), served.url, *arguments)
    sink = served.figures()["cpu"]
    served.close()
    workers = float(str(totals["cpu_seconds"]))
    return Run(wall, float(str(totals["seconds"])), workers, cpu - workers, sink, float(str(totals["peak_bytes"])))


def at_once(folder: Path, halves: list[str]) -> float:
    """Return how long two commands at a time take with half of it each, the slower one."""
    with ThreadPoolExecutor(2) as both:
        return max(run.sending for run in both.map(lambda half: once(folder, "--workers", "1", half), halves))


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = int(time.time()) - 20 * 3600
        halves, packed = [], []
        with (folder / "plain.log").open("wb") as plain:
            for number in range(2):
                half = folder / f"half{number}.log"
                text = b"".join(access_lines(number * LINES // 2, (number + 1) * LINES // 2, first))
                plain.write(text)
                half.write_bytes(text)
                Path(f"{half}.gz").write_bytes(gzip.compress(text, 6))
                halves.append(str(half))
                packed.append(f"{half}.gz")
        whole = str(folder / "plain.log")
        cases = {
            "plain, 1 worker": ["--workers", "1", whole],
            "plain, 2 workers, ordered": ["--workers", "2", whole],
            "plain, 2 workers, unordered": ["--workers", "2", "--unordered", whole],
            "two .gz, 1 worker": ["--workers", "1", *packed],
            "two .gz, 2 workers": ["--workers", "2", *packed],
        }
        results: dict[str, list[Run]] = {case: [] for case in cases}
        loops, pairs = [], []
        for _ in range(RUNS):
            loops.append(burn(2) / burn(1))
            for case, arguments in cases.items():
                results[case].append(once(folder, *arguments))
            pairs.append(results["plain, 1 worker"][-1].sending / at_once(folder, halves))
        report(results, loops, pairs)


def report(results: dict[str, list[Run]], loops: list[float], pairs: list[float]) -> None:
    """Print the middle of every figure, and the range of the ratios."""
    scale = LINES / 1e6
    print(f"{LINES:,} lines, {RUNS} rounds, load average {os.getloadavg()[0]:.1f}")
    print(f"two loops against one: {spread(loops)}; two commands against one: {spread(pairs)}")
    print("| what | lines/s | times one worker | CPU-s a million lines: workers, command, sink | start s | MB |")
    print("|---|---|---|---|---|---|")
    for case, runs in results.items():
        one = results["two .gz, 1 worker" if ".gz" in case else "plain, 1 worker"]
        ratios = [alone.sending / run.sending for alone, run in zip(one, runs, strict=True)]
        middle = Run(*(statistics.median(figures) for figures in zip(*runs, strict=True)))
        cpu = ", ".join(f"{figure / scale:.2f}" for figure in (middle.workers, middle.command, middle.sink))
        print(
            f"| {case} | {scale / middle.sending * 1e3:.0f}k | {spread(ratios)} | {cpu}"
            f" | {middle.wall - middle.sending:.1f} | {middle.peak_bytes / 1e6:.0f} |"
        )


def spread(ratios: list[float]) -> str:
    """Return the middle and the range."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


if __name__ == "__main__":
    main()
