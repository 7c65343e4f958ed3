"""Reads the followed files in turns, converts, and offers to the sender.

One task does it all, so a file's state has one writer. Events of the watcher
only choose what is read next and when the next scan comes; what is true is
found by the scan (census.py) and by each read. Reading stops while the bytes
that are on their way pass the budget: the log file is the queue.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final

from shipper.adapters.files import OpenFile, Turn, try_open
from shipper.adapters.offsets import LifeState
from shipper.adapters.watch import is_far, type_of_device
from shipper.core.evidence import Seen
from shipper.core.identity import head_of
from shipper.core.lineage_join import JOINED, Join
from shipper.core.model import FileKey
from shipper.core.stalls import Excuse
from shipper.errors import SourceError
from shipper.pipeline.clock import Clock
from shipper.pipeline.committer import Committer
from shipper.pipeline.conversion import Conversion, Mark
from shipper.pipeline.descriptors import Descriptors
from shipper.pipeline.followed import Followed
from shipper.pipeline.forecast import Forecasts
from shipper.pipeline.joining import Joining
from shipper.pipeline.journal import Journal
from shipper.pipeline.open_records import OpenRecords
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.sender import Sender
from shipper.pipeline.turns import Turns

READ_BYTES: Final = 256 * 1024
READS_AHEAD: Final = 4  # files that are read one piece ahead at a time: each piece is memory
SLOW_READ_SECONDS: Final = 0.02  # others are read meanwhile
HUNG_READ_SECONDS: Final = 10.0
PATIENCE_MS: Final = 10_000  # with an older file of the lineage that cannot be read
NO_LIMIT: Final = 1 << 30
MOST_SOURCES_SAID: Final = 20
SECONDS_A_FILE_COUNTED: Final = 1e-4  # of counting what is unread: a thousandth of the time goes into it


class Tailer:
    """Owns the followed files.

    Attributes:
        conversion: Takes what was read, and counts it.
        suspects: Files whose bytes did not fit what we knew: the next scan decides.
        hanging: Device to the file that does not answer there, and since when (monotonic); the others of it wait.
        forecasts: What will be lost as things are now.
    """

    def __init__(
        self,
        conversion: Conversion,
        sender: Sender,
        committer: Committer,
        journal: Journal,
        clock: Clock,
        *,
        budget_bytes: int,
        open_files: int,
        most_open_files: int = NO_LIMIT,
    ) -> None:
        """Read while less than *budget_bytes* are on their way; hold about *open_files* descriptors.

        More than *most_open_files* are never held, but of files that have lost their names.
        """
        self.followed: dict[FileKey, Followed] = {}
        self.by_path: dict[str, Followed] = {}
        self.conversion = conversion
        self.suspects: set[FileKey] = set()
        self.hanging: dict[int, tuple[str, float]] = {}
        self._sender = sender
        self._committer = committer
        self._journal = journal
        self._clock = clock
        self._budget_bytes = budget_bytes
        self.forecasts = Forecasts(journal, clock.now_ms, clock.monotonic)
        self._turns = Turns(READ_BYTES, clock.now_ms)
        self._open = OpenRecords()
        self._descriptors = Descriptors(open_files, most_open_files)
        self._ahead: list[Followed] = []
        self._from_cache = False
        self._slow: dict[int, list[Followed]] = {}
        self._far: dict[int, bool] = {}
        self._joining = Joining(self.followed)
        self._unread: dict[str, int] = {}
        self._unread_until = 0.0
        self.wake = asyncio.Event()

    # -- which file is next ----------------------------------------------------------------------

    def add(self, followed: Followed) -> None:
        """Follow one more file; its row is saved already."""
        self.followed[followed.key] = followed
        if followed.live:
            self.by_path[followed.path] = followed
        self.look_at(followed)

    def remove(self, followed: Followed) -> None:
        """Stop following a file."""
        self.followed.pop(followed.key, None)
        self._open.drop(followed)
        if self.by_path.get(followed.path) is followed:
            del self.by_path[followed.path]
        self._descriptors.drop(followed)
        self._release_waiting(followed)

    def read_by(self, followed: Followed, source: str, reading: SourceReading, path_attributes: dict[str, str]) -> None:
        """Read what follows the last converted chunk of *followed* by the rules of *source*."""
        self._open.drop(followed)
        self.conversion.count(followed.source, {"bytes_read": -followed.read_by(source, reading, path_attributes)})
        self.look_at(followed)

    def limit(self, budget_bytes: int, open_files: int) -> None:
        """Read and hold open no more than these from now on."""
        self._budget_bytes = budget_bytes
        self._descriptors.limit(open_files)
        self.wake.set()

    def excuse_of(self, followed: Followed) -> Excuse | None:
        """Return why *followed* may stand still although there is more of it; None where it should be read."""
        reasons = {
            Excuse.STATE: self._committer.failing is not None,
            Excuse.BUDGET: not self.has_room,
            Excuse.RATE: followed.not_before > self._clock.monotonic(),
            Excuse.ORDER: bool(followed.waits_for),
            Excuse.ERROR: followed.last_error is not None,
            Excuse.DEVICE: followed.device in self._slow and followed.ahead is None,
            Excuse.TURN: self._turns.asks(followed),
        }
        return next((excuse for excuse, holds in reasons.items() if holds), None)

    def look_at(self, followed: Followed) -> None:
        """Give *followed* a turn soon."""
        if self._turns.ask(followed):
            self.wake.set()

    @property
    def has_room(self) -> bool:
        """Whether more may be read; said anew each time, so that no wake-up can be missed for ever."""
        return self.held_bytes < self._budget_bytes and self._committer.failing is None

    @property
    def held_bytes(self) -> int:
        """Memory that the bytes on their way take: offered, read ahead, or held back until their record is whole.

        Of the last kind half the budget counts at most: else files that end in the middle of a record could keep
        each other from being read on, for ever.
        """
        self._ahead = [followed for followed in self._ahead if followed.ahead is not None]
        open_bytes = min(self._open.held_bytes, self._budget_bytes // 2)
        return self._sender.held_bytes + len(self._ahead) * READ_BYTES + open_bytes

    @property
    def can_turn(self) -> bool:
        """Whether a turn would get something done."""
        return bool(self._turns) and self.has_room

    async def turn(self) -> None:
        """Read one piece of the file whose turn it is."""
        followed = self._turns.take()
        if followed is None:
            return
        before = followed.read_offset
        try:
            await self._turn_of(followed)
        finally:
            self._turns.spent(followed.read_offset - before)

    async def _turn_of(self, followed: Followed) -> None:
        if self.followed.get(followed.key) is not followed or followed.key in self.suspects:
            return
        if followed.not_before > self._clock.monotonic():
            self._turns.delay(followed)
            return
        followed.waits_for &= {key for key in followed.waits_for if not self.is_read(key)}
        if followed.waits_for and not await self._offer_to_elder(followed):
            self._turns.wait_for(followed, followed.waits_for)
            return
        if followed.state in (LifeState.ORPHAN, LifeState.DONE):
            return
        try:
            turn = await self._read(followed) if await self._hold(followed) else None
        except SourceError as error:
            self._unreadable(followed, error)
            return
        if turn is not None:
            await self._take(followed, turn)

    def scanned(self, seen: Iterable[Seen]) -> None:
        """Look after what need not be seen to at every turn: a scan met the files *seen*."""
        self._descriptors.close_idle()
        self._descriptors.secure(self.followed.values(), self._is_far)
        inodes = ((file.device, file.inode) for file in seen)
        self.forecasts.look(self.followed.values(), inodes, self.conversion.counters["bytes_read"])

    def close_file(self, followed: Followed) -> None:
        """Give up what *followed* is read from."""
        self._descriptors.drop(followed)
        followed.ahead = None

    def is_read(self, key: FileKey) -> bool:
        """Return whether nobody need wait for *key*: it is read to its end, or cannot be for some time already."""
        older = self.followed.get(key)
        if older is None:
            return True
        if older.last_error is not None and self._clock.now_ms() - older.error_since_ms > PATIENCE_MS:
            return True
        return older.at_end and not older.open_bytes

    # -- reading ---------------------------------------------------------------------------------

    async def _hold(self, followed: Followed) -> bool:
        """Open *followed* where it is not; return False where that takes long: its turn comes when it may be opened.

        Opening is quick, or hangs with a server that is dead: then it must not be this loop that hangs.
        """
        if followed.file is None and self._is_far(followed.device):
            if followed.device in self._slow:
                self._slow[followed.device].append(followed)
                return False
            attempt = asyncio.ensure_future(asyncio.to_thread(try_open, followed.path))
            if not (await asyncio.wait({attempt}, timeout=SLOW_READ_SECONDS))[0]:
                self._put_aside(followed, attempt)
                return False
        self._descriptors.hold(followed)
        return True

    def _is_far(self, device: int) -> bool:
        if device not in self._far:
            self._far[device] = is_far(type_of_device(device))
        return self._far[device]

    async def _read(self, followed: Followed) -> Turn | None:
        """Return what the file holds at the read offset; None where that takes long: its turn comes when it is there.

        One slow read at a time for each device: a dead NFS server must not have every thread that reads.
        """
        if followed.file is None:
            return None
        self._from_cache = False
        if followed.ahead is None:
            cached = _cached(followed)
            if cached is not None:
                self._from_cache = True
                return cached
            if followed.device in self._slow:
                self._slow[followed.device].append(followed)
                return None
            followed.ahead = asyncio.ensure_future(followed.file.read(followed.read_offset, READ_BYTES, followed.tail))
        done, _ = await asyncio.wait({followed.ahead}, timeout=SLOW_READ_SECONDS)
        if not done:
            self._put_aside(followed, followed.ahead)
            return None
        ahead, followed.ahead = followed.ahead, None
        return ahead.result()

    def read_again(self, followed: Followed) -> None:
        """Begin the read of *followed* that hangs once more; what the first one finds is not waited for."""
        if followed.file is not None:
            followed.ahead = asyncio.ensure_future(followed.file.read(followed.read_offset, READ_BYTES, followed.tail))
            self._put_aside(followed, followed.ahead)

    def _put_aside(self, followed: Followed, read: asyncio.Future[Turn] | asyncio.Future[None]) -> None:
        """Let *followed* and those of its device have their turn when *read* is done."""
        device = followed.device
        self._slow.setdefault(device, []).append(followed)
        self.hanging.setdefault(device, (followed.path, self._clock.monotonic()))
        loop = asyncio.get_running_loop()
        hung = loop.call_later(HUNG_READ_SECONDS, self._say_hung, followed)

        def done(read: asyncio.Future[Turn] | asyncio.Future[None]) -> None:
            hung.cancel()
            if not read.cancelled():
                read.exception()  # nobody may ask any more
            if self._journal.over("read_hangs", followed.path):
                self._journal.say("read_goes_on", file=followed.path)
            self.hanging.pop(device, None)
            for one in self._slow.pop(device, ()):
                self.look_at(one)

        read.add_done_callback(done)

    def _say_hung(self, followed: Followed) -> None:
        self._journal.once("read_hangs", followed.path, file=followed.path, seconds=HUNG_READ_SECONDS)

    async def _take(self, followed: Followed, turn: Turn) -> None:
        followed.last_error = None
        if self._journal.over("file_unreadable", followed.path):
            self._journal.say("file_readable_again", file=followed.path)
        if not turn.guard_ok or turn.size_now < followed.read_offset:
            self.suspects.add(followed.key)
            self.wake.set()
            return
        if turn.skipped and not self._pass_over(followed, turn):
            return
        if followed.at_end and followed.watermark.safe.offset == followed.read_offset:
            followed.settled_ms = self._clock.now_ms()
        followed.size, followed.mtime_ns = turn.size_now, turn.mtime_ns
        followed.at_end = followed.read_offset + len(turn.data) >= turn.size_now
        if turn.data:
            await self._take_bytes(followed, turn.data)
        else:
            await asyncio.sleep(0)  # what is had from memory never waits: others need the loop too
        self._open.note(followed)
        if not followed.at_end:
            if turn.data:  # else the next scan asks for it: a file that gives nothing must not have turn after turn
                self.look_at(followed)
        else:
            self._release_waiting(followed)

    def _pass_over(self, followed: Followed, turn: Turn) -> bool:
        """Go on behind bytes that are there no more; return False where the text before them is to be read anew."""
        at = followed.read_offset
        self.close_record(followed)
        if followed.read_offset != at:
            return False
        followed.skip(turn.skipped, turn.why, self._clock.now_ms())
        self._committer.changed(followed)
        return True

    async def _take_bytes(self, followed: Followed, data: bytes) -> None:
        if not (followed.read_offset and followed.head_complete):
            await self._grow_head(followed, data)
        chunks = followed.feed(data)
        self.conversion.count(followed.source, {"bytes_read": len(data)})
        if followed.rate_limit:
            followed.not_before = self._clock.monotonic() + len(data) / followed.rate_limit
        if followed.file is not None and self._may_read_ahead(followed):
            self._ahead.append(followed)
            followed.ahead = asyncio.ensure_future(followed.file.read(followed.read_offset, READ_BYTES, followed.tail))
        followed.quiet_since = self._clock.monotonic()
        for chunk in chunks:
            self.conversion.convert(followed, chunk)
            await asyncio.sleep(0)  # the sender's turn: a chunk is about half a millisecond of work
            if followed.reframe:
                self._frame_anew(followed)
                return

    async def _grow_head(self, followed: Followed, data: bytes) -> None:
        """Take the fingerprint anew; *data* is what stands at the read offset."""
        if followed.read_offset == 0:
            followed.head = head_of(data)  # it may have been truncated since its row was made
        else:
            await followed.grow_head()

    def _may_read_ahead(self, followed: Followed) -> bool:
        """Return whether the next piece is asked for before it is wanted: not where it is had at once."""
        if followed.at_end or self._from_cache or not self.has_room:
            return False
        return len(self._ahead) < READS_AHEAD

    def _release_waiting(self, followed: Followed) -> None:
        for other in self._turns.released_by(followed.key):
            self.look_at(other)

    def _unreadable(self, followed: Followed, error: SourceError) -> None:
        if followed.last_error is None:
            followed.error_since_ms = self._clock.now_ms()
        followed.last_error = str(error)
        self._journal.once("file_unreadable", followed.path, file=followed.path, error=str(error))

    # -- records that nobody closes ------------------------------------------------------------------

    def close_quiet(self) -> None:
        """Close the open records of files that have been quiet at their end for long enough."""
        for followed in self._open.due(self._clock.monotonic()):
            self.close_record(followed)

    def close_record(self, followed: Followed) -> None:
        """Make a record of what is held back of *followed*, with what a younger file has to add to it."""
        if last := self._joining.last_chance(followed):
            joined, offer = last
            self._join(followed, offer.younger, offer.turn, joined)
            return
        self._open.drop(followed)
        for chunk in followed.close_record():
            self.conversion.convert(followed, chunk)
            if followed.reframe:
                self._frame_anew(followed)
                return
        self._release_waiting(followed)

    async def _offer_to_elder(self, younger: Followed) -> bool:
        """Offer what *younger* begins with to the open record it waits for; return whether it waits no more."""
        older = self._joining.elder_of(younger)
        if older is None:
            return False
        try:
            turn = await self._read(younger) if await self._hold(younger) else None
        except SourceError as error:
            self._unreadable(younger, error)
            return False
        joined = self._joining.offer(older, younger, turn, self._clock.monotonic()) if turn is not None else None
        if joined is None or turn is None:
            return False
        self._join(older, younger, turn, joined)
        return True

    def _join(self, older: Followed, younger: Followed, turn: Turn, joined: Join) -> None:
        """Send the open record of *older* with its rest, which *turn* has read of *younger*."""
        self._open.drop(older)
        lead = turn.data[: joined.lead]
        younger.size, younger.mtime_ns = turn.size_now, turn.mtime_ns
        younger.head = head_of(turn.data)
        younger.waits_for -= {older.key}
        ticket = younger.take_lead(lead, JOINED, self._clock.now_ms())
        self.conversion.count(younger.source, {"bytes_read": len(lead)})
        older.give_up_held()
        self.conversion.convert(older, joined.chunk, joined.own, Mark(younger, younger.watermark, ticket))
        if older.reframe:
            self._frame_anew(older)
        self._committer.decided(older.key, "joined", f"its last record goes on in {younger.path}: {len(lead)} bytes")
        self._release_waiting(older)
        self.look_at(younger)

    def close_awaited(self) -> bool:
        """Close what younger files wait for, and wait no more for what cannot be read; return whether there was any."""
        found = False
        for followed in list(self.followed.values()):
            for older in [self.followed[key] for key in followed.waits_for if key in self.followed]:
                if older.last_error is not None or (older.at_end and older.open_bytes):
                    found = True
                    self.close_record(older)
                    followed.waits_for -= {older.key}
                    self.look_at(followed)
        return found

    def _frame_anew(self, followed: Followed) -> None:
        """Read what follows the last converted chunk once more: its layout has changed."""
        self._open.drop(followed)
        self.conversion.count(followed.source, {"bytes_read": -followed.frame_anew()})
        self.look_at(followed)

    def next_times(self) -> list[float]:
        """Return the monotonic instants at which something is due without an event."""
        return [due for due in (self._open.next_due, self._turns.next_delayed) if due is not None]

    @property
    def has_unread(self) -> bool:
        """Whether a file waits for its turn."""
        return bool(self._turns) or self._turns.next_delayed is not None or bool(self._slow)

    def release_delayed(self) -> None:
        """Give files that were slowed down by their rate limit a turn when their time has come."""
        if self._turns.next_delayed is not None:
            for followed in self._turns.undelayed(self._clock.monotonic()):
                self.look_at(followed)

    def unread_by_source(self) -> dict[str, int]:
        """Return the bytes that are there and not converted, by source; counted anew where that is cheap."""
        now = self._clock.monotonic()
        if now >= self._unread_until:
            unread: Counter[str] = Counter()
            for followed in self.followed.values():
                behind = followed.state not in (LifeState.ORPHAN, LifeState.DONE)
                unread[followed.source] += max(followed.size - followed.chunk_end, 0) if behind else 0
            self._unread = dict(unread.most_common(MOST_SOURCES_SAID))
            self._unread_until = now + len(self.followed) * SECONDS_A_FILE_COUNTED
        return self._unread

    @property
    def lag_bytes(self) -> int:
        """Bytes that are known to be there and not safe yet."""
        return sum(followed.pending_bytes for followed in self.followed.values())


def _cached(followed: Followed) -> Turn | None:
    """Return what stands at the read offset, where it is had without waiting."""
    if not isinstance(followed.file, OpenFile):
        return None
    return followed.file.cached_now(followed.read_offset, READ_BYTES, followed.tail)
