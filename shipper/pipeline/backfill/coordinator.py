"""Has worker processes send what the jobs say, and keeps account of it.

Pieces are dealt from the oldest file on to whoever has room. What a worker
reports is saved, then counted; a worker that dies has its pieces dealt again
from where they are settled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from shipper.adapters.texts import STDIN
from shipper.pipeline.backfill.crew import Crew, Hand
from shipper.pipeline.backfill.deals import Deals, Run, weight
from shipper.pipeline.backfill.jobs import Job
from shipper.pipeline.backfill.keeper import Keeper
from shipper.pipeline.backfill.outcome import Figures, Limits, Observer, Outcome, totals_of
from shipper.pipeline.backfill.protocol import (
    Drop,
    Finished,
    FromWorker,
    Go,
    Moved,
    Pause,
    Paused,
    Rate,
    Resume,
    Said,
    Saved,
    Setup,
    State,
)
from shipper.pipeline.backfill.signals import heard

LOAD_BYTES: Final = 8 << 20
MOST_PIECES: Final = 64
STOP_SECONDS: Final = 5.0
GIVE_UP_SECONDS: Final = 0.5  # for a last answer of an endpoint that has taken nothing for long
TICK_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 10.0


class Coordinator:
    """One run; owns the workers, used from the event loop only.

    Attributes:
        crew: The worker processes.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        deals: Deals,
        keeper: Keeper,
        setup: Setup,
        limits: Limits,
        observer: Observer,
        spare: Sequence[Hand] = (),
    ) -> None:
        """*jobs* have their rows saved; *spare* are workers that were started early, the first with our stdin."""
        share = 1 / limits.workers
        rate = Rate(limits.events_per_second * share, limits.bytes_per_second * share)
        reads_stdin = any(job.place.path == STDIN and job.todo for job in jobs)
        self.crew = Crew(setup, rate, self._heard, spare, reads_stdin=reads_stdin)
        self._deals = deals
        self._keeper = keeper
        self._limits = limits
        self._observer = observer
        self._counts: Counter[str] = Counter()
        self._errors: dict[str, str] = {}
        self._files = sum(bool(job.todo) for job in jobs)
        self._todo_bytes = sum(job.planned.todo_bytes for job in jobs)
        self._pending = self._done_bytes = self._files_done = 0
        self._progressed = time.monotonic()
        self._news, self._stop = asyncio.Event(), asyncio.Event()
        self._paused: set[Hand] | None = None
        self._all_paused = asyncio.Event()
        self._gave_up = False
        self._pausing: asyncio.Task[None] | None = None

    async def run(self) -> Outcome:
        """Send everything, or as much as can be; workers are gone when this returns.

        Raises:
            StateError: What is settled cannot be saved.
            WorkersDie: Workers end as soon as they are started.
        """
        began = time.monotonic()
        with heard(self.stop, self._kill, self._pause_soon):
            try:
                for _ in range(self._limits.workers if self._deals.runs else 0):
                    await self.crew.hire()
                if self.crew.hands:
                    await self._with_chores()
            finally:
                await self.crew.dismiss(GIVE_UP_SECONDS if self._gave_up else STOP_SECONDS)
        await self._keeper.save()
        self._observer.tick(self.figures())
        return Outcome(
            totals=totals_of(self._counts, self._pending, self._done_bytes, self._files),
            errors=self._errors, gave_up=self._gave_up,
            stopped=self._stop.is_set() and not self._gave_up, seconds=time.monotonic() - began,
            cpu_seconds=self.crew.cpu_seconds, peak_bytes=self.crew.peak_bytes, requests=self.crew.requests,
        )  # fmt: skip

    async def _with_chores(self) -> None:
        chores = [asyncio.create_task(self._keeper.run()), asyncio.create_task(self._tick())]
        work = asyncio.create_task(self._work())
        try:
            await asyncio.wait({work, *chores}, return_when=asyncio.FIRST_COMPLETED)
            for task in (*chores, work):
                if task.done():
                    task.result()
        finally:
            for task in (*chores, work):
                task.cancel()
            await asyncio.gather(*chores, work, return_exceptions=True)

    # -- dealing ---------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while not self._stop.is_set():
            self._news.clear()
            if self._paused is None:
                self._deal()
            if not any(hand.pieces for hand in self.crew.hands) and self._paused is None:
                return
            await self._news.wait()
            await self._replace_dead()

    def _deal(self) -> None:
        while True:
            hand = min(self.crew.hands, key=lambda hand: (hand.load, len(hand.pieces)))
            if hand.load >= LOAD_BYTES or len(hand.pieces) >= MOST_PIECES:
                return
            piece = self._deals.next()
            while self._deals.failed:
                run = self._deals.failed.pop()
                if run.job.place.shown not in self._errors:
                    self._give_up_file(run, run.error)
            if piece is None:
                return
            dealt = self._deals.run_of(piece.number)
            size = weight(piece, dealt.job.planned.plain_bytes if dealt else 0)
            if piece.place.path == STDIN:
                hand = self.crew.hands[0]
            elif hand.pieces and hand.load + size > LOAD_BYTES + (LOAD_BYTES >> 1):
                self._deals.put_back(piece)
                return
            hand.deal(piece, max(size, 1))

    async def _replace_dead(self) -> None:
        for hand in self.crew.take_dead() if not self._stop.is_set() else ():
            self._observer.say("worker_died", {"status": hand.process.returncode, "pieces": len(hand.pieces)})
            for number in hand.pieces:
                run = self._deals.run_of(number)
                if run is not None and run.job.place.path == STDIN:
                    self._give_up_file(run, "the process that read standard input is gone, and what it had read")
                elif run is not None:
                    self._deals.again(number)
            await self.crew.hire()

    # -- what workers say -------------------------------------------------------------------------------

    def _heard(self, hand: Hand, message: FromWorker) -> None:
        match message:
            case Moved():
                self._moved(hand, message)
            case Finished():
                self._finished(hand, message)
            case State():
                if message.accepted != hand.state.accepted:
                    self._progressed = time.monotonic()
                hand.state = message
            case Said(event=event, fields=fields):
                self._observer.say(event, fields)
            case Paused():
                if self._paused is not None:
                    self._paused.discard(hand)
                    if not self._paused:
                        self._all_paused.set()

    def _moved(self, hand: Hand, moved: Moved) -> None:
        run = self._deals.run_of(moved.number)
        if run is None:
            return
        before = run.done_bytes
        run.moved(moved)
        self._done_bytes += run.done_bytes - before
        self._counts.update(moved.counts)
        saved = Saved(moved.number, moved.upto)
        self._keeper.moved(run.job.shipped, moved.points, moved.letters, lambda: hand.tell(saved))
        if moved.counts:
            self.crew.deaths = 0
            self._progressed = time.monotonic()

    def _finished(self, hand: Hand, finished: Finished) -> None:
        hand.pieces.pop(finished.number, None)
        self._pending += finished.pending
        self._news.set()
        run = self._deals.run_of(finished.number)
        if run is None or self._stop.is_set():
            return
        if finished.error:
            self._give_up_file(run, finished.error)
            return
        if finished.length is not None:
            run.job.shipped.length = finished.length
        following = self._deals.finished(finished.number)
        if following is not None:
            for each in self.crew.hands:
                if following in each.pieces:
                    each.tell(Go(following))
        if run.finished:
            self._files_done += 1
            self._keeper.done(run.job.shipped)
            self._observer.file_done(run.job, "")

    def _give_up_file(self, run: Run, error: str) -> None:
        for number in self._deals.give_up(run, error):
            for hand in self.crew.hands:
                if number in hand.pieces:
                    hand.tell(Drop(number))
        self._errors[run.job.place.shown] = error
        self._files_done += 1
        self._observer.file_done(run.job, error)

    # -- time -------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._observer.tick(self.figures())
            self._news.set()  # a worker's end is seen here at the latest
            if not any(hand.state.held_bytes for hand in self.crew.hands):
                self._progressed = time.monotonic()  # nothing is waited for but our own work
            patience = self._limits.give_up_seconds
            waited = time.monotonic() - self._progressed
            if patience is not None and waited > patience and self._paused is None and not self._stop.is_set():
                self._gave_up = True
                self._observer.say("gave_up", {"seconds": patience, "message": self._trouble() or None})
                self.stop()

    def figures(self) -> Figures:
        """Return how it stands."""
        letters = sum(count for name, count in self._counts.items() if name.startswith("dead_"))
        waiting = "paused" if self._paused is not None else self._trouble()
        running = [run for run in self._deals.runs if run.out]
        return Figures(
            self._done_bytes, self._todo_bytes, self._counts["acked"], letters, running, waiting, len(self._errors),
            self._files_done,
        )  # fmt: skip

    def _trouble(self) -> str:
        for hand in self.crew.hands:
            if hand.state.health in ("refusing", "unreachable"):
                return f"endpoint {hand.state.health}: {hand.state.message}"
        return ""

    # -- signals ------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Read no more; what is under way is waited for, for a few seconds."""
        self._stop.set()
        self._news.set()

    def _kill(self) -> None:
        for hand in self.crew.hands:
            with contextlib.suppress(ProcessLookupError):
                hand.process.kill()

    def _pause_soon(self) -> None:
        if self._paused is None and not self._stop.is_set():
            self._pausing = asyncio.create_task(self._pause())

    async def _pause(self) -> None:
        """Send nothing more, wait for what is under way, save, and stop as the terminal wants; go on after it."""
        self._paused = set(self.crew.hands)
        self._all_paused.clear()
        for hand in self.crew.hands:
            hand.tell(Pause())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._all_paused.wait()
        await self._keeper.save()
        self._observer.tick(self.figures())
        os.kill(os.getpid(), signal.SIGSTOP)
        # Here SIGCONT has come.
        self._paused = None
        self._progressed = time.monotonic()
        for hand in self.crew.hands:
            hand.tell(Resume())
        self._news.set()
