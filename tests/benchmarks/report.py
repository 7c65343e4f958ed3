"""What shipper costs: throughput, idle and latency, with peers beside it where their binaries are found.

One command: `python -m tests.benchmarks.report [throughput] [late] [idle] [latency]`
(`make bench`). CPU seconds are user + system of the shipper's process alone;
the sink is a process of its own. lines/s counts from the shipper's start to
its exit after the last acknowledgement. Machines drift: quote medians.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import corpora

RUNS = int(os.environ.get("BENCH_RUNS", "3"))
LINES = int(os.environ.get("BENCH_LINES", "2000000"))

STAMP_LEVEL = r"^(?P<timestamp>\S+) (?P<severity>[A-Z]+) "
THREAD_LOGGER = STAMP_LEVEL + r"\[(?P<thread>[^\]]+)\] (?P<logger>\S+) "
ACCESS = (
    r'^(?P<client>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<timestamp>[^\]]+)\] "(?P<method>\S+) (?P<url>\S+)'
    r' (?P<protocol>[^"]+)" (?P<code>\d+) (?P<size>\S+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)
ACCESS_TIME = r"^\S+ \S+ \S+ \[(?P<timestamp>[^\]]+)\]"
CONTAINED = r"^(?P<severity>[A-Z]+) \[(?P<thread>[^\]]+)\] (?P<logger>\S+) "
JAVA = r"^(?P<timestamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?P<severity>[A-Z]+) "

# name: (corpus, source keys)
SOURCES: dict[str, tuple[str, dict[str, object]]] = {
    "app: time, level": ("app", {"pattern": STAMP_LEVEL}),
    "app: time, level, thread, logger": ("app", {"pattern": THREAD_LOGGER}),
    "app: raw": ("app", {"format": "raw"}),
    "access: all ten groups": ("access", {"pattern": ACCESS}),
    "access: time": ("access", {"pattern": ACCESS_TIME}),
    "zap: JSON": ("zap", {"format": "json"}),
    "java: stack traces": ("java", {"pattern": JAVA, "multiline": {"start": "timestamp"}}),
    "cri": ("cri", {"format": "cri"}),
    "cri: level, thread, logger": ("cri", {"format": "cri", "pattern": CONTAINED}),
    "docker": ("docker", {"format": "docker"}),
    "logfmt: every key an attribute": ("logfmt", {"format": "logfmt"}),
    "w3c: every column an attribute": ("w3c", {"format": "iis_w3c"}),
}


@dataclass(frozen=True)
class Run:
    wall_seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    events: int


class SinkProcess:
    """Starts the sink and asks it; a context manager."""

    def __init__(self, delay_seconds: float = 0.0, *, stamps: bool = False) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.sink", str(delay_seconds)]
        self.process = subprocess.Popen(
            command + (["stamps"] if stamps else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().split()[1])

    def ask(self, question: str) -> dict[str, float | list[tuple[float, list[str]]]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        answer: dict[str, float | list[tuple[float, list[str]]]] = json.loads(self.process.stdout.readline())
        return answer

    def __enter__(self) -> SinkProcess:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def write_config(folder: Path, port: int, source: dict[str, object], **endpoint: object) -> Path:
    """Write an agent.yaml (JSON is YAML) with one source to *folder*."""
    config = {
        "state_dir": str(folder / "state"),
        "endpoint": {"url": f"http://127.0.0.1:{port}/v2/logs/ingest", **endpoint},
        "sources": [{"name": "bench", **source}],
    }
    path = folder / "agent.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def peak_rss_mb(pid: int) -> float:
    """Return VmHWM of a process, in MB; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024 if "VmHWM" in status else 0.0


def ship_once(config: Path, sink: SinkProcess) -> Run:
    """Run the agent over the configured files to their end and measure it from outside."""
    before = int(str(sink.ask("count")["events"]))
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "shipper", "run", "--once", "-c", str(config)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"shipper run --once ended with {process.returncode}")
    events = int(str(sink.ask("count")["events"])) - before
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, events)


