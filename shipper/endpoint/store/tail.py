"""The live tail: events as they become durable, to whoever has subscribed.

What has just been committed is mapped once, in a thread, for all subscribers
together; the index has no part in it. Both what waits to be mapped and what
waits to be fetched are bounded: a subscriber that is too slow, or a flood
that is too fast, is told how many events it missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

from shipper.endpoint.model import Accepted, Filter, StoredRecord
from shipper.endpoint.store.cursor import id_text
from shipper.endpoint.store.events import Events, starts_of
from shipper.endpoint.store.frames import Content, Part
from shipper.endpoint.store.matching import Mapper, Matcher
from shipper.endpoint.store.pace import Pace, Stopped

MOST_UNFETCHED: Final = 2_000
MOST_UNMAPPED: Final = 20_000
# Given out before the next are mapped, so that a large request does not overrun a reader that keeps up.
_SLICE_EVENTS: Final = 500


class Subscription:
    """One reader's live events: an async iterator of lists, in order of arrival; it ends when the store closes.

    Attributes:
        missed: Events that came but were not given, because they came too fast; some might not have been asked for.
    """

    def __init__(self, matcher: Matcher, leave: Callable[[Subscription], None]) -> None:
        """*leave* is called at `close`."""
        self.missed = 0
        self.matcher = matcher
        self._leave = leave
        self._events = list[StoredRecord]()
        self._came = asyncio.Event()
        self._ended = False

    def __aiter__(self) -> Self:
        """Iterate."""
        return self

    async def __anext__(self) -> list[StoredRecord]:
        """Return what came since the last call, waiting while that is nothing."""
        await self._came.wait()
        events, self._events = self._events, []
        if not events:
            raise StopAsyncIteration
        if not self._ended:
            self._came.clear()
        return events

    def close(self) -> None:
        """End it; nothing is kept for it any more."""
        self._leave(self)
        self.end()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._came.set()

    def offer(self, events: list[StoredRecord]) -> None:
        """Give it events that it asked for."""
        fitting = MOST_UNFETCHED - len(self._events)
        self.missed += max(0, len(events) - fitting)
        self._events += events[:fitting]
        if self._events:
            self._came.set()


class Tail:
    """All subscriptions; lives on the loop."""

    def __init__(self, mapper: Mapper, pace: Callable[[Callable[[], bool]], Pace]) -> None:
        """*pace* gives the pace of a piece of work, told when it is to stop."""
        self._mapper = mapper
        self._pace = pace
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-tail")
        self._subscriptions = list[Subscription]()
        self._waiting: deque[tuple[int, Accepted, list[Subscription]]] = deque()
        self._waiting_events = 0
        self._rounds: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def count(self) -> int:
        """Subscriptions."""
        return len(self._subscriptions)

    def subscribe(self, wanted: Filter) -> Subscription:
        """Return a subscription to what becomes durable from now on."""
        subscription = Subscription(Matcher(wanted), self._leave)
        self._subscriptions.append(subscription)
        return subscription

    def committed(self, first_id: int, group: Sequence[Accepted]) -> None:
        """Take note of events that have become durable."""
        if not self._subscriptions:
            return
        for accepted in group:
            if self._waiting_events + accepted.count > MOST_UNMAPPED and self._waiting:
                for subscription in self._subscriptions:
                    subscription.missed += accepted.count
            else:
                self._waiting.append((first_id, accepted, list(self._subscriptions)))
                self._waiting_events += accepted.count
            first_id += accepted.count
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.get_running_loop().create_task(self._deliver_all())

    async def close(self) -> None:
        """End every subscription and the thread."""
        self._closed = True
        if self._rounds is not None:
            await self._rounds
        for subscription in self._subscriptions:
            subscription.end()
        self._subscriptions.clear()
        self._thread.shutdown()

    def _leave(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    async def _deliver_all(self) -> None:
        while self._waiting and self._subscriptions and not self._closed:
            first_id, accepted, listeners = self._waiting.popleft()
            try:
                await self._deliver(first_id, accepted, listeners)
            except Stopped:
                break
            self._waiting_events -= accepted.count
        self._waiting.clear()
        self._waiting_events = 0

    async def _deliver(self, first_id: int, accepted: Accepted, listeners: list[Subscription]) -> None:
        loop = asyncio.get_running_loop()
        part = Part(accepted.context, accepted.count, len(accepted.events), accepted.oldest_ms, accepted.newest_ms)
        starts = await loop.run_in_executor(self._thread, starts_of, accepted.events)
        events = Events(Content([part], accepted.events), starts, self._mapper)
        for start in range(0, len(events), _SLICE_EVENTS):
            lists = await loop.run_in_executor(self._thread, self._map, events, start, first_id, listeners)
            for subscription, taken in zip(listeners, lists, strict=True):
                subscription.offer(taken)

    def _map(
        self, events: Events, start: int, first_id: int, listeners: list[Subscription]
    ) -> list[list[StoredRecord]]:
        pace = self._pace(lambda: self._closed)
        lists: list[list[StoredRecord]] = [[] for _ in listeners]
        for position in range(start, min(start + _SLICE_EVENTS, len(events))):
            pace.step()
            stored = StoredRecord(id_text(first_id + position), events.record(position))
            for taken, subscription in zip(lists, listeners, strict=True):
                if subscription.matcher.takes(stored.record):
                    taken.append(stored)
        return lists
