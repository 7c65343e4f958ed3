"""The same plan on a Dask cluster: each piece a task, each worker posting to the endpoint of its own host.

Retries, and the tasks of workers that die, are Dask's business; what is
settled is reported while a task runs, and saved. Counts are taken from tasks
that were done to their end alone, so that totals are those of one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, cast

import msgspec

from shipper.errors import DeliveryError, UsageError
from shipper.pipeline.backfill import dask_task
from shipper.pipeline.backfill.dask_task import TOPIC, Shipped
from shipper.pipeline.backfill.deals import Deals, Run
from shipper.pipeline.backfill.keeper import Keeper
from shipper.pipeline.backfill.outcome import Figures, Limits, Observer, Outcome, totals_of
from shipper.pipeline.backfill.protocol import Moved, Piece, Said, Setup, State, from_worker, line_of
from shipper.pipeline.backfill.signals import heard

RETRIES: Final = 5
PIECES_A_THREAD: Final = 2
STOP_SECONDS: Final = 5.0
TICK_SECONDS: Final = 0.2
CONNECT_SECONDS: Final = 30.0

_decode: Final = msgspec.json.Decoder(Shipped).decode


class Client(Protocol):
    """What we use of Dask's own asynchronous client, whose methods have no types."""

    def submit(
        self, function: Callable[..., bytes], *args: object, key: str, retries: int, pure: bool
    ) -> Awaitable[bytes]:
        """Have a worker call *function*."""

    def nthreads(self) -> Awaitable[dict[str, int]]:
        """Return how many tasks each worker runs at a time."""

    def subscribe_topic(self, topic: str, handler: Callable[[tuple[float, bytes]], None]) -> None:
        """Have *handler* called with what workers say about *topic*."""

    def run(self, function: Callable[..., None], *args: object) -> Awaitable[object]:
        """Call *function* on every worker, beside its tasks."""

    def close(self) -> Awaitable[None]:
        """Leave the cluster."""


