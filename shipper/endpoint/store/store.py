"""The endpoint's store: takes events durably, gives them out by filter, forgets the oldest.

It is used from one event loop; everything that reads, writes or computes runs
in threads of its own (`writer`, `indexer`, `tail`, `backlog`, and two for
queries). It knows nothing of HTTP and nothing of the data model: what an
event reads as is the *mapper*'s word.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self, TypeVar

from shipper.endpoint.model import Accepted, Bucket, Filter, Page
from shipper.endpoint.store import counting, paging
from shipper.endpoint.store import cursor as cursors
from shipper.endpoint.store.backlog import Form, StoreBacklog, as_protocol_forwards, read_position
from shipper.endpoint.store.cache import Cache
from shipper.endpoint.store.cursor import Order
from shipper.endpoint.store.files import DirectoryLock
from shipper.endpoint.store.indexer import Indexer
from shipper.endpoint.store.matching import LONG_WAY, Mapper, Matcher, Outline
from shipper.endpoint.store.pace import Pace
from shipper.endpoint.store.reading import Reader
from shipper.endpoint.store.segment import BLOCK_RAW_BYTES, Sync
from shipper.endpoint.store.shelf import Shelf
from shipper.endpoint.store.tail import Subscription, Tail
from shipper.endpoint.store.writer import Writer

DEFAULT_MAX_BYTES: Final = 2 << 30
CACHE_BYTES: Final = 32 << 20
QUERY_THREADS: Final = 2
# A client that sends its next request within this is one to step aside for.
_BUSY_MS: Final = 100

Answer = TypeVar("Answer")


class Store:
    """A directory of events."""

    def __init__(
        self,
        lock: DirectoryLock,
        shelf: Shelf,
        mapper: Mapper,
        outline: Outline,
        position: int | None,
        now_ms: Callable[[], int],
    ) -> None:
        """Use `open`."""
        self._lock = lock
        self._shelf = shelf
        self._mapper = mapper
        self._outline = outline
        self._now_ms = now_ms
        self._position = position
        self._backlog: StoreBacklog | None = None
        self._cache = Cache(CACHE_BYTES)
        self._queries = ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="store-query")
        self._writer = Writer(shelf, self._may_go, now_ms, self._committed)
        self._tail = Tail(mapper, self._pace)
        self._appended_events = self._appended_bytes = 0
        self._busy_until_ms = 0
        self._closed = False
        # Last: its thread begins at once and asks for the pace.
        self._indexer = Indexer(shelf, mapper, outline, self._pace)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        mapper: Mapper,
        outline: Outline = LONG_WAY,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_age_ms: int | None = None,
        now_ms: Callable[[], int],
        block_bytes: int = BLOCK_RAW_BYTES,
        sync: Sync = os.fsync,
    ) -> Self:
        """Return the store in *directory*, which is made where it is missing.

        What a crash left half written is cut off; what is damaged is named in
        the log and passed over.

        Args:
            directory: Nobody else may use it while the store is open.
            mapper: A pure function from a decoded event and its context to what a reader gets.
            outline: A short way to most of its records.
            max_bytes: Of all files; the oldest go first, never what waits to be forwarded.
            max_age_ms: Events older than this go, a segment at a time; None keeps them.
            now_ms: The clock.
            block_bytes: About what is indexed and decoded at once, before compression.
            sync: Makes a file durable.

        Raises:
            StateLocked: Another process has it.
            StateError: It cannot be read or written, or a later version wrote it.
        """
        lock = DirectoryLock(directory)
        try:
            position = read_position(directory)
            shelf = Shelf(directory, max_bytes, max_age_ms, block_bytes, sync)
            # What was forwarded and then lost to damage must not lend its ids to events that were not.
            shelf.next_id = max(shelf.next_id, position or 0)
        except BaseException:
            lock.release()
            raise
        return cls(lock, shelf, mapper, outline, position, now_ms)

    async def append(self, accepted: Accepted) -> None:
        """Return when the events are durable.

        Raises:
            StoreFull: Nothing of them was kept: the disk or the quota is full, or nothing may be evicted.
        """
        if self._indexer.failure is not None:
            raise self._indexer.failure
        await self._writer.append(accepted)

    async def query(
        self, wanted: Filter, *, limit: int = 100, cursor: str | None = None, order: Order = "newest"
    ) -> Page:
        """Return the first *limit* events that the filter takes, in order of time, then of arrival.

        Args:
            wanted: The filter.
            limit: At least 1.
            cursor: `Page.next` of the page before; the filter and order must be the same.
            order: By `timestamp_ms`.

        Raises:
            BadCursor: *cursor* is none of this order.
        """
        after = cursors.read(cursor, order) if cursor else None
        blocks = self._shelf.blocks
        return await self._ask(
            wanted, lambda reader, _, __: paging.page(reader, blocks(), limit=limit, after=after, order=order)
        )

    async def histogram(self, wanted: Filter, *, since_ms: int, until_ms: int, buckets: int) -> list[Bucket]:
        """Return counts by status over *buckets* equal parts of [since, until), fewer if it has fewer milliseconds."""
        edges = counting.edges_of(since_ms, until_ms, buckets)
        blocks = self._shelf.blocks
        return await self._ask(
            wanted, lambda reader, matcher, pace: counting.histogram(reader, matcher, blocks(), edges, pace)
        )

    async def sources(self) -> list[dict[str, object]]:
        """Return for each source (None: no ``log.source``) ``events``, ``newest_ms`` and ``by_status``."""
        blocks = self._shelf.blocks
        return await self._ask(Filter(), lambda reader, _, pace: counting.sources(reader, blocks(), pace))

    def stats(self) -> dict[str, int | float | None]:
        """Return the store's numbers; ``index_lag_events`` are those that queries find without an index."""
        shelf = self._shelf
        segments, blocks = shelf.segments, shelf.blocks()
        lag_blocks, lag_events = self._indexer.lag()
        return {
            "events": sum(block.events for block in blocks),
            "bytes": shelf.size(),
            "max_bytes": shelf.max_bytes,
            "raw_bytes": sum(block.raw for block in blocks),
            "oldest_ms": min((block.oldest_ms for block in blocks), default=None),
            "newest_ms": max((block.newest_ms for block in blocks), default=None),
            "segments": len(segments),
            "blocks": len(blocks),
            "appended_events": self._appended_events,
            "appended_bytes": self._appended_bytes,
            "evicted_events": shelf.evicted_events,
            "commits": self._writer.commits,
            "appending": self._writer.waiting,
            "index_lag_blocks": lag_blocks,
            "index_lag_events": lag_events,
            "damaged_places": sum(len(segment.damage) for segment in segments),
            "torn_bytes": sum(segment.torn_bytes for segment in segments),
            "tails": self._tail.count,
        }

    def subscribe(self, wanted: Filter) -> Subscription:
        """Return what becomes durable from now on, as it does; close it when done."""
        return self._tail.subscribe(wanted)

    def backlog(self, form: Form = as_protocol_forwards) -> StoreBacklog:
        """Return what waits to be forwarded: all that is kept when nothing ever was.

        From now on, nothing is evicted before it is done.

        Args:
            form: What of an original event goes on.
        """
        if self._backlog is None:
            position = 1 if self._position is None else self._position
            self._backlog = StoreBacklog(self._shelf, form, self._mapper, position, self._shelf.sync)
        return self._backlog

    async def expire(self) -> None:
        """Remove what is past the age limit; every commit does so too."""
        await self._writer.expire()

    async def close(self) -> None:
        """Make durable what was appended, end the threads and give the directory up."""
        if self._closed:
            return
        self._closed = True
        await self._writer.close()
        await self._tail.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._indexer.stop)
        await loop.run_in_executor(None, self._queries.shutdown)
        if self._backlog is not None:
            self._backlog.close()
        self._lock.release()

    async def _ask(self, wanted: Filter, work: Callable[[Reader, Matcher, Pace], Answer]) -> Answer:
        """Return what *work* makes of the blocks, in a query's thread; it stops when nobody waits any more."""
        gone = threading.Event()

        def ask() -> Answer:
            matcher = Matcher(wanted)
            while True:
                damage = self._damage()
                pace = self._pace(lambda: gone.is_set() or self._closed)
                answer = work(self._reader(matcher, pace), matcher, pace)
                # Damage that was met on the way has cost its whole block; what is sound of it is there by now.
                if self._damage() == damage:
                    return answer

        try:
            return await asyncio.get_running_loop().run_in_executor(self._queries, ask)
        finally:
            gone.set()

    def _reader(self, matcher: Matcher, pace: Pace) -> Reader:
        return Reader(self._shelf, self._cache, self._mapper, self._outline, matcher, pace)

    def _damage(self) -> int:
        return sum(len(segment.damage) for segment in self._shelf.segments)

    def _pace(self, is_stopped: Callable[[], bool]) -> Pace:
        return Pace(self._is_busy, is_stopped)

    def _is_busy(self) -> bool:
        return self._writer.waiting > 0 or self._now_ms() < self._busy_until_ms

    def _may_go(self, end_id: int) -> bool:
        return self._backlog is None or end_id <= self._backlog.position

    def _committed(self, first_id: int, group: Sequence[Accepted]) -> None:
        self._appended_events += sum(accepted.count for accepted in group)
        self._appended_bytes += sum(len(accepted.events) for accepted in group)
        self._busy_until_ms = self._now_ms() + _BUSY_MS
        self._tail.committed(first_id, group)
        self._indexer.wake()
