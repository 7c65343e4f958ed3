"""What `shipper backfill` costs and keeps: `python -m tests.benchmarks.backfill`, all of it or by name.

proof       5 million lines over plain, .gz, .bz2, .xz, .zst: plan, run, second run; then kill -9 ten times, and finish
throughput  a plain file and a .gz, one worker and two, ordered and not: lines/s, CPU-seconds a million lines
window      --since/--until on 2 GB of plain text: time to the first event, the count against a scan of all of it
memory      the largest worker on the longest lines, the largest file, every packing

BENCH_LINES and BENCH_RUNS make them smaller. CPU seconds are those of the command and its workers together.
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import zstandard

from shipper.adapters.compressed import CompressedFile
from tests.benchmarks.backfill_logs import PACKINGS, access_lines, corpus, write_plain
from tests.benchmarks.backfill_sink import SinkProcess

LINES = int(os.environ.get("BENCH_LINES", "5000000"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
KILLS = int(os.environ.get("BENCH_KILLS", "10"))
ROOT = Path(__file__).parents[2]
FORMAT = ["--format", "apache_access"]


def command(state: Path, url: str, *arguments: str) -> list[str]:
    """Return a command line."""
    base = [sys.executable, "-m", "shipper", "backfill", "--state-dir", str(state), "--endpoint", url, *FORMAT]
    return [*base, "--json", *arguments]


def ship(state: Path, url: str, *arguments: str) -> tuple[dict[str, object], float, float]:
    """Run to the end; return the totals, wall seconds, and CPU seconds of the command and its workers."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        command(state, url, "--quiet", *arguments), cwd=ROOT, capture_output=True, text=True, check=False
    )
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    totals: dict[str, object] = json.loads(done.stdout)
    return totals, wall, cpu


def proof(folder: Path) -> None:
    """Every line arrives once; killed ten times, every line arrives, and what comes twice was on its way."""
    first = int(time.time()) - 20 * 3600
    corpus(folder / "logs", LINES, first)
    logs = str(folder / "logs")
    served = SinkProcess(LINES)
    plan, wall, _ = ship(folder / "s1", served.url, "--plan", logs)
    print(f"plan: {wall:.1f} s, {plan['events']:,} events estimated of {LINES:,}, {plan['requests']:,} requests")
    totals, wall, cpu = ship(folder / "s1", served.url, "--workers", "2", logs)
    print(
        f"run: {totals['acked']:,} acked in {wall:.0f} s, {cpu / LINES * 1e6:.2f} CPU-s a million lines;"
        f" balanced {totals['balanced']}; {served.figures()}"
    )
    totals, wall, _ = ship(folder / "s1", served.url, logs)
    print(f"second run: {totals['read']} records read, {wall:.1f} s; requests {served.figures()['requests']}")
    served.close()
    kills(folder, logs)


def kills(folder: Path, logs: str) -> None:
    """Kill -9 in the middle, ten times."""
    served = SinkProcess(LINES)
    for kill in range(KILLS):
        wanted = LINES * (kill + 1) / (KILLS + 1)
        process = subprocess.Popen(
            command(folder / "s2", served.url, "--quiet", "--workers", "2", logs), cwd=ROOT, stdout=subprocess.DEVNULL
        )
        while served.figures()["events"] < wanted:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        figures = served.figures()
        print(f"kill {kill + 1}: at {figures['events']:,.0f} events, {figures['surplus']:,.0f} have come twice so far")
    totals, wall, _ = ship(folder / "s2", served.url, "--workers", "2", logs)
    figures = served.figures()
    print(
        f"finished: {totals['acked']:,} acked in {wall:.0f} s; missing {figures['missing']:.0f},"
        f" duplicates {figures['surplus']:,.0f} of {LINES:,} ({figures['surplus'] / KILLS:,.0f} a kill)"
    )
    served.close()