class DaskRun:
    """One run on a cluster; used from the event loop only."""

    def __init__(self, deals: Deals, keeper: Keeper, setup: Setup, limits: Limits, observer: Observer, *,
                 ordered: bool) -> None:  # fmt: skip
        """Deal what *deals* has; with *ordered* one piece of a file at a time."""
        self._deals = deals
        self._keeper = keeper
        self._setup = line_of(setup)
        self._limits = limits
        self._observer = observer
        self._ordered = ordered
        self._counts: Counter[str] = Counter()
        self._seen: dict[int, Counter[str]] = {}
        self._pending = 0
        self._errors: dict[str, str] = {}
        self._files = len(deals.runs)
        self._files_done = 0
        self._todo_bytes = sum(run.job.planned.todo_bytes for run in deals.runs)
        self._state = State("unknown")
        self._requests, self._cpu, self._peak = 0, 0.0, 0
        self._stop = asyncio.Event()
        self._gave_up = False
        self._progressed = time.monotonic()
        self._rate = (0.0, 0.0)

    async def run(self, address: str) -> Outcome:
        """Send everything by the workers of the scheduler at *address*.

        Raises:
            UsageError: Dask is not installed here.
            DeliveryError: The scheduler does not answer, or has no workers.
        """
        began = time.monotonic()
        client = await connect(address)
        try:
            with heard(self.stop):
                await self._on(client)
        finally:
            with contextlib.suppress(Exception):
                await client.run(dask_task.release_all)
            await client.close()
        await self._keeper.save()
        for counts in self._seen.values():  # of pieces that were cut short
            self._counts.update(counts)
        self._observer.tick(self._figures())
        return Outcome(
            totals=totals_of(self._counts, self._pending, self._done_bytes, self._files),
            errors=self._errors, gave_up=self._gave_up,
            stopped=self._stop.is_set() and not self._gave_up, seconds=time.monotonic() - began,
            cpu_seconds=self._cpu, peak_bytes=self._peak, requests=self._requests,
        )  # fmt: skip

    def stop(self) -> None:
        """Send nothing more but what is under way."""
        self._stop.set()

    async def _on(self, client: Client) -> None:
        threads = max(sum((await client.nthreads()).values()), 1)
        self._rate = (self._limits.events_per_second / threads, self._limits.bytes_per_second / threads)
        client.subscribe_topic(TOPIC, self._heard)
        room = asyncio.Semaphore(threads * PIECES_A_THREAD)
        chores = [asyncio.create_task(self._keeper.run()), asyncio.create_task(self._tick())]
        work = asyncio.create_task(self._send_all(client, room))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, stopping, *chores}, return_when=asyncio.FIRST_COMPLETED)
            for chore in chores:
                if chore.done():
                    chore.result()
            if not work.done():
                await client.run(dask_task.stop_all, STOP_SECONDS)
                await asyncio.wait({work}, timeout=STOP_SECONDS * 2)
            if work.done():
                work.result()
        finally:
            for task in (work, stopping, *chores):
                task.cancel()
            await asyncio.gather(work, stopping, *chores, return_exceptions=True)

    # -- tasks ---------------------------------------------------------------------------------------

    async def _send_all(self, client: Client, room: asyncio.Semaphore) -> None:
        """Send the files, from the oldest on, as many at a time as there is room for."""
        async with asyncio.TaskGroup() as files:
            for run in list(self._deals.runs):
                await room.acquire()
                if self._stop.is_set():
                    room.release()
                    break
                files.create_task(self._send_file(client, run, room))

    async def _send_file(self, client: Client, run: Run, room: asyncio.Semaphore) -> None:
        """Send one file; the room for its first piece is taken already."""
        first = True
        async with asyncio.TaskGroup() as pieces:
            for piece in self._deals.pieces_of(run):
                if not first:
                    await room.acquire()
                first = False
                if self._stop.is_set() or run.error:
                    room.release()
                    break
                sending = self._send(client, run, piece, room)
                if self._ordered:
                    await sending
                else:
                    pieces.create_task(sending)
        if first:
            room.release()
        if not self._stop.is_set():
            self._file_done(run)

    async def _send(self, client: Client, run: Run, piece: Piece, room: asyncio.Semaphore) -> None:
        try:
            future = client.submit(
                dask_task.ship, self._setup, line_of(piece), self._rate, key=f"shipper-{piece.number}-{time.time_ns()}",
                retries=RETRIES, pure=False,
            )  # fmt: skip
            shipped = _decode(await future)
        except Exception as error:  # noqa: BLE001 -- whatever a cluster may say: the file is given up, and named
            run.fail(f"{type(error).__name__}: {error}")
            return
        finally:
            room.release()
        self._shipped(run, piece, shipped)

    def _shipped(self, run: Run, piece: Piece, shipped: Shipped) -> None:
        """Take the account of a task that was done."""
        self._seen.pop(piece.number, None)
        for moved in shipped.moved:
            self._counts.update(moved.counts)
            self._settle(run, msgspec.structs.replace(moved, counts={}))
        self._pending += shipped.finished.pending
        if shipped.finished.error == "stopped":
            return
        self._deals.finished(piece.number)
        if shipped.finished.error:
            run.fail(shipped.finished.error)
        elif shipped.finished.length is not None:
            run.job.shipped.length = shipped.finished.length

    def _settle(self, run: Run, moved: Moved) -> None:
        run.moved(moved)
        self._keeper.moved(run.job.shipped, moved.points, moved.letters)
        self._progressed = time.monotonic()

    def _file_done(self, run: Run) -> None:
        self._files_done += 1
        self._deals.give_up(run, run.error)
        if run.error:
            self._errors[run.job.place.shown] = run.error
        else:
            self._keeper.done(run.job.shipped)
        self._observer.file_done(run.job, run.error)

    # -- what is said on the way -----------------------------------------------------------------------

    def _heard(self, event: tuple[float, bytes]) -> None:
        message = from_worker(event[1])
        match message:
            case Moved():
                run = self._deals.run_of(message.number)
                if run is not None:
                    self._seen.setdefault(message.number, Counter()).update(message.counts)
                    self._settle(run, message)
            case State():
                if message.accepted:
                    self._progressed = (
                        time.monotonic() if message.accepted != self._state.accepted else self._progressed
                    )
                self._state = message
                self._peak = max(self._peak, message.peak_bytes)
            case Said(event=name, fields=fields):
                self._observer.say(name, fields)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._observer.tick(self._figures())
            patience = self._limits.give_up_seconds
            if patience is not None and time.monotonic() - self._progressed > patience and not self._stop.is_set():
                self._gave_up = True
                self._observer.say("gave_up", {"seconds": patience, "message": self._state.message or None})
                self.stop()

    @property
    def _done_bytes(self) -> int:
        return sum(run.done_bytes for run in self._deals.all_runs)

    def _figures(self) -> Figures:
        counts = self._counts + sum(self._seen.values(), Counter())
        letters = sum(count for name, count in counts.items() if name.startswith("dead_"))
        trouble = self._state.health in ("refusing", "unreachable")
        waiting = f"endpoint {self._state.health}: {self._state.message}" if trouble else ""
        return Figures(
            self._done_bytes, self._todo_bytes, counts["acked"], letters, [run for run in self._deals.runs if run.out],
            waiting, len(self._errors), self._files_done,
        )  # fmt: skip


async def connect(address: str) -> Client:
    """Return a client of the scheduler at *address* (``host:port``).

    Raises:
        UsageError: Dask is not installed here.
        DeliveryError: It does not answer, or has no workers.
    """
    try:
        import distributed  # noqa: PLC0415 -- an optional extra
    except ImportError:
        raise UsageError("--engine dask:// needs Dask: pip install 'shipper[dask]'") from None
    try:
        dialled = distributed.Client(f"tcp://{address}", asynchronous=True, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]  # Dask's
        client = cast(Client, await dialled)
    except OSError as error:
        raise DeliveryError(f"no Dask scheduler answers at {address}: {error}") from None
    if not await client.nthreads():
        await client.close()
        raise DeliveryError(f"the Dask scheduler at {address} has no workers; start them with: dask worker {address}")
    return client
