"""A worker process: converts pieces on its main thread and sends them to the endpoint of its host.

Started by the coordinator, or by a Dask worker, with the number of a socket
that it talks over; when that closes, its owner is gone and it ends at once.
Signals of the terminal are the owner's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import re
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import BinaryIO, Final

from shipper.adapters.http_output import HttpOutput
from shipper.core.batch import BatchLimits, Portion, Settlement
from shipper.pipeline.backfill.protocol import (
    LONGEST_LINE_BYTES,
    Drop,
    FromWorker,
    Go,
    Pause,
    Paused,
    Piece,
    Rate,
    Resume,
    Said,
    Saved,
    Setup,
    State,
    Stop,
    Way,
    line_of,
    to_worker,
)
from shipper.pipeline.backfill.shipment import Mark, Shipment, Yard
from shipper.pipeline.backfill.throttle import Throttle
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.journal import Value
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.sender import Sender

UNSAVED_BYTES: Final = 4 << 20  # of text: what a kill of the owner may have sent again, beside what is under way
STATE_SECONDS: Final = 1.0


def now_ms() -> int:
    """Return the wall clock in milliseconds; nothing waits on it."""
    return time.time_ns() // 1_000_000


class Worker:
    """Owns the process's sender, its guard and the pieces it was given."""

    def __init__(self, setup: Setup, writer: asyncio.StreamWriter, stdin: BinaryIO | None) -> None:
        """Set up on the event loop and the main thread."""
        self._writer = writer
        self._stdin = stdin
        self._budget = setup.budget_bytes
        self._readings = [
            SourceReading(rule, limit) for rule, limit in zip(setup.rules, setup.rate_limits, strict=True)
        ]
        self._guard = MatchGuard()
        self._throttle = Throttle(time.monotonic)
        self._output = _output(setup.way)
        self._sender = self._make_sender(setup.way)
        self._running = asyncio.Event()
        self._running.set()
        self._room = asyncio.Event()
        self._shipments: dict[int, Shipment] = {}
        self._changed: set[Shipment] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._yard = Yard(
            self._guard,
            self._sender.offer,
            self._wait_for_room,
            self._throttle.passed,
            self._report_soon,
            self._flush_when_over,
            now_ms,
            setup.unpack_bytes,
        )

    def _make_sender(self, way: Way) -> Sender:
        limits = BatchLimits(
            way.target_request_bytes, way.flush_seconds, way.max_request_bytes, way.max_request_events, way.concurrency
        )
        return Sender(
            self._output, limits, now_ms=now_ms, monotonic=time.monotonic, jitter=random.random,
            on_settled=self._settled, say=self._say, retry_initial_seconds=way.retry_initial_seconds,
            retry_max_seconds=way.retry_max_seconds, record_budget=self._guard.record_budget,
        )  # fmt: skip

    # -- talking -------------------------------------------------------------------------------------

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Do what is said until `Stop`, or until the owner is gone."""
        chores = [asyncio.create_task(chore()) for chore in (self._sender.run, self._state_often)]
        listening = asyncio.create_task(self._listen(reader))
        done, _ = await asyncio.wait({listening, *chores}, return_when=asyncio.FIRST_COMPLETED)
        try:
            with contextlib.suppress(ConnectionError):  # the owner was killed: so are we
                for task in done:
                    task.result()
        finally:
            for chore in (*chores, listening):
                chore.cancel()
            await asyncio.gather(*chores, listening, return_exceptions=True)
            await self._output.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            match to_worker(line):
                case Piece() as piece:
                    self._begin(piece)
                case Go() | Drop() | Saved() as about:
                    if about.number in self._shipments:
                        self._obey(self._shipments[about.number], about)
                case Rate(events=events, bytes=size):
                    self._throttle.limit(events, size)
                case Pause():
                    self._running.clear()
                    await self._sender.drain(None)
                    self._report()
                    self._tell(Paused())
                case Resume():
                    self._running.set()
                case Stop(seconds=seconds):
                    await self._stop(seconds)
                    return
                case Setup():
                    raise ValueError("a worker is set up once")

    def _obey(self, shipment: Shipment, order: Go | Drop | Saved) -> None:
        match order:
            case Go():
                shipment.go()
            case Drop():
                shipment.stop()
            case Saved(upto=upto):
                shipment.saved = upto
                self._room.set()

    async def _stop(self, seconds: float) -> None:
        self._running.set()
        for shipment in self._shipments.values():
            shipment.stop()
        if self._tasks:
            self._sender.flush()
            await asyncio.wait(self._tasks.values(), timeout=seconds)
        self._report()
        self._state()
        for shipment in self._shipments.values():
            self._tell(shipment.left())
        with contextlib.suppress(OSError):
            await self._writer.drain()

    def _tell(self, message: FromWorker) -> None:
        self._writer.write(line_of(message))

    def _say(self, event: str, **fields: Value) -> None:
        plain = {name: value if isinstance(value, int | float | None) else str(value) for name, value in fields.items()}
        self._tell(Said(event, plain))

    # -- shipping --------------------------------------------------------------------------------------

    def _begin(self, piece: Piece) -> None:
        same_file = (each for each in self._shipments.values() if each.piece.facts.key == piece.facts.key)
        before = max(same_file, key=lambda each: each.piece.number, default=None)
        shipment = Shipment(piece, self._readings[piece.source], self._yard, self._stdin, before)
        self._shipments[piece.number] = shipment
        self._tasks[piece.number] = asyncio.create_task(self._ship(shipment))

    async def _ship(self, shipment: Shipment) -> None:
        number = shipment.piece.number
        try:
            finished = await shipment.run()
        except Exception:
            # Half alive is worse than gone: the owner sees the end, and deals the piece out again.
            self._writer.transport.abort()
            raise
        self._changed.discard(shipment)
        if moved := shipment.report():
            self._tell(moved)
        self._tell(finished)
        del self._shipments[number], self._tasks[number]

    async def _wait_for_room(self) -> None:
        await self._running.wait()
        while self._sender.held_bytes >= self._budget or self._unsaved_bytes >= UNSAVED_BYTES:
            self._room.clear()
            await self._room.wait()
        await self._running.wait()

    @property
    def _unsaved_bytes(self) -> int:
        return sum(shipment.unsaved_bytes for shipment in self._shipments.values())

    def _settled(self, portion: Portion, settlement: Settlement) -> None:
        mark = portion.token
        if not isinstance(mark, Mark):
            raise TypeError("a portion comes back with the mark it was given")
        mark.shipment.settled(portion, mark.chunk, settlement)
        self._room.set()

    # -- reporting -------------------------------------------------------------------------------------

    def _report_soon(self, shipment: Shipment) -> None:
        """Report when all portions of a batch are accounted for, which takes no time."""
        if not self._changed:
            asyncio.get_running_loop().call_soon(self._report)
        self._changed.add(shipment)

    def _report(self) -> None:
        changed = list(self._changed)
        self._changed.clear()
        for shipment in changed:
            if moved := shipment.report():
                self._tell(moved)

    def _flush_when_over(self) -> None:
        """Send what waits to grow, where nothing more comes."""
        if all(shipment.is_over for shipment in self._shipments.values()):
            self._sender.flush()

    async def _state_often(self) -> None:
        while True:
            self._state()
            await self._writer.drain()
            await asyncio.sleep(STATE_SECONDS)

    def _state(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        health, accepted = self._sender.health, self._sender.attempts.accepted
        cpu = usage.ru_utime + usage.ru_stime
        self._tell(State(health.state, health.message, accepted, self._sender.held_bytes, cpu, _peak_bytes()))


def _peak_bytes() -> int:
    """Return the most memory that the process has had; getrusage would tell that of whoever started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def _output(way: Way) -> HttpOutput:
    return HttpOutput(
        way.url, loopback=way.loopback, authorization=way.authorization, compress=way.compress,
        connect_timeout_seconds=way.connect_timeout_seconds, timeout_seconds=way.timeout_seconds,
        connections=way.concurrency,
    )  # fmt: skip


async def run(channel: socket.socket, stdin: BinaryIO | None) -> None:
    """Serve the owner at the other end of *channel*."""
    reader, writer = await asyncio.open_connection(sock=channel, limit=LONGEST_LINE_BYTES)
    line = await reader.readline()
    if not line:
        return
    setup = to_worker(line)
    if not isinstance(setup, Setup):
        raise TypeError("the first message sets a worker up")
    worker = Worker(setup, writer, stdin)
    # What start-up made stays, and what a chunk makes is freed without the collector.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    await worker.serve(reader)
    with contextlib.suppress(OSError):
        writer.close()
        await writer.wait_closed()
    # Everything is said. A thread that still reads from a pipe that nobody closes must not keep the process.
    os._exit(0)


def main() -> None:
    """Serve over the socket whose number is the argument."""
    for number in (signal.SIGINT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        asyncio.run(run(channel, sys.stdin.buffer if sys.stdin is not None else None))


if __name__ == "__main__":
    main()
