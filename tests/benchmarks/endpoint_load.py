"""How much the whole endpoint takes: events/s of its own CPU, memory, latency, over a real socket.

    python -m tests.benchmarks.endpoint_load [--seconds 20] [--connections 4] [--request-bytes 1048576] [--profile saas]

Requests are made beforehand; every one is a JSON array of lines as the shipper
sends them. CPU is the server process's own (utime + stime of /proc), so the
generator beside it does not count; on a machine with one free core per process
the events/s of the wall clock are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from tests.endpoint.endpoint_process import EndpointProcess

TICKS = os.sysconf("SC_CLK_TCK")
LEVELS = ["info", "info", "info", "info", "warn", "error", "debug"]
DISTINCT_BODIES = 8


def body(target_bytes: int, seed: int) -> tuple[bytes, int]:
    """Return a request of about *target_bytes*, and how many events it has."""
    rows = random.Random(seed)
    events: list[str] = []
    size = 0
    now = time.time()
    while size < target_bytes:
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now + len(events) / 1_000))
        stamp = f"{second}.{rows.randrange(1_000):03d}Z"
        address = f"10.250.{rows.randrange(256)}.{rows.randrange(256)}"
        text = f"Received block blk_{rows.randrange(10**12)} of size {rows.randrange(10**8)} from /{address}"
        event = {
            "content": f"{stamp} INFO [worker-{rows.randrange(32)}] com.example.shop.Orders - {text}",
            "timestamp": stamp,
            "severity": rows.choice(LEVELS),
            "log.source": "shop",
            "log.file.path": "/var/log/shop/orders.log",
            "log.file.name": "orders.log",
            "host.name": "web-17.example.org",
        }
        events.append(json.dumps(event, separators=(",", ":")))
        size += len(events[-1]) + 1
    return ("[" + ",".join(events) + "]").encode(), len(events)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kib(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


async def client(port: int, requests: list[tuple[bytes, int]], until: float, took: list[float]) -> int:
    """Post one request after the other on one connection; return how many events were acknowledged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    acknowledged = number = 0
    while time.monotonic() < until:
        payload, count = requests[number % len(requests)]
        number += 1
        begun = time.monotonic()
        head = (
            f"POST /v2/logs/ingest HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        writer.write(head.encode() + payload)
        await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 204 "):
            raise SystemExit(f"refused: {answer.decode()}")
        took.append(time.monotonic() - begun)
        acknowledged += count
    writer.close()
    return acknowledged


async def load(
    port: int, requests: list[tuple[bytes, int]], connections: int, seconds: float
) -> tuple[int, list[float]]:
    took: list[float] = []
    until = time.monotonic() + seconds
    done = await asyncio.gather(*(client(port, requests, until, took) for _ in range(connections)))
    return sum(done), took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--request-bytes", type=int, default=1 << 20)
    parser.add_argument("--profile", default="saas")
    options = parser.parse_args()
    requests = [body(options.request_bytes, seed) for seed in range(DISTINCT_BODIES)]
    with tempfile.TemporaryDirectory(prefix="endpoint-load-") as folder:
        endpoint = EndpointProcess(Path(folder) / "store", "--profile", options.profile)
        try:
            report(endpoint, requests, options.connections, options.seconds)
        finally:
            endpoint.kill()


def report(endpoint: EndpointProcess, requests: list[tuple[bytes, int]], connections: int, seconds: float) -> None:
    pid = endpoint.process.pid
    idle_kib = memory_kib(pid, "VmRSS")
    begun, cpu = time.monotonic(), cpu_seconds(pid)
    events, took = asyncio.run(load(endpoint.port, requests, connections, seconds))
    wall, ingest_cpu = time.monotonic() - begun, cpu_seconds(pid) - cpu
    lag_at_end = lag = index_lag(endpoint)
    while lag and time.monotonic() - begun < seconds * 3:
        time.sleep(0.5)
        lag = index_lag(endpoint)
    all_cpu, indexed = cpu_seconds(pid) - cpu, lag_at_end - lag
    raw = sum(len(payload) for payload, _ in requests) / sum(count for _, count in requests)
    disk = sum(path.stat().st_size for path in endpoint.store.rglob("*") if path.is_file())
    took.sort()
    median, p99, worst = (seconds * 1e3 for seconds in (statistics.median(took), took[int(len(took) * 0.99)], took[-1]))
    now_kib, peak_kib = memory_kib(pid, "VmRSS"), memory_kib(pid, "VmHWM")
    print(f"requests of {len(requests[0][0]):,} bytes with {requests[0][1]:,} events, {connections} connections")
    print(f"events/s of the wall clock        {events / wall:>12,.0f}   ({events:,} in {wall:.1f} s)")
    print(f"events/s of server CPU, ingest    {events / ingest_cpu:>12,.0f}   ({ingest_cpu:.1f} CPU-s)")
    print(f"index built afterwards            {indexed:>12,.0f}   in {all_cpu - ingest_cpu:.1f} CPU-s; {lag:,} left")
    print(f"MB/s of the wall clock            {events * raw / wall / 1e6:>12,.1f}")
    print(f"request median / p99 / worst, ms  {median:>12,.1f} / {p99:,.1f} / {worst:,.1f}")
    print(f"disk share of the raw JSON        {disk / (events * raw):>12.1%}")
    print(
        f"memory idle / now / peak, MiB     {idle_kib / 1024:>12,.0f} / {now_kib / 1024:,.0f} / {peak_kib / 1024:,.0f}"
    )


def index_lag(endpoint: EndpointProcess) -> int:
    store = endpoint.stats()["store"]
    return int(store["index_lag_events"]) if isinstance(store, dict) else 0


if __name__ == "__main__":
    main()
