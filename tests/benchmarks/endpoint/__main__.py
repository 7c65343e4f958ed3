"""What the endpoint's store costs: `python -m tests.benchmarks.endpoint [EVENTS [DIRECTORY]]`.

A million events by default; in a DIRECTORY that is given the store is kept, and only asked when it is there.
Ingest in 1 MB requests, four at a time, on the real protocol's mapping; then
the time until the index has caught up, the disk, and the latency of a reader's
questions. Making the requests is not counted. Machines drift: compare runs of
the same hour.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from shipper.endpoint.model import Filter
from shipper.endpoint.serving import OUTLINE, record_of
from shipper.endpoint.store import Store
from tests.benchmarks.endpoint import events as made

CONCURRENCY = 4
ROUNDS = 5
REQUESTS_A_ROUND = 64


def now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


def rss_mb() -> float:
    """Return what of this process is in memory, now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def ingest(store: Store, events: int, until_ms: int) -> None:
    """Append all requests and print what it took."""
    requests = made.requests(events, until_ms)
    raw = 0
    wall = cpu = 0.0
    while group := list(itertools.islice(requests, REQUESTS_A_ROUND)):
        raw += sum(len(accepted.events) for accepted in group)
        waiting = iter(group)

        async def client() -> None:
            for accepted in waiting:  # noqa: B023 -- the clients of this round share it
                await store.append(accepted)

        began, cpu_began = time.perf_counter(), time.process_time()
        await asyncio.gather(*(client() for _ in range(CONCURRENCY)))
        wall += time.perf_counter() - began
        cpu += time.process_time() - cpu_began
    print(
        f"ingest: {events} events, {raw / events:.0f} bytes each: {events / wall / 1e3:.0f}k events/s, "
        f"{cpu / events * 1e6:.2f} us CPU an event with the indexing beside it, RSS {rss_mb():.0f} MB",
        flush=True,
    )


async def catch_up(store: Store) -> None:
    """Wait until every block that is full is indexed."""
    numbers = store.stats()
    lag = numbers["index_lag_events"] or 0
    began, cpu_began = time.perf_counter(), time.process_time()
    while store.stats()["index_lag_blocks"]:
        await asyncio.sleep(0.2)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    if lag:
        print(
            f"index: {lag} events behind at the end, caught up in {wall:.1f} s: {lag / wall / 1e3:.0f}k events/s, "
            f"{cpu / lag * 1e6:.1f} us CPU an event, RSS {rss_mb():.0f} MB",
            flush=True,
        )


def disk(store: Store, folder: Path) -> None:
    """Print what the files take."""
    raw = store.stats()["raw_bytes"] or 0
    sizes = {kind: sum(path.stat().st_size for path in folder.glob(f"*.{kind}")) for kind in ("events", "index")}
    total = sum(sizes.values())
    print(
        f"disk: {total / 1e6:.0f} MB for {raw / 1e6:.0f} MB of JSON: 1/{raw / total:.1f} "
        f"(events {sizes['events'] / 1e6:.0f} MB, index {sizes['index'] / 1e6:.0f} MB)",
        flush=True,
    )


def questions(store: Store) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return what a reader asks."""
    numbers = store.stats()
    start_ms, until_ms = int(numbers["oldest_ms"] or 0), int(numbers["newest_ms"] or 0)
    middle_ms = (start_ms + until_ms) // 2

    def page(wanted: Filter, **how: object) -> Callable[[], Awaitable[object]]:
        return lambda: store.query(wanted, limit=100, **how)  # type: ignore[arg-type] # cursor and order

    def bars(wanted: Filter) -> Callable[[], Awaitable[object]]:
        return lambda: store.histogram(wanted, since_ms=start_ms, until_ms=until_ms + 5_000, buckets=60)

    return {
        "newest page, no filter": page(Filter()),
        "oldest page, no filter": page(Filter(), order="oldest"),
        "severity error": page(Filter(levels=frozenset({"ERROR"}))),
        "severity that never occurs": page(Filter(levels=frozenset({"EMERGENCY"}))),
        "source": page(Filter(source="stock")),
        "source that never occurs": page(Filter(source="nowhere")),
        "10 minutes in the middle": page(Filter(since_ms=middle_ms, until_ms=middle_ms + 600_000)),
        "word of every event": page(Filter(text="request")),
        f"rare word ({made.RARE_WORD})": page(Filter(text=made.RARE_WORD)),
        "word that never occurs": page(Filter(text="Segfault")),
        "one user (user77777)": page(Filter(text="user77777")),
        "part of a number (99999)": page(Filter(text="99999")),
        "two words, one rare, severity": page(Filter(text=f"com.example {made.RARE_WORD}", levels=frozenset({"INFO"}))),
        "common attribute": page(Filter(attributes=(("thread", "worker-3"),))),
        f"rare attribute (order={made.RARE_ORDER})": page(Filter(attributes=(("order", made.RARE_ORDER),))),
        "attribute that never occurs": page(Filter(attributes=(("order", "none"),))),
        "histogram of all": bars(Filter()),
        "histogram of errors of a source": bars(Filter(source="pay", levels=frozenset({"ERROR"}))),
        "histogram of a rare word": bars(Filter(text=made.RARE_WORD)),
        "sources": store.sources,
    }


async def ask(store: Store) -> None:
    """Print how long each question takes."""
    print(f"\n| {'question':<40} | first ms | median ms of {ROUNDS} | RSS MB |\n|---|---|---|---|")
    for name, question in questions(store).items():
        took = list[float]()
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await question()
            took.append((time.perf_counter() - began) * 1000)
        print(f"| {name:<40} | {took[0]:.0f} | {statistics.median(took):.0f} | {rss_mb():.0f} |", flush=True)


async def main(events: int, folder: Path) -> None:
    """Measure a store of *events* events in *folder*; one that is filled already is only asked."""
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, RSS at the start {rss_mb():.0f} MB")
    store = Store.open(folder, mapper=record_of, outline=OUTLINE, max_bytes=16 << 30, now_ms=now_ms)
    if not store.stats()["events"]:
        await ingest(store, events, now_ms())
    await catch_up(store)
    disk(store, folder)
    await ask(store)
    await store.close()
    began = time.perf_counter()
    store = Store.open(folder, mapper=record_of, outline=OUTLINE, max_bytes=16 << 30, now_ms=now_ms)
    print(f"\nopened again in {(time.perf_counter() - began) * 1000:.0f} ms, RSS {rss_mb():.0f} MB")
    await store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(
            main(
                int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000,
                Path(sys.argv[2] if len(sys.argv) > 2 else temporary) / "store",
            )
        )