def throughput(folder: Path) -> None:
    """Plain and .gz, one worker and two."""
    lines = min(LINES, 1_000_000)
    recent, old = int(time.time()) - 20 * 3600, int(time.time()) - 80 * 3600
    write_plain(folder / "plain.log", lines, recent)
    write_plain(folder / "old.log", lines, old)
    for half in range(2):
        text = b"".join(access_lines(half * lines // 2, (half + 1) * lines // 2, recent))
        (folder / f"half.log.{half + 1}.gz").write_bytes(gzip.compress(text, 6))
    began = time.process_time()
    for half in (1, 2):
        packed = CompressedFile.open(str(folder / f"half.log.{half}.gz"))
        at = 0
        while text := packed.read_at(at, 1 << 18):
            at += len(text)
        packed.close()
    unpacking = time.process_time() - began
    gz = [str(folder / "half.log.1.gz"), str(folder / "half.log.2.gz")]
    cases: dict[str, list[str]] = {
        "plain, 1 worker": ["--workers", "1", str(folder / "plain.log")],
        "plain, 2 workers": ["--workers", "2", str(folder / "plain.log")],
        "plain, 2 workers, unordered": ["--workers", "2", "--unordered", str(folder / "plain.log")],
        "plain older than 24 h, 1 worker": ["--workers", "1", str(folder / "old.log")],
        "two .gz, 1 worker": ["--workers", "1", *gz],
        "two .gz, 2 workers": ["--workers", "2", *gz],
    }
    results: dict[str, list[tuple[float, float, int]]] = {name: [] for name in cases}
    for run in range(RUNS):
        for name, arguments in cases.items():
            served = SinkProcess()
            state = folder / f"state-{run}-{len(results[name])}-{abs(hash(name))}"
            totals, wall, cpu = ship(state, served.url, *arguments)
            served.close()
            assert totals["acked"] == lines, totals
            results[name].append((wall, cpu, int(str(totals["peak_bytes"]))))
    print(f"gzip decompression alone: {unpacking / lines * 1e6:.2f} CPU-s a million lines")
    print(f"load average {os.getloadavg()}")
    print("| what | lines/s | CPU-s per M lines | largest worker MB |\n|---|---|---|---|")
    for name, runs in results.items():
        walls, cpus, peaks = zip(*runs, strict=True)
        low, middle, high = min(cpus), statistics.median(cpus), max(cpus)
        scale = 1e6 / lines
        print(
            f"| {name} | {lines / statistics.median(walls) / 1e3:.0f}k | {middle * scale:.2f}"
            f" ({low * scale:.2f}-{high * scale:.2f}) | {max(peaks) / 1e6:.0f} |"
        )


def window(folder: Path) -> None:
    """--since/--until on 2 GB of plain text."""
    lines = LINES * 14 // 5
    first = int(time.time()) - 23 * 3600
    path = folder / "big.log"
    write_plain(path, lines, first)
    since, until = first + lines // 250 * 6 // 10, first + lines // 250 * 6 // 10 + 400
    began = time.process_time()
    stamps = re.compile(rb"\[(\d\d/\w+/\d{4}:\d\d:\d\d:\d\d)")
    wanted = {
        datetime.fromtimestamp(second, UTC).strftime("%d/%b/%Y:%H:%M:%S").encode() for second in range(since, until)
    }
    count = 0
    with path.open("rb") as file:
        for line in file:
            found = stamps.search(line)
            count += found is not None and found[1] in wanted
    scan = time.process_time() - began
    served = SinkProcess()
    started = time.time()
    totals, wall, cpu = ship(
        folder / "state", served.url, "--since", str(since), "--until", str(until), "--disorder", "10s", str(path)
    )
    figures = served.figures()
    served.close()
    print(f"{path.stat().st_size / 1e9:.2f} GB, {lines:,} lines; load {os.getloadavg()[0]:.1f}")
    print(f"asked for {count:,}, as a scan of all lines finds ({scan:.1f} CPU-s); read {totals['read']:,},")
    print(f"acked {totals['acked']:,}, exact: {totals['acked'] == count}")
    print(f"first event {figures['first_at'] - started:.2f} s", end=" ")
    print(f"after the process was started, all of it {wall:.2f} s, {cpu:.2f} CPU-s")


def memory(folder: Path) -> None:
    """The largest worker, on what could make one large."""
    lines = min(LINES, 1_000_000)
    first = int(time.time()) - 20 * 3600
    text = b"".join(access_lines(0, lines, first))
    texts = {f"packed.log{ending}": pack(text) for ending, pack in PACKINGS.items()}
    texts["xz9.log.xz"] = lzma.compress(text[: len(text) // 4], preset=9)
    long = zstandard.ZstdCompressionParameters.from_level(1, window_log=26, enable_ldm=True, source_size=len(text))
    texts["long26.log.zst"] = zstandard.ZstdCompressor(compression_params=long).compress(text)
    texts["zeros.log.gz"] = gzip.compress(bytes(1 << 30), 1)
    texts["longest.log"] = (b"x" * (8 << 20) + b"\n") * 20
    texts["plain.log"] = text
    for name, content in texts.items():
        (folder / name).write_bytes(content)
        served = SinkProcess()
        for workers in ("1", "2"):
            state = folder / f"state-{name}-{workers}"
            totals, _, _ = ship(state, served.url, "--workers", workers, str(folder / name))
            print(
                f"{name}, {workers} workers: {int(str(totals['peak_bytes'])) / 1e6:.0f} MB, {totals['read']:,} records"
            )
        served.close()


def main(arguments: list[str]) -> None:
    """Run what is named, or all."""
    known = {"proof": proof, "throughput": throughput, "window": window, "memory": memory}
    for name in arguments or known:
        print(f"== {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "logs").mkdir()
            known[name](Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
