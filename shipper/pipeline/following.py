"""When to scan and when to read: the agent's main loop."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, TypeVar

from shipper.adapters.files import inode_of
from shipper.adapters.watch import Watcher
from shipper.core.model import FileKey
from shipper.errors import ShipperError, StateDamaged
from shipper.pipeline.census import Census
from shipper.pipeline.journal import Journal
from shipper.pipeline.tailer import Tailer

STRETCH: Final = 6
CANARY_SECONDS: Final = 60.0
QUICKEST_SCAN_SECONDS: Final = 0.05
SCAN_SHARE: Final = 10
NEWS_SHARE: Final = 4
GATHER_SHARE: Final = 0.1
LONGEST_GATHER_SECONDS: Final = 0.1
RESTED_SHARE: Final = 0.05  # of that, after a pause: what comes then is not to wait
MOST_STRANGERS: Final = 10_000
LONGEST_REST_SECONDS: Final = 60.0
MOST_LOOKS: Final = 50  # of `read_to_end`: a file that is truncated again and again must not keep it for ever
NOBODY: Final = FileKey(0, 0)

T = TypeVar("T")


class Following:
    """Owns the rhythm of scans and turns.

    Attributes:
        stopping: Set to end `run`'s reading; what was read goes on its way.
        scanned: Set when the first scan is done.
    """

    def __init__(
        self,
        tailer: Tailer,
        census: Census,
        watcher: Watcher | None,
        journal: Journal,
        *,
        scan_seconds: float,
        flush_seconds: float,
        poll_seconds: float | None = None,
        beat: Callable[[], None] = lambda: None,
        beat_seconds: float = math.inf,
    ) -> None:
        """Prepare to follow.

        Args:
            tailer: Reads.
            census: Scans.
            watcher: Says what to look at; None to go by scans alone.
            journal: Of the agent.
            scan_seconds: Between scans; six times as long where events are known to arrive.
            flush_seconds: How long a batch waits to grow. A tenth of it, at most, news is gathered before it is
                looked at: line after line of a slow file would cost a read each.
            poll_seconds: Never longer between scans than this, whatever events say; None where no source asks for it.
            beat: Called with each turn of the loop.
            beat_seconds: The longest rest between two turns, also where there is nothing to do.
        """
        self._tailer = tailer
        self._census = census
        self._watcher = watcher
        self._journal = journal
        self._next_scan = 0.0
        self.retime(scan_seconds=scan_seconds, flush_seconds=flush_seconds, poll_seconds=poll_seconds)
        self._asked: deque[tuple[Callable[[], Awaitable[None]], asyncio.Future[None]]] = deque()
        self._scanned_at = 0.0
        self._took = 0.0
        self._wanted = True
        self._next_canary = 0.0
        self._proved = False
        self._aliases: dict[str, FileKey] = {}
        self._strangers: set[str] = set()
        self._unknown: set[str] = set()
        self.stopping = False
        self.scanned = asyncio.Event()
        self._beat = beat
        self._beat_seconds = beat_seconds

    def retime(self, *, scan_seconds: float, flush_seconds: float, poll_seconds: float | None) -> None:
        """Keep another rhythm from now on; as in `__init__`."""
        self._gather_seconds = min(flush_seconds * GATHER_SHARE, LONGEST_GATHER_SECONDS)
        self._scan_seconds = scan_seconds
        self._poll_seconds = poll_seconds
        self._next_scan = 0.0

    @property
    def longest_pause_seconds(self) -> float:
        """The longest time between two scans."""
        pause = self._scan_seconds * STRETCH
        pause = pause if self._poll_seconds is None else min(pause, self._poll_seconds)
        return max(pause, self._took * SCAN_SHARE)

    async def between_turns(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run *work* while nothing is read and no scan is under way; raise what it raises.

        Once begun it is finished, also when this wait is cancelled. What is no error of ours ends `run` as well, and
        so does a damaged store.
        """
        done = asyncio.get_running_loop().create_future()
        self._asked.append((work, done))
        self._tailer.wake.set()
        await done

    def scan_soon(self) -> None:
        """Scan with the next turn of the loop."""
        self._wanted = True
        self._tailer.wake.set()

    async def run(self) -> None:
        """Scan and read for ever."""
        if self._watcher is not None:
            self._watcher.start()
        tailer = self._tailer
        while not self.stopping:
            tailer.wake.clear()
            self._beat()
            await self._do_what_was_asked()
            self._hear()
            await self._maybe_scan()
            self.scanned.set()
            tailer.release_delayed()
            tailer.closing.close_quiet()
            if tailer.can_turn:
                await tailer.turn()
                continue
            idle = not tailer.has_unread
            if await self._rest() and idle:
                await asyncio.sleep(self._gather_seconds * (RESTED_SHARE if tailer.is_rested else 1))
        while True:  # until cancelled: what was read is still being delivered
            self._beat()
            await asyncio.sleep(min(self._beat_seconds, LONGEST_REST_SECONDS))

    async def read_to_end(self) -> None:
        """Read every file to its end, once, and close what is open there."""
        tailer = self._tailer
        await self._scan_patiently()
        for look in range(MOST_LOOKS):
            await self._read_what_is_known()
            if look and not tailer.suspects:
                break
            await self._scan_patiently()
        for followed in list(tailer.followed.values()):
            tailer.closing.close_record(followed)

    async def _read_what_is_known(self) -> None:
        tailer = self._tailer
        while tailer.has_unread or tailer.closing.close_awaited():
            tailer.wake.clear()
            tailer.release_delayed()
            if tailer.can_turn:
                await tailer.turn()
            else:
                await self._wait(0.2)

    async def _do_what_was_asked(self) -> None:
        while self._asked:
            work, done = self._asked.popleft()
            if done.done():  # nobody waits any more
                continue
            try:
                await work()
            except BaseException as error:
                _fail(done, error)
                if isinstance(error, StateDamaged) or not isinstance(error, ShipperError):
                    raise
            if not done.done():
                done.set_result(None)

    async def _scan_patiently(self) -> None:
        while await self._census.scan() is None:
            await asyncio.sleep(self._scan_seconds)

    async def _beating(self, work: Coroutine[object, object, T]) -> T:
        """Return what *work* returns; the loop counts as going round while it waits for that."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=min(self._beat_seconds, LONGEST_REST_SECONDS)))[0]:
                self._beat()
        except BaseException:
            task.cancel()
            raise
        return task.result()

    # -- parts of a turn -----------------------------------------------------------------------------

    def _hear(self) -> None:
        watcher = self._watcher
        if watcher is None:
            return
        changed, structure = watcher.take()
        for path in changed:
            followed = self._tailer.by_path.get(path) or self._tailer.followed.get(self._aliases.get(path, NOBODY))
            if followed is not None:
                self._tailer.look_at(followed)
            elif path not in self._strangers and path not in self._census.last.skipped:
                self._unknown.add(path)
                self._wanted = True
        if structure:
            self._aliases.clear()
            self._strangers.clear()
        self._wanted = self._wanted or structure
        now = time.monotonic()
        if now >= self._next_canary:
            self._next_canary = now + CANARY_SECONDS
            if not watcher.prove_alive():
                self._say_restarted(watcher)

    def restart_watcher(self) -> None:
        """Begin to watch anew: its threads have died, or changes were not heard of."""
        if self._watcher is not None:
            self._watcher.restart()
            self._say_restarted(self._watcher)
            self._tailer.wake.set()

    def _say_restarted(self, watcher: Watcher) -> None:
        self._wanted = True
        self._journal.say("watcher_restarted", restarts=watcher.restarts)

    async def _maybe_scan(self) -> None:
        now = time.monotonic()
        soon = self._wanted or bool(self._tailer.suspects)
        if not (now >= self._next_scan or (soon and now >= self._earliest)):
            return
        self._wanted = False
        scan = await self._beating(self._census.scan())
        self._scanned_at = time.monotonic()
        self._took = self._scanned_at - now
        if scan is None:
            self._next_scan = self._scanned_at + self._scan_seconds
            return
        if self._unknown:
            await self._identify()
        watcher = self._watcher
        healthy = False
        if watcher is not None:
            if watcher.cover(scan.directories):
                self._wanted = True  # what appeared between the listing and the watch
            for directory, reason in watcher.polled.items():
                self._journal.once("directory_polled", directory, directory=directory, reason=reason)
            healthy = watcher.trusted
        pause = self._scan_seconds * (STRETCH if healthy else 1)
        pause = pause if self._poll_seconds is None else min(pause, self._poll_seconds)
        # Of very many files: what a scan costs must stay a share of what there is.
        self._next_scan = self._scanned_at + max(pause, self._took * SCAN_SHARE)

    @property
    def _earliest(self) -> float:
        """When a scan that is asked for by news may begin.

        Scans take a tenth of the time, and up to a fifth where half of the usual interval has passed: on a busy
        machine all of a quick chain of rotated files may else come and go between two looks.
        """
        pause = min(self._took * SCAN_SHARE, max(self._scan_seconds / 2, self._took * NEWS_SHARE))
        return self._scanned_at + max(QUICKEST_SCAN_SECONDS, pause)

    async def _identify(self) -> None:
        """Find out whose events came under names that no pattern matches: a followed file's other name, or nobody's.

        Without this, a busy neighbour of a followed file would keep us scanning.
        """
        unknown, self._unknown = self._unknown, set()
        if len(self._strangers) + len(unknown) > MOST_STRANGERS:
            self._strangers.clear()
        inodes = await asyncio.to_thread(lambda: {path: inode_of(path) for path in unknown})
        by_inode = {(one.device, one.inode): one.key for one in self._tailer.followed.values() if one.live}
        for path, inode in inodes.items():
            key = by_inode.get(inode) if inode is not None else None
            if key is not None:
                self._aliases[path] = key
            else:
                self._strangers.add(path)

    async def _rest(self) -> bool:
        """Wait for news, the next scan, or the next record to close; return whether there is news."""
        times = [self._next_scan, *self._tailer.next_times()]
        if self._wanted or self._tailer.suspects:
            times.append(self._earliest)
        return await self._wait(min(max(min(times) - time.monotonic(), 0.0), self._beat_seconds))

    async def _wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._tailer.wake.wait()
        except TimeoutError:
            return False
        return True


def _fail(done: asyncio.Future[None], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
