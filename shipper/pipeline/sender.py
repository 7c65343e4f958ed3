"""Sends what the tailer offers: batches, several requests under way, order within a lineage.

One task forms batches, one task a batch delivers it. After a failure no later
batch of the same lineages starts until the failed one is settled; where the
endpoint as a whole fails, a gate closes and one batch at a time tries whether
it answers again. Every decision about an answer is core/delivery.py's.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from shipper.core.backoff import Backoff
from shipper.core.batch import BatchLimits, Portion, Settlement, body_of, size_of
from shipper.core.delivery import Action, Response, Verdict, classify
from shipper.errors import EndpointUnreachable
from shipper.pipeline.journal import Value
from shipper.pipeline.singles import Singles


class Output(Protocol):
    """Where batches go."""

    async def post(self, pieces: Sequence[bytes | memoryview]) -> Response:
        """Send a body; raises EndpointUnreachable."""


class Health(msgspec.Struct):
    """How the endpoint is doing."""

    state: str = "unknown"
    since_ms: int = 0
    status: int | None = None
    message: str = ""
    attempts: int = 0


class Batch:
    """Portions that travel together."""

    def __init__(self, portions: list[Portion]) -> None:
        self.portions = portions
        self.lineages = {portion.lineage for portion in portions}

    @property
    def json_bytes(self) -> int:
        return sum(len(portion.encoded.json) for portion in self.portions)

    @property
    def events(self) -> int:
        return sum(portion.encoded.events for portion in self.portions)

    def body(self) -> list[bytes | memoryview]:
        return body_of(portion.encoded.json for portion in self.portions if portion.encoded.events)


class Sender:
    """Owns everything between an offer and its settlement; used from the event loop only.

    Attributes:
        held_bytes: Raw and encoded bytes of what is offered and not settled.
        health: Of the endpoint.
        counters: Requests by status, retries, events sent.
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
        sleep: Callable[[float], asyncio.Future[None]] | None = None,
    ) -> None:
        """*say* takes an event's name and its fields, as Journal.say does."""
        self.held_bytes = 0
        self.health = Health()
        self.counters: Counter[str] = Counter()
        self._output = output
        self.limits = limits
        self._learned_bytes = limits.max_bytes
        self.now_ms = now_ms
        self._monotonic = monotonic
        self._jitter = jitter
        self._on_settled = on_settled
        self._say = say
        self._retry = (retry_initial_seconds, retry_max_seconds)
        self._sleep = sleep or (lambda seconds: asyncio.ensure_future(asyncio.sleep(seconds)))
        self._waiting: deque[tuple[Portion, float]] = deque()
        self._waiting_bytes = 0
        self._waiting_events = 0
        self._flush = False
        self._blocked: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Event()
        self._gate.set()
        self._probe = asyncio.Lock()
        self._backoff = Backoff(*self._retry)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._said_hold = ""
        self.refused_in_a_row = 0

    # -- offering --------------------------------------------------------------------------------

    def offer(self, portion: Portion) -> None:
        """Take *portion* for delivery; never blocks. Order within a lineage is that of the offers."""
        self._waiting.append((portion, self._monotonic()))
        self._waiting_bytes += len(portion.encoded.json)
        self._waiting_events += portion.encoded.events
        self.held_bytes += portion.held_bytes
        self._idle.clear()
        if self._waiting_bytes >= self.limits.target_bytes or len(self._waiting) == 1:
            self._wake.set()

    def flush(self) -> None:
        """Send what is there without waiting for it to grow or age."""
        self._flush = True
        self._wake.set()

    async def drain(self, seconds: float | None) -> bool:
        """Wait until everything that was offered is settled; return whether it is."""
        self.flush()
        try:
            async with asyncio.timeout(seconds):
                while not self._idle.is_set():
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
                self._wake.clear()
                while self._may_start() and self._due():
                    batch = self._take()
                    if batch is None:
                        break
                    task = asyncio.create_task(self._deliver(batch))
                    self._tasks.add(task)
                    task.add_done_callback(self._wake_up)
                for task in [task for task in self._tasks if task.done()]:
                    self._tasks.discard(task)
                    task.result()
                try:
                    async with asyncio.timeout(self._seconds_until_due()):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            for task in self._tasks:
                task.cancel()

    def _wake_up(self, _task: asyncio.Task[None]) -> None:
        self._wake.set()

    def _may_start(self) -> bool:
        return self._gate.is_set() and len(self._tasks) < self.limits.concurrency

    def _due(self) -> bool:
        if not self._waiting:
            self._flush = False
            return False
        aged = self._monotonic() - self._waiting[0][1] >= self.limits.flush_seconds
        full = self._waiting_bytes >= self.limits.target_bytes or self._waiting_events >= self.limits.max_events
        return self._flush or aged or full

    def _seconds_until_due(self) -> float | None:
        if not self._waiting or not self._may_start():
            return None
        left = self._waiting[0][1] + self.limits.flush_seconds - self._monotonic()
        # A head whose lineage is blocked is due and cannot go: its settlement wakes us.
        return max(left, 0.0) if left > 0 or not self._blocked else None

    def _take(self) -> Batch | None:
        """Return the next batch: the first portions whose lineages are free, up to the target size."""
        taken: list[Portion] = []
        passed_over: list[tuple[Portion, float]] = []
        skipped: set[int] = set()
        json_bytes = events = 0
        target = min(self.limits.target_bytes, self._learned_bytes)
        while self._waiting:
            portion, at = self._waiting.popleft()
            encoded = portion.encoded
            if self._blocked[portion.lineage] or portion.lineage in skipped:
                skipped.add(portion.lineage)
                passed_over.append((portion, at))
                continue
            size = size_of(json_bytes + len(encoded.json), len(taken) + 1)
            if taken and (
                size > min(self.limits.max_bytes, self._learned_bytes)
                or events + encoded.events > self.limits.max_events
            ):
                self._waiting.appendleft((portion, at))
                break
            taken.append(portion)
            json_bytes += len(encoded.json)
            events += encoded.events
            if json_bytes >= target:
                break
        self._waiting.extendleft(reversed(passed_over))
        self._waiting_bytes -= json_bytes
        self._waiting_events -= events
        return Batch(taken) if taken else None

    # -- delivering ------------------------------------------------------------------------------

    async def _deliver(self, batch: Batch) -> None:
        blocked = False
        try:
            while True:
                self.refresh(batch.portions)
                if not batch.events:
                    self._settle(batch, None)
                    return
                if self._too_large(batch):
                    verdict = Verdict(Action.SPLIT, "over the configured limits")
                else:
                    verdict = await self.request(batch.body())
                if verdict.action is Action.ACCEPTED:
                    self._settle(batch, 204)
                    return
                if not blocked:
                    blocked = True
                    self._blocked.update(batch.lineages)
                if verdict.action is Action.SPLIT:
                    self._learned_bytes = max(min(self._learned_bytes, batch.json_bytes // 2), 65_536)
                if verdict.action is Action.PARTIAL:
                    await Singles(self, batch.portions).settle_partial(verdict)
                    return
                await Singles(self, batch.portions).settle(verdict)
                return
        finally:
            if blocked:
                self._blocked.subtract(batch.lineages)
                self._blocked += Counter()
            self._wake.set()

    def _too_large(self, batch: Batch) -> bool:
        size = size_of(batch.json_bytes, len(batch.portions))
        return size > self.limits.max_bytes or batch.events > self.limits.max_events

    def _settle(self, batch: Batch, status: int | None) -> None:
        for portion in batch.portions:
            self.settled(portion, Settlement(filtered=portion.filtered, refused=portion.refused, status=status))

    def settled(self, portion: Portion, settlement: Settlement) -> None:
        """Hand *portion* back: nothing of it is on its way any more."""
        self.held_bytes -= portion.held_bytes
        self.counters["events"] += portion.encoded.events
        self._on_settled(portion, settlement)
        if self.held_bytes == 0 and not self._waiting:
            self._idle.set()

    def refresh(self, portions: Sequence[Portion]) -> None:
        """Convert again what has grown too old since it was converted."""
        now = self.now_ms()
        for portion in portions:
            oldest = portion.encoded.oldest_ms
            if oldest is None or oldest >= now - portion.converter.rule.max_age_ms:
                continue
            before = portion.encoded
            self.held_bytes -= portion.held_bytes
            portion.encoded = portion.converter.convert(portion.chunk, portion.facts, portion.carry, now)
            self.held_bytes += portion.held_bytes
            portion.filtered = {
                reason: extra
                for reason, count in portion.encoded.filtered.items()
                if (extra := count - before.filtered.get(reason, 0))
            }
            known = {refused.span for refused in before.refused}
            portion.refused = [refused for refused in portion.encoded.refused if refused.span not in known]
            portion.encoded.refused = before.refused
            portion.encoded.filtered = before.filtered
            portion.encoded.records = before.records

    # -- requests --------------------------------------------------------------------------------

    async def request(self, pieces: Sequence[bytes | memoryview]) -> Verdict:
        """Send a body until the endpoint says something about it: accepted, partial, or that its events are wrong."""
        verdict = await self._attempt(pieces)
        if not _is_endpoint_wide(verdict):
            return verdict
        self._gate.clear()
        async with self._probe:  # one batch at a time asks whether the endpoint is back
            while True:
                if self._gate.is_set():  # another one got an answer while we waited for our turn
                    verdict = await self._attempt(pieces)
                    if not _is_endpoint_wide(verdict):
                        return verdict
                    self._gate.clear()
                await self._sleep(self._wait(verdict))
                verdict = await self._attempt(pieces)
                if not _is_endpoint_wide(verdict):
                    self._reopen()
                    return verdict

    async def hold(self, message: str) -> None:
        """Wait as long as between attempts at an endpoint that refuses everything; one message."""
        verdict = Verdict(Action.HOLD, message, mend="the endpoint refuses every event, whatever it holds")
        self._gate.clear()
        try:
            await self._sleep(self._wait(verdict))
        finally:
            self._gate.set()

    async def _attempt(self, pieces: Sequence[bytes | memoryview]) -> Verdict:
        self.counters["requests"] += 1
        try:
            response = await self._output.post(pieces)
        except EndpointUnreachable as error:
            self.counters["unreachable"] += 1
            self._note("unreachable", None, str(error))
            return Verdict(Action.RETRY, str(error))
        self.counters[f"status_{response.status}"] += 1
        verdict = classify(response, self.now_ms() / 1000)
        if verdict.action in (Action.ACCEPTED, Action.PARTIAL):
            self.refused_in_a_row = 0
        self._note("refusing" if _is_endpoint_wide(verdict) else "answering", response.status, verdict.message)
        return verdict

    def _wait(self, verdict: Verdict) -> float:
        """Return how long to wait, and say why."""
        if verdict.action is Action.HOLD:
            seconds = self._retry[1]
            self._backoff.attempts += 1
        else:
            seconds = self._backoff.next_seconds(self._jitter())
            seconds = max(seconds, verdict.wait_seconds or 0.0)
        self.health.attempts = self._backoff.attempts
        complaint = f"{verdict.action} {verdict.message} {verdict.mend}"
        if verdict.action is not Action.HOLD or complaint != self._said_hold:
            self._said_hold = complaint if verdict.action is Action.HOLD else ""
            fields: dict[str, Value] = {
                "status": self.health.status, "attempt": self._backoff.attempts, "wait_seconds": seconds,
                "held_bytes": self.held_bytes, "message": verdict.message or None, "mend": verdict.mend or None,
            }  # fmt: skip
            self._say("delivery_held" if verdict.action is Action.HOLD else "delivery_retry", **fields)
        return seconds

    def _reopen(self) -> None:
        if self._backoff.attempts:
            self._say("delivery_resumed", attempts=self._backoff.attempts)
        self._backoff.reset()
        self._said_hold = ""
        self.health.attempts = 0
        self._gate.set()
        self._wake.set()

    def _note(self, state: str, status: int | None, message: str) -> None:
        if state != self.health.state:
            self.health.since_ms = self.now_ms()
        self.health.state, self.health.status, self.health.message = state, status, message


def _is_endpoint_wide(verdict: Verdict) -> bool:
    return verdict.action in (Action.RETRY, Action.HOLD)
