"""What it costs to be watched, and what the latency histogram says against the truth.

`python -m tests.benchmarks.watching [cost] [latency]`. Cost: CPU seconds of one agent under a load without end, in
windows of four seconds: somebody looks, and nobody does just before and after, so that a busy machine does not show.
Latency: append to acknowledgement, by the agent's own histogram (of the sink and of the project's endpoint) and by
stamps in the lines as the sink saw them arrive.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.benchmarks import corpora
from tests.benchmarks.report import STAMP_LEVEL, SinkProcess, cpu_of, start_agent, wait_for_events, write_config

ROUNDS = int(os.environ.get("BENCH_RUNS", "8"))
LINES = int(os.environ.get("BENCH_LINES", "2000000"))
WINDOW_SECONDS = 4.0

LOOKS: dict[str, list[list[str]]] = {
    "tap": [["tap", "--json"]],
    "tap --match nowhere": [["tap", "--json", "--match", "nowhere to be found"]],
    "tap --severity error": [["tap", "--json", "--severity", "error"]],
    "top, every second": [["top", "--json"]],
    "top and four taps": [["top", "--json"], *[["tap", "--json"]] * 4],
    "metrics, every second": [["metrics"]],
}


def free_port() -> int:
    """Return a port that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def with_monitoring(config: Path) -> int:
    """Add a port for metrics to *config*, and return it."""
    document = json.loads(config.read_text(encoding="utf-8"))
    port = free_port()
    document["monitoring"] = {"port": port}
    config.write_text(json.dumps(document), encoding="utf-8")
    return port


def metrics(port: int) -> str:
    """Return the page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


@contextlib.contextmanager
def looking(config: Path, port: int, commands: list[list[str]]) -> Iterator[None]:
    """Run *commands* beside the agent; `metrics` is a scraper."""
    scrape = (
        f"import time,urllib.request as u\nwhile 1: u.urlopen('http://127.0.0.1:{port}/metrics').read(); time.sleep(1)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", scrape] if command == ["metrics"]
            else [sys.executable, "-m", "shipper", *command, "-c", str(config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]  # fmt: skip
    try:
        time.sleep(2.0)  # until they look
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


class Load(threading.Thread):
    """Gives the agent more to read than it can: copies of one file, each gone when it is delivered."""

    def __init__(self, corpus: Path, folder: Path, sink: SinkProcess) -> None:
        super().__init__(daemon=True)
        self._corpus, self._folder, self._sink = corpus, folder, sink
        self._asking = threading.Lock()
        self.over = threading.Event()

    def delivered(self) -> int:
        """Return the lines that have arrived."""
        with self._asking:
            return int(str(self._sink.ask("count")["events"]))

    def run(self) -> None:
        """Copy and delete, until it is over."""
        made = 0
        while not self.over.is_set():
            gone = self.delivered() // LINES
            if made < gone + 3:
                shutil.copyfile(self._corpus, self._folder / f"{made}.tmp")
                (self._folder / f"{made}.tmp").rename(self._folder / f"{made}.log")
                made += 1
            if gone >= 2:
                (self._folder / f"{gone - 2}.log").unlink(missing_ok=True)
            self.over.wait(0.1)


def cost(folder: Path) -> None:
    """Print CPU seconds per million lines for each way of looking, beside the moments before, when nobody looked."""
    corpus = folder / "corpus.log"
    corpora.write("app", LINES, corpus)
    work = folder / "work"
    work.mkdir()
    shares: dict[str, list[float]] = {name: [] for name in LOOKS}
    figures: dict[str, list[float]] = {"nobody": [], **{name: [] for name in LOOKS}}
    with SinkProcess() as sink:
        config = write_config(work, sink.port, {"paths": [f"{work}/*.log"], "pattern": STAMP_LEVEL})
        port = with_monitoring(config)
        agent, load = start_agent(config), Load(corpus, work, sink)
        time.sleep(2.0)
        load.start()
        time.sleep(5.0)
        for _ in range(ROUNDS):
            for name, commands in LOOKS.items():
                before = window(agent.pid, load)
                with looking(config, port, commands):
                    during = window(agent.pid, load)
                after = window(agent.pid, load)
                figures["nobody"] += [before, after]
                figures[name].append(during)
                shares[name].append(during / ((before + after) / 2) - 1)
        load.over.set()
        load.join()
        agent.terminate()
        agent.wait()
    nobody = figures["nobody"]
    print("\n| looked at by | CPU-s per M lines | more than just before and after: median (quartiles) |\n|---|---|---|")
    print(f"| nobody | {statistics.median(nobody):.2f} | |")
    for name, found in shares.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(
            f"| {name} | {statistics.median(figures[name]):.2f} "
            f"| {middle * 100:+.1f} % ({low * 100:+.1f} to {high * 100:+.1f}) |"
        )


def window(pid: int, load: Load) -> float:
    """Return the CPU seconds per million lines of the next seconds."""
    lines, cpu = load.delivered(), cpu_of(pid)
    time.sleep(WINDOW_SECONDS)
    return (cpu_of(pid) - cpu) / (load.delivered() - lines) * 1e6


# -- latency -------------------------------------------------------------------------------------------


def write_at(rate: int, seconds: float, log: Path) -> int:
    """Append stamped lines to *log*, ten milliseconds' worth at a time; return how many."""
    written, started = 0, time.time()
    with log.open("a", encoding="utf-8", buffering=1 << 20) as file:
        while (elapsed := time.time() - started) < seconds:
            for _ in range(int(elapsed * rate) + 1 - written):
                now = time.time()
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
                file.write(f"{stamp} INFO [worker-7] com.example.Service - request handled user=user77 {now}\n")
                written += 1
            file.flush()
            time.sleep(0.01 if rate > 100 else 1 / rate / 2)
    return written


