"""Sends what the endpoint keeps on to a SaaS, Managed or ActiveGate URL.

One request at a time, so that the order is that of arrival. A batch is done
when each of its events is delivered, or refused by a tenant that takes
others, or too old for it: only then the backlog moves on. Nothing is given up
for any other reason; a crash sends at most the batch under way again.

Source: the reference page, sections 3, 5 ("Recommended defaults") and 10.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from shipper.endpoint.packing import Pack, pack, split
from shipper.endpoint.saying import Field, say
from shipper.endpoint.tenant import ANSWER_SECONDS, CONNECT_SECONDS, Tenant
from shipper.endpoint.verdicts import Judgement, Verdict, judge
from shipper.errors import ConfigError, EndpointUnreachable

Pieces = list[msgspec.Raw]

# Requests that may be spent in one go on finding the bad events of a batch.
_SEARCH_REQUESTS: Final = 64
# So many single events refused, and none taken since: it is not the events.
_SUSPICIOUS: Final = 3


class ForwardBatch(msgspec.Struct, frozen=True):
    """Events that wait for the tenant.

    Attributes:
        position: Where the batch ends in the store's order; the store's own word.
        events: `protocol.forward_form` of each, joined by commas, in the order of arrival.
        count: How many.
    """

    position: str
    events: bytes
    count: int


class Backlog(Protocol):
    """What waits, oldest first; the store has it."""

    async def next(self, max_bytes: int, max_events: int) -> ForwardBatch | None:
        """Return the events after the last batch that is done, or None when none wait.

        One event larger than *max_bytes* comes alone. Until `done` is called the same events come again.
        """

    async def done(self, batch: ForwardBatch) -> None:
        """Remember durably that *batch* needs no more sending."""

    def waiting(self) -> tuple[int, int]:
        """Return how many events and bytes wait."""


class Pace(msgspec.Struct, frozen=True):
    """Sizes and times.

    Attributes:
        max_bytes, max_events: Of a request, before gzip.
        max_age_ms: An event older than this is not sent: the tenant's 24 h, less a minute on the way.
        retry_seconds, longest_retry_seconds: Waits double from the first to the second, each with full jitter.
        hold_seconds: Between attempts while something has to be mended.
        idle_seconds: Between looks at an empty backlog.
        connect_seconds, answer_seconds: Of a request.
    """

    max_bytes: int = 4_500_000
    max_events: int = 5_000
    max_age_ms: int = 86_400_000 - 60_000
    retry_seconds: float = 1.0
    longest_retry_seconds: float = 60.0
    hold_seconds: float = 60.0
    idle_seconds: float = 0.5
    connect_seconds: float = CONNECT_SECONDS
    answer_seconds: float = ANSWER_SECONDS


class Counters(msgspec.Struct):
    """Since the start; events are each in one of the first four once their batch is done."""

    events_forwarded: int = 0
    events_too_old: int = 0
    events_refused: int = 0
    events_too_large: int = 0
    bytes_forwarded: int = 0
    bytes_on_the_wire: int = 0
    requests: int = 0
    retries: int = 0


class Forwarder:
    """Owns the connection to the tenant and the counters."""

    def __init__(
        self,
        backlog: Backlog,
        url: str,
        token: str | Callable[[], str],
        *,
        ca_file: Path | None = None,
        pace: Pace | None = None,
        speak: Callable[..., None] = say,
        now_s: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Send nothing yet.

        Args:
            backlog: What is to be sent.
            url: Of the environment, or the whole ingest URL.
            token: Or what reads it, before each request.
            ca_file: Trusted in place of the system's authorities.
            pace: Sizes and times.
            speak: Our own log.
            now_s, sleep: The clock.

        Raises:
            ConfigError: *url*, *token* or *ca_file* cannot be used.
        """
        self._backlog = backlog
        self._pace = pace or Pace()
        read_token = (lambda: token) if isinstance(token, str) else token
        self._tenant = Tenant(
            url,
            read_token,
            ca_file=ca_file,
            connect_seconds=self._pace.connect_seconds,
            answer_seconds=self._pace.answer_seconds,
        )
        self._speak = speak
        self._now_s = now_s
        self._sleep = sleep
        self._counters = Counters()
        self._trouble = ""
        self._refused_in_a_row = 0
        self._expired = 0

    def stats(self) -> dict[str, object]:
        """Return the counters, what waits, and in ``trouble`` why nothing passes just now ("" when it does)."""
        events, size = self._backlog.waiting()
        counted = msgspec.structs.asdict(self._counters)
        return {**counted, "events_waiting": events, "bytes_waiting": size, "trouble": self._trouble}

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            StateError: The backlog cannot remember what is done.
        """
        async with self._tenant:
            while True:
                # Two bytes are the array's brackets.
                batch = await self._backlog.next(self._pace.max_bytes - 2, self._pace.max_events)
                if batch is None:
                    await self._sleep(self._pace.idle_seconds)
                elif await self._deliver(split(batch.events)):
                    await self._backlog.done(batch)
                else:
                    await self._sleep(self._pace.hold_seconds)

    async def _deliver(self, events: Pieces) -> bool:
        """Return whether *events* need no more sending; False: none passed, and it is hardly their fault.

        A refused part is halved until the bad events are alone. They are suspects until
        the tenant takes another event: one that takes nothing says nothing about events.
        """
        parts = [events]
        suspects: list[Judgement] = []
        taken = False
        requests = self._expired = 0
        while parts:
            if requests >= _SEARCH_REQUESTS:
                requests = 0
                await self._sleep(self._pace.retry_seconds if taken else self._pace.hold_seconds)
            part, judgement = await self._post(parts.pop())
            requests += 1
            if judgement.verdict is Verdict.DELIVERED:
                taken = taken or bool(part)
            elif len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            else:
                suspects.append(judgement)
        if taken:
            self._refused_in_a_row = 0
        elif self._refused_in_a_row + len(suspects) >= _SUSPICIOUS:
            self._trouble_is(f"every event refused: {suspects[-1].message}", mend="see what the tenant says")
            return False
        else:
            self._refused_in_a_row += len(suspects)
        self._give_up(suspects)
        self._counters.events_too_old += self._expired
        return True

    async def _post(self, events: Pieces) -> tuple[Pieces, Judgement]:
        """Return the events that are not too old by now, and the judgement on them: any but RETRY and HOLD."""
        attempt = 0
        while True:
            packed = await asyncio.to_thread(pack, events, round(self._now_s() * 1000), self._pace.max_age_ms)
            events = packed.events
            self._expired += packed.too_old
            if not events:
                return events, Judgement(Verdict.DELIVERED)
            judgement = await self._ask(packed)
            if judgement.verdict is Verdict.DELIVERED:
                self._count(packed, judgement)
            if judgement.verdict not in {Verdict.RETRY, Verdict.HOLD}:
                return events, judgement
            self._counters.retries += 1
            await self._sleep(self._wait_of(judgement, attempt))
            attempt += 1

    async def _ask(self, packed: Pack) -> Judgement:
        try:
            reply = await self._tenant.post(packed.body)
        except EndpointUnreachable as error:
            self._trouble_is(str(error))
            return Judgement(Verdict.RETRY, str(error))
        except ConfigError as error:
            self._trouble_is(str(error), mend="mend the token")
            return Judgement(Verdict.HOLD, str(error))
        self._counters.requests += 1
        self._counters.bytes_on_the_wire += len(packed.body)
        judgement = judge(reply.status, reply.headers, reply.body, self._now_s())
        judgement = judgement._replace(message=self._tenant.redact(judgement.message))
        if judgement.verdict in {Verdict.RETRY, Verdict.HOLD}:
            self._trouble_is(f"status {reply.status}", mend=judgement.mend or None, said=judgement.message or None)
        return judgement

    def _wait_of(self, judgement: Judgement, attempt: int) -> float:
        if judgement.verdict is Verdict.HOLD:
            return self._pace.hold_seconds
        if judgement.wait_seconds is not None:
            return judgement.wait_seconds
        longest = min(self._pace.longest_retry_seconds, self._pace.retry_seconds * 2.0 ** min(attempt, 30))
        return random.uniform(0, longest)  # noqa: S311 - spreads requests, guards nothing

    def _count(self, packed: Pack, judgement: Judgement) -> None:
        lost = min(judgement.too_old + judgement.refused, len(packed.events))
        too_old = min(judgement.too_old, lost)
        self._counters.events_too_old += too_old
        self._counters.events_refused += lost - too_old
        self._counters.events_forwarded += len(packed.events) - lost
        self._counters.bytes_forwarded += packed.size
        if lost:
            self._speak("forward_partly", events=len(packed.events), too_old=too_old, refused=lost - too_old)
        if self._trouble:
            self._trouble = ""
            self._speak("forward_resumed", url=self._tenant.url)

    def _give_up(self, suspects: list[Judgement]) -> None:
        for suspect in suspects:
            if suspect.verdict is Verdict.TOO_LARGE:
                self._counters.events_too_large += 1
            elif suspect.too_old:
                self._counters.events_too_old += 1
            else:
                self._counters.events_refused += 1
        if suspects:
            self._speak("forward_refused", events=len(suspects), said=suspects[-1].message)

    def _trouble_is(self, what: str, **fields: Field) -> None:
        """Say it once, not at every attempt."""
        if what != self._trouble:
            self._trouble = what
            self._speak("forward_held", url=self._tenant.url, reason=what, **fields)