def throughput(folder: Path, *, delay_seconds: float = 0.0, **endpoint: object) -> None:
    """Print a row for each source: medians of RUNS."""
    print(f"\n| {'source':<34} | lines/s | MB/s | CPU-s per M lines (min-max) | peak RSS MB | events |")
    print("|---|---|---|---|---|---|")
    files: dict[str, tuple[Path, int, int]] = {}
    for name, (kind, keys) in SOURCES.items():
        if kind not in files:
            path = folder / f"{kind}.log"
            lines, records = corpora.write(kind, LINES if kind == "app" else LINES // 2, path)
            files[kind] = (path, lines, records)
        path, lines, records = files[kind]
        runs = []
        with SinkProcess(delay_seconds) as sink:
            for _ in range(RUNS):
                with tempfile.TemporaryDirectory(dir=folder) as work:
                    config = write_config(Path(work), sink.port, {"paths": [str(path)], **keys}, **endpoint)
                    runs.append(ship_once(config, sink))
        assert all(run.events == records for run in runs), (records, runs)
        wall = statistics.median(run.wall_seconds for run in runs)
        cpu = [run.cpu_seconds / lines * 1e6 for run in runs]
        print(
            f"| {name:<34} | {lines / wall / 1e3:.0f}k | {path.stat().st_size / wall / 1e6:.0f} "
            f"| {statistics.median(cpu):.2f} ({min(cpu):.2f}-{max(cpu):.2f}) "
            f"| {max(run.peak_rss_mb for run in runs):.0f} | {records} |",
            flush=True,
        )


def cpu_of(pid: int) -> float:
    """Return the CPU seconds a process has used (10 ms steps)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_agent(config: Path) -> subprocess.Popen[bytes]:
    """Start `shipper run` in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "shipper", "run", "-c", str(config)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for_events(sink: SinkProcess, events: int, seconds: float = 60.0) -> None:
    """Wait until the sink has seen *events*."""
    deadline = time.monotonic() + seconds
    while int(str(sink.ask("count")["events"])) < events:
        if time.monotonic() > deadline:
            raise SystemExit("the sink did not see every event in time")
        time.sleep(0.05)


def idle(folder: Path, source: Mapping[str, str], *, files: int = 1000, seconds: float = 60.0) -> None:
    """Print the CPU share of an agent that watches *files* quiet files."""
    logs = folder / "idle"
    logs.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    for number in range(files):
        (logs / f"{number}.log").write_text(f"{stamp} INFO quiet\n", encoding="utf-8")
    with SinkProcess() as sink, tempfile.TemporaryDirectory(dir=folder) as work:
        agent = start_agent(write_config(Path(work), sink.port, {"paths": [str(logs / "*.log")], **source}))
        wait_for_events(sink, files)
        time.sleep(35)  # one long scan interval, so that the steady state is measured
        before = cpu_of(agent.pid)
        time.sleep(seconds)
        share = (cpu_of(agent.pid) - before) / seconds * 100
        rss = peak_rss_mb(agent.pid)
        rule = "pattern" if source else "format: auto"
        print(f"idle, {files} files, {rule}: {share:.2f} % of a core, peak RSS {rss:.0f} MB")
        agent.terminate()
        agent.wait()


def latency(folder: Path, source: Mapping[str, str], *, rate: int = 100, lines: int = 2000) -> None:
    """Print append-to-acknowledgement percentiles at *rate* lines a second."""
    log = folder / "latency.log"
    log.write_text("", encoding="utf-8")
    with SinkProcess(stamps=True) as sink, tempfile.TemporaryDirectory(dir=folder) as work:
        config = write_config(Path(work), sink.port, {"paths": [str(log)], **source}, flush_interval="50ms")
        agent = start_agent(config)
        time.sleep(3)
        started = time.time()
        with log.open("a", encoding="utf-8", buffering=1) as file:
            for number in range(lines):
                time.sleep(max(0.0, started + number / rate - time.time()))
                file.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:-6]}Z INFO {time.time()}\n")
        wait_for_events(sink, lines)
        arrivals = sink.ask("stamps")["arrivals"]
        assert isinstance(arrivals, list)
        waits = sorted((at - float(text.split()[-1])) * 1000 for at, texts in arrivals for text in texts)
        cpu = cpu_of(agent.pid)
        agent.terminate()
        agent.wait()
    p50, p90, p99 = (waits[int(len(waits) * share) - 1] for share in (0.5, 0.9, 0.99))
    rule = "pattern" if source else "format: auto"
    print(f"latency at {rate} lines/s, {rule}: p50 {p50:.1f} p90 {p90:.1f} p99 {p99:.1f} "
          f"max {waits[-1]:.1f} ms; CPU {cpu:.2f} s in {lines / rate:.0f} s")  # fmt: skip


def main(wanted: list[str]) -> None:
    """Measure what is *wanted*, or everything."""
    parts = wanted or ["throughput", "late", "idle", "latency"]
    peers = [name for name in ("fluent-bit", "rsyslogd", "syslog-ng") if shutil.which(name)]
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {RUNS} runs, medians; "
          f"peers on this machine: {', '.join(peers) or 'none'}")  # fmt: skip
    pattern = {"pattern": STAMP_LEVEL}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "throughput" in parts:
            throughput(folder)
        if "late" in parts:
            print("\nAn endpoint that answers 50 ms late, concurrency 8:")
            throughput(folder, delay_seconds=0.05, concurrency=8)
        if "idle" in parts:
            idle(folder, pattern)
            idle(folder, {})
        if "latency" in parts:
            latency(folder, pattern)
            latency(folder, {})


if __name__ == "__main__":
    main(sys.argv[1:])
