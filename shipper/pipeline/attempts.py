"""Attempts at the endpoint: until it says something about the events, whatever else goes wrong.

Where the endpoint as a whole fails, a gate closes: no new batch starts, and
of those under way one at a time tries whether it answers again. Every
decision about an answer is core/delivery.py's.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from shipper.core.backoff import Backoff
from shipper.core.delivery import Action, Response, Verdict, classify
from shipper.errors import EndpointUnreachable
from shipper.pipeline.journal import Value
from shipper.pipeline.timings import Timings

Pieces = Sequence[bytes | memoryview]

NOTHING_LEFT: Final = Verdict(Action.ACCEPTED, "nothing is left to send")


class Output(Protocol):
    """Where batches go."""

    async def post(self, pieces: Pieces) -> Response:
        """Send a body; raises EndpointUnreachable."""


class Health(msgspec.Struct):
    """How the endpoint is doing.

    Attributes:
        error, error_ms: What it said when it failed last, and when that was; kept when it is over.
    """

    state: str = "unknown"
    since_ms: int = 0
    status: int | None = None
    message: str = ""
    attempts: int = 0
    error: str = ""
    error_ms: int = 0


class Attempts:
    """Owns the gate and the waits; used from the event loop only.

    Attributes:
        health: Of the endpoint.
        counters: Requests, by status too.
        last_ms: When each status was last answered, wall clock.
        seconds: That an answer took, refusals too; not of requests that got none.
        accepted: Requests that the endpoint took, wholly or in part.
    """

    def __init__(
        self,
        output: Output,
        *,
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
        say: Callable[..., None],
        on_open: Callable[[], None],
        retry_initial_seconds: float,
        retry_max_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """*say* takes an event's name and its fields, as Journal.say does; *on_open* hears that batches may start."""
        self.health = Health()
        self.counters: Counter[str] = Counter()
        self.last_ms: dict[str, int] = {}
        self.seconds = Timings()
        self.accepted = 0
        self._output = output
        self._now_ms = now_ms
        self._jitter = jitter
        self._say = say
        self._on_open = on_open
        self._hold_seconds = retry_max_seconds
        self._sleep = sleep
        self._backoff = Backoff(retry_initial_seconds, retry_max_seconds)
        self._probe = asyncio.Lock()
        self._standing = ""
        self._failing = False
        self._holds = 0

    def limit(self, retry_initial_seconds: float, retry_max_seconds: float) -> None:
        """Wait otherwise between attempts from now on."""
        attempts, self._backoff = self._backoff.attempts, Backoff(retry_initial_seconds, retry_max_seconds)
        self._backoff.attempts = attempts
        self._hold_seconds = retry_max_seconds

    @property
    def may_start(self) -> bool:
        """Whether a new batch may go."""
        return not self._failing and not self._holds

    async def send(self, body: Callable[[], Pieces | None], on_trouble: Callable[[], None]) -> Verdict:
        """Send until the endpoint says something about the events: taken, taken in part, or that they are wrong.

        Args:
            body: Called anew for each attempt, since events grow old while we wait; None when nothing is left.
            on_trouble: Called when the first attempt has failed, before anything else may start.
        """
        verdict = await self._attempt(body)
        if not _is_endpoint_wide(verdict):
            return verdict
        self._failing = True
        on_trouble()
        async with self._probe:  # one batch at a time asks whether the endpoint is back
            while True:
                if self._failing:
                    await self._sleep(self._wait(verdict))
                verdict = await self._attempt(body)
                self._failing = _is_endpoint_wide(verdict)
                if not self._failing:
                    self._opened()
                    return verdict

    async def hold(self, verdict: Verdict) -> None:
        """Wait with everything: the endpoint answers, and refuses every event. One message."""
        self._note("refusing", self.health.status, verdict.message)
        self._holds += 1
        try:
            mend = "the endpoint refuses every event, whatever it holds"
            await self._sleep(self._wait(verdict._replace(action=Action.HOLD, mend=mend), self._next_wait()))
        finally:
            self._holds -= 1
            self._opened()

    async def pause(self) -> None:
        """Wait with one batch that takes many requests, so that others get their turn."""
        await self._sleep(self._next_wait())

    def _next_wait(self) -> float:
        return self._backoff.next_seconds(self._jitter())

    async def _attempt(self, body: Callable[[], Pieces | None]) -> Verdict:
        pieces = body()
        if pieces is None:
            return NOTHING_LEFT
        self.counters["requests"] += 1
        started = time.monotonic()
        try:
            response = await self._output.post(pieces)
        except EndpointUnreachable as error:
            self._count("unreachable")
            self._note("unreachable", None, str(error))
            return Verdict(Action.RETRY, str(error))
        self.seconds.observe(time.monotonic() - started)
        self._count(f"status_{response.status}")
        verdict = classify(response, self._now_ms() / 1000)
        self._note("refusing" if _is_endpoint_wide(verdict) else "answering", response.status, verdict.message)
        if verdict.action in (Action.ACCEPTED, Action.PARTIAL):
            self._was_accepted(verdict)
        return verdict

    def _count(self, answer: str) -> None:
        self.counters[answer] += 1
        self.last_ms[answer] = self._now_ms()

    def _was_accepted(self, verdict: Verdict) -> None:
        self.accepted += 1
        if self._backoff.attempts:
            self._say("delivery_resumed", attempts=self._backoff.attempts)
            self._backoff.reset()
        self._standing = ""
        self.health.attempts = 0
        if verdict.action is Action.PARTIAL:
            self._say("delivery_partial", refused=verdict.refused, message=verdict.message)

    def _wait(self, verdict: Verdict, seconds: float | None = None) -> float:
        """Return how long to wait, and say why."""
        if verdict.action is not Action.HOLD:
            seconds = max(self._next_wait(), verdict.wait_seconds or 0.0)
        elif seconds is None:
            seconds = self._hold_seconds
            self._backoff.attempts += 1
        self.health.attempts = self._backoff.attempts
        standing = f"{verdict.message} {verdict.mend}" if verdict.action is Action.HOLD else ""
        if not standing or standing != self._standing:
            fields: dict[str, Value] = {
                "status": self.health.status, "attempt": self._backoff.attempts, "wait_seconds": seconds,
                "message": verdict.message or None, "mend": verdict.mend or None,
            }  # fmt: skip
            self._say("delivery_held" if standing else "delivery_retry", **fields)
        self._standing = standing
        return seconds

    def _opened(self) -> None:
        if self.may_start:
            self._on_open()

    def _note(self, state: str, status: int | None, message: str) -> None:
        if state != self.health.state:
            self.health.since_ms = self._now_ms()
        self.health.state, self.health.status, self.health.message = state, status, message
        if state != "answering":
            self.health.error = message or f"status {status}"
            self.health.error_ms = self._now_ms()


def _is_endpoint_wide(verdict: Verdict) -> bool:
    return verdict.action in (Action.RETRY, Action.HOLD)
