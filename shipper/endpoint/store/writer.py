"""Group commit: what is appended while a commit is under way becomes durable with the next one, by one sync.

`append` runs on the loop and only queues; packing, writing and syncing run in
the writer's thread, the only one that changes the segments.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from shipper.endpoint.model import Accepted
from shipper.endpoint.store.frames import Head, encode
from shipper.endpoint.store.shelf import Shelf
from shipper.endpoint.store.trouble import StoreFull

# What one sync may cover: more would only let the first of them wait longer.
_GROUP_BYTES: Final = 16 << 20
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Group = list[tuple[Accepted, asyncio.Future[None]]]
# Told of what has become durable, on the loop: the id of the first event, and the requests.
Listener = Callable[[int, Sequence[Accepted]], None]


class Writer:
    """Takes requests one by one and makes them durable together.

    Attributes:
        commits: Syncs of events that were done.
        waiting: Requests that are queued or under way.
    """

    def __init__(self, shelf: Shelf, may_go: Callable[[int], bool], now_ms: Callable[[], int], tell: Listener) -> None:
        """*may_go* says whether the events before an id may be evicted."""
        self._shelf = shelf
        self._may_go = may_go
        self._now_ms = now_ms
        self._tell = tell
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._queue: Group = []
        self._rounds: asyncio.Task[None] | None = None
        self.commits = 0
        self.waiting = 0

    async def append(self, accepted: Accepted) -> None:
        """Return when the events are durable.

        Raises:
            StoreFull: Nothing of them was kept.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.append((accepted, done))
        self.waiting += 1
        if self._rounds is None or self._rounds.done():
            self._rounds = loop.create_task(self._commit_all())
        await done

    async def expire(self) -> None:
        """Remove what is past the age limit."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._shelf.expire, self._now_ms(), self._may_go)

    async def close(self) -> None:
        """Commit what is queued and end the thread."""
        if self._rounds is not None:
            await self._rounds
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            group = self._take()
            accepted = [one for one, _ in group]
            error: BaseException | None = None
            first_id = 0
            try:
                first_id = await loop.run_in_executor(self._thread, self._commit, accepted)
            except BaseException as raised:  # noqa: BLE001 -- each of those who wait must learn of it
                error = raised
            self.waiting -= len(group)
            if error is None:
                self.commits += 1
                self._tell(first_id, accepted)
            for _, done in group:
                if done.done():
                    continue  # who waited has gone; the events are kept all the same
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    def _take(self) -> Group:
        size = taken = 0
        for accepted, _ in self._queue:
            size += len(accepted.events)
            if taken and size > _GROUP_BYTES:
                break
            taken += 1
        group, self._queue = self._queue[:taken], self._queue[taken:]
        return group

    def _commit(self, group: list[Accepted]) -> int:
        first_id = self._shelf.next_id
        frames = _pack(group, first_id, self._shelf.block_bytes)
        try:
            self._make_room(sum(len(frame) for _, frame in frames))
            self._shelf.open_segment().append(frames, self._shelf.sync)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise StoreFull(f"{self._shelf.directory}: {error.strerror}") from error
            raise
        self._shelf.next_id = frames[-1][0].end_id
        return first_id

    def _make_room(self, size: int) -> None:
        self._shelf.expire(self._now_ms(), self._may_go)
        limit = self._shelf.max_bytes
        while (total := self._shelf.size() + size) > limit:
            if not self._shelf.evict_oldest(self._may_go):
                raise StoreFull(
                    f"{self._shelf.directory}: {total} bytes would be over the limit of {limit}, "
                    "and what is kept is the newest or waits to be forwarded"
                )


def _pack(group: Sequence[Accepted], first_id: int, most_bytes: int) -> list[tuple[Head, bytes]]:
    """Return the frames for these requests: small ones share one, a large one has its own."""
    frames = list[tuple[Head, bytes]]()
    together = list[Accepted]()
    size = 0
    for accepted in group:
        if together and size + len(accepted.events) > most_bytes:
            frames.append(encode(first_id, together))
            first_id = frames[-1][0].end_id
            together, size = [], 0
        together.append(accepted)
        size += len(accepted.events)
    frames.append(encode(first_id, together))
    return frames