def by_histogram(page: str, *shares: float) -> list[float]:
    """Return the milliseconds that *shares* of the lines took at most, interpolated as Prometheus does."""
    buckets = [
        (float(sample.labels["le"]), sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "shipper_append_to_ack_seconds_bucket"
    ]
    found = []
    for share in shares:
        rank, low, below = share * buckets[-1][1], 0.0, 0.0
        for high, upto in buckets:
            if upto >= rank:
                found.append((low + (high - low) * (rank - below) / (upto - below)) * 1000)
                break
            low, below = high, upto
    return found


def latency(folder: Path, rate: int, *, flush: str, seconds: float = 30.0) -> None:
    """Print p50, p90 and p99 at *rate* lines a second: of the sink, by both measures."""
    with SinkProcess(stamps=True) as sink, tempfile.TemporaryDirectory(dir=folder) as work:
        log = Path(work) / "app.log"
        log.write_text("", encoding="utf-8")
        config = write_config(
            Path(work), sink.port, {"paths": [str(log)], "pattern": STAMP_LEVEL}, flush_interval=flush
        )
        port = with_monitoring(config)
        agent = start_agent(config)
        time.sleep(3)
        written = write_at(rate, seconds, log)
        wait_for_events(sink, written)
        time.sleep(0.5)
        page = metrics(port)
        arrivals = sink.ask("stamps")["arrivals"]
        agent.terminate()
        agent.wait()
    assert isinstance(arrivals, list)
    waits = sorted((at - float(text.split()[-1])) * 1000 for at, texts in arrivals for text in texts)
    true = [waits[int(len(waits) * share) - 1] for share in (0.5, 0.9, 0.99)]
    _row(rate, flush, "sink, stamps in the lines", true)
    _row(rate, flush, "sink, histogram", by_histogram(page, 0.5, 0.9, 0.99))


def latency_of_endpoint(folder: Path, rate: int, *, flush: str, seconds: float = 30.0) -> None:
    """Print the same of the project's own endpoint, durable before it answers, by the histogram."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        log = Path(work) / "app.log"
        log.write_text("", encoding="utf-8")
        config = write_config(
            Path(work), free_port(), {"paths": [str(log)], "pattern": STAMP_LEVEL}, flush_interval=flush, embedded=True
        )
        port = with_monitoring(config)
        agent = start_agent(config)
        time.sleep(5)
        written = write_at(rate, seconds, log)
        deadline = time.monotonic() + 60
        while f'shipper_acked_records_total{{source="bench"}} {float(written)}' not in (page := metrics(port)):
            if time.monotonic() > deadline:
                raise SystemExit("not every line was acknowledged in time")
            time.sleep(0.2)
        agent.terminate()
        agent.wait()
    _row(rate, flush, "endpoint, histogram", by_histogram(page, 0.5, 0.9, 0.99))


def _row(rate: int, flush: str, how: str, figures: list[float]) -> None:
    print(f"| {rate:,} | {flush} | {how} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |", flush=True)


def main(wanted: list[str]) -> None:
    """Measure what is *wanted*, or everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not wanted or "cost" in wanted:
            cost(folder)
        if not wanted or "latency" in wanted:
            print("\n| lines/s | flush_interval | measured | p50 ms | p90 ms | p99 ms |\n|---|---|---|---|---|---|")
            for rate in (100, 10_000):
                for flush in ("1s", "50ms"):
                    latency(folder, rate, flush=flush)
                    latency_of_endpoint(folder, rate, flush=flush)


if __name__ == "__main__":
    main(sys.argv[1:])
