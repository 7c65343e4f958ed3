"""Sends what the tailer offers: batches, several requests under way, order within a lineage.

One task forms batches, one task a batch delivers it. After a failure no later
batch of the same lineages starts until the failed one is settled; where the
endpoint as a whole fails, none starts at all (attempts.py). Every decision
about an answer is core/delivery.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from shipper.core.ageing import age
from shipper.core.batch import BatchLimits, Portion, Settlement, body_of, size_of
from shipper.core.converter import MatchBudget
from shipper.core.delivery import Action, Verdict
from shipper.pipeline.attempts import Attempts, Health, Output, Pieces
from shipper.pipeline.singles import Singles, encoded_events, events_of
from shipper.pipeline.tapping import Sent, Tapping
from shipper.pipeline.waiting import Waiting

SMALLEST_LEARNED_BYTES: Final = 65_536
ACCEPTED_BEFORE_GROWING: Final = 200

__all__ = ["Batch", "Health", "Output", "Sender"]


class Batch:
    """Portions that travel together."""

    def __init__(self, portions: list[Portion], number: int) -> None:
        self.portions = portions
        for portion in portions:
            portion.batch = number
        self.lineages = {portion.lineage for portion in portions}
        self.blocks = False

    @property
    def json_bytes(self) -> int:
        return sum(len(portion.encoded.json) for portion in self.portions)

    @property
    def events(self) -> int:
        return sum(portion.encoded.events for portion in self.portions)

    def body(self) -> Pieces | None:
        return body_of(p.encoded.json for p in self.portions if p.encoded.events) if self.events else None


class Sender:
    """Owns everything between an offer and its settlement; used from the event loop only.

    Attributes:
        held_bytes: Raw and encoded bytes of what is offered and not settled.
        attempts: The way to the endpoint.
        batches: Number of the last batch that was formed; they are numbered on over restarts.
        most_bytes: How large a request may be: the configured limit, or what a 413 has taught.
        tapping: Is shown what has left, while somebody looks; None: nobody can.
    """

    def __init__(
        self,
        output: Output,
        limits: BatchLimits,
        *,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
        on_settled: Callable[[Portion, Settlement], None],
        say: Callable[..., None],
        retry_initial_seconds: float = 1.0,
        retry_max_seconds: float = 60.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        record_budget: MatchBudget | None = None,
        beat: Callable[[], None] = lambda: None,
        beat_seconds: float = 60.0,
    ) -> None:
        """*record_budget* is entered around each record that is matched once more; *beat* hears each turn of `run`."""
        self._beat, self._beat_seconds = beat, beat_seconds
        self.held_bytes = 0
        self.batches = 0
        self.limits = limits
        self.most_bytes = limits.max_bytes
        self.now_ms = now_ms
        self.record_budget = record_budget
        self.tapping: Tapping | None = None
        self._on_settled = on_settled
        self._unsettled = 0
        self._waiting = Waiting(limits, monotonic)
        self._flush = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._accepted_at_413 = 0
        self._refused, self._accepted_at_refusal = 0, 0
        self.attempts = Attempts(
            output, now_ms=now_ms, jitter=jitter, say=say, on_open=self._wake.set, sleep=sleep,
            retry_initial_seconds=retry_initial_seconds, retry_max_seconds=retry_max_seconds,
        )  # fmt: skip

    @property
    def health(self) -> Health:
        """How the endpoint is doing."""
        return self.attempts.health

    @property
    def is_rested(self) -> bool:
        """Whether what is offered now leaves at once, as nothing has for a while."""
        return self._may_start and self._waiting.is_rested

    def limit(self, limits: BatchLimits, retry_initial_seconds: float, retry_max_seconds: float) -> None:
        """Form requests within other *limits* from now on, and wait otherwise between attempts."""
        self.limits = limits
        self.most_bytes = limits.max_bytes
        self._waiting.limit(limits)
        self.attempts.limit(retry_initial_seconds, retry_max_seconds)
        self._wake.set()

    # -- offering --------------------------------------------------------------------------------

    def offer(self, portion: Portion) -> None:
        """Take *portion* for delivery; never blocks. Order within a lineage is that of the offers."""
        self._waiting.add(portion)
        self.held_bytes += portion.held_bytes
        self._unsettled += 1
        self._idle.clear()
        if self._waiting.is_full or self._waiting.is_single or self._flush:
            self._wake.set()

    def flush(self) -> None:
        """Send what is there without waiting for it to grow or age."""
        self._flush = True
        self._wake.set()

    async def drain(self, seconds: float | None) -> bool:
        """Wait until everything that was offered is settled; return whether it is."""
        try:
            async with asyncio.timeout(seconds):
                while self._unsettled:
                    self.flush()
                    await self._idle.wait()
        except TimeoutError:
            return False
        return True

    # -- forming batches -------------------------------------------------------------------------

    async def run(self) -> None:
        """Form and send batches; runs until cancelled, and stops with the first unexpected error of a delivery."""
        try:
            while True:
                self._beat()
                self._wake.clear()
                for task in [task for task in self._tasks if task.done()]:
                    self._tasks.discard(task)
                    task.result()
                self._start_batches()
                try:
                    async with asyncio.timeout(self._rest_seconds()):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            for task in self._tasks:
                task.cancel()

    def _rest_seconds(self) -> float:
        due_in = self._seconds_until_due()
        return self._beat_seconds if due_in is None else min(due_in, self._beat_seconds)

    def _start_batches(self) -> None:
        while self._may_start and self._seconds_until_due() == 0.0:
            self.batches += 1
            batch = Batch(self._waiting.take(self._learned_bytes()), self.batches)
            task = asyncio.create_task(self._deliver(batch))
            self._tasks.add(task)
            task.add_done_callback(lambda _: self._wake.set())
        if not self._waiting:
            self._flush = False

    @property
    def _may_start(self) -> bool:
        return self.attempts.may_start and len(self._tasks) < self.limits.concurrency

    def _seconds_until_due(self) -> float | None:
        due_in = self._waiting.due_in() if self._may_start else None
        return 0.0 if self._flush and due_in is not None else due_in

    # -- delivering ------------------------------------------------------------------------------

    async def _deliver(self, batch: Batch) -> None:
        try:
            verdict = await self._send(batch)
            if verdict.action is Action.ACCEPTED:
                self._settle(batch, 204 if batch.events else None)
                return
            self._block(batch)
            singles = Singles(self, batch.portions)
            if verdict.action is Action.PARTIAL:
                await singles.settle_partial(verdict)
            else:
                await singles.settle(verdict)
        finally:
            if batch.blocks:
                self._waiting.unblock(batch.lineages)

    async def _send(self, batch: Batch) -> Verdict:
        self.refresh(batch.portions)
        size = size_of(batch.json_bytes, len(batch.portions))
        if size > self.limits.max_bytes or batch.events > self.limits.max_events:
            return Verdict(Action.SPLIT, "over the configured limits")
        verdict = await self.attempts.send(lambda: self._fresh_body(batch), lambda: self._block(batch))
        if verdict.action is Action.SPLIT:
            self.learn(size)
        elif self.tapping is not None and self.tapping.active and verdict.action in (Action.ACCEPTED, Action.PARTIAL):
            self.tapping.sent([sent_of(portion) for portion in batch.portions])
        return verdict

    def _fresh_body(self, batch: Batch) -> Pieces | None:
        self.refresh(batch.portions)
        return batch.body()

    def _block(self, batch: Batch) -> None:
        if not batch.blocks:
            batch.blocks = True
            self._waiting.block(batch.lineages)

    def _settle(self, batch: Batch, status: int | None) -> None:
        for portion in batch.portions:
            self.settled(portion, Settlement(filtered=portion.filtered, refused=portion.refused, status=status))

    def settled(self, portion: Portion, settlement: Settlement) -> None:
        """Hand *portion* back: nothing of it is on its way any more."""
        self.held_bytes -= portion.held_bytes
        self._unsettled -= 1
        self._on_settled(portion, settlement)
        if not self._unsettled:
            self._idle.set()

    def refresh(self, portions: Sequence[Portion]) -> None:
        """Apply the source's policy to what has grown too old since it was converted."""
        now = self.now_ms()
        for portion in portions:
            rule, oldest = portion.converter.rule, portion.encoded.oldest_ms
            if oldest is None or oldest >= now - rule.max_age_ms:
                continue
            aged = age(events_of(portion, self.record_budget), now - rule.max_age_ms, now, rule.too_old)
            self.held_bytes -= portion.held_bytes
            portion.events = aged.events
            portion.encoded = encoded_events(portion.encoded, aged.events)
            self.held_bytes += portion.held_bytes
            if aged.dropped_records:
                dropped = portion.filtered.get("too_old", 0) + aged.dropped_records
                portion.filtered = {**portion.filtered, "too_old": dropped}
            portion.refused = [*portion.refused, *aged.refused]

    # -- what refusals teach ----------------------------------------------------------------------

    @property
    def refused_in_a_row(self) -> int:
        """Events of batches of which nothing passed, since the endpoint took something."""
        return self._refused if self.attempts.accepted == self._accepted_at_refusal else 0

    def note_refused(self, events: int) -> None:
        """Remember that a batch of which nothing passed had *events* refused."""
        self._refused = self.refused_in_a_row + events
        self._accepted_at_refusal = self.attempts.accepted

    def learn(self, refused_bytes: int) -> None:
        """Remember that a request of *refused_bytes* was too large."""
        self.most_bytes = max(min(self.most_bytes, refused_bytes // 2), SMALLEST_LEARNED_BYTES)
        self._accepted_at_413 = self.attempts.accepted

    def _learned_bytes(self) -> int:
        """Return how large a request may be; after many that were taken, twice as much is tried again."""
        if self.attempts.accepted - self._accepted_at_413 >= ACCEPTED_BEFORE_GROWING:
            self._accepted_at_413 = self.attempts.accepted
            self.most_bytes = min(self.most_bytes * 2, self.limits.max_bytes)
        return self.most_bytes


def sent_of(portion: Portion) -> Sent:
    """Return the events of *portion* as they have left."""
    return Sent(portion.converter.rule.source, portion.encoded.json, portion.encoded.events)
