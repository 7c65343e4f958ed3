"""Reads the followed files in turns, converts, and offers to the sender.

One task does it all, so a file's state has one writer. Events of the watcher
only choose what is read next and when the next scan comes; what is true is
found by the scan (census.py) and by each read. Reading stops while the bytes
that are on their way pass the budget: the log file is the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from shipper.adapters.discovery_siblings import Inode
from shipper.adapters.files import Turn
from shipper.adapters.offsets import LifeState
from shipper.core.identity import head_of
from shipper.core.model import NO_FILES, FileKey
from shipper.core.stalls import Excuse
from shipper.errors import SourceError
from shipper.pipeline.clock import Clock
from shipper.pipeline.closing import Closing
from shipper.pipeline.committer import Committer
from shipper.pipeline.conversion import Conversion
from shipper.pipeline.descriptors import Descriptors
from shipper.pipeline.followed import Followed
from shipper.pipeline.forecast import Forecasts
from shipper.pipeline.journal import Journal
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.reads import READ_BYTES, Reads
from shipper.pipeline.sender import Sender
from shipper.pipeline.turns import Turns

PATIENCE_MS: Final = 10_000  # with an older file of the lineage that cannot be read
NO_LIMIT: Final = 1 << 30


class Tailer:
    """Owns the followed files.

    Attributes:
        conversion: Takes what was read, and counts it.
        reads: Reads pieces of them, and has their descriptors.
        closing: Closes what stays open at their ends.
        suspects: Files whose bytes did not fit what we knew: the next scan decides.
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
        self._sender = sender
        self._committer = committer
        self._journal = journal
        self._clock = clock
        self._budget_bytes = budget_bytes
        self.forecasts = Forecasts(journal, clock.now_ms, clock.monotonic)
        self._turns = Turns(READ_BYTES, clock.now_ms)
        self.reads = Reads(Descriptors(open_files, most_open_files), journal, clock.monotonic, self.look_at)
        self.closing = Closing(
            self.followed, conversion, committer, clock, look_at=self.look_at, release=self._release_waiting
        )
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
        self.closing.open.drop(followed)
        if self.by_path.get(followed.path) is followed:
            del self.by_path[followed.path]
        self.reads.give_up(followed)
        self._release_waiting(followed)

    def read_by(self, followed: Followed, source: str, reading: SourceReading, path_attributes: dict[str, str]) -> None:
        """Read what follows the last converted chunk of *followed* by the rules of *source*."""
        self.closing.open.drop(followed)
        before = followed.source  # which has counted them
        again = followed.read_by(source, reading, path_attributes)
        self.conversion.count(before, {"bytes_read": -again})
        self.look_at(followed)

    def limit(self, budget_bytes: int, open_files: int) -> None:
        """Read and hold open no more than these from now on."""
        self._budget_bytes = budget_bytes
        self.reads.limit(open_files)
        self.wake.set()

    def excuse_of(self, followed: Followed) -> Excuse | None:
        """Return why *followed* may stand still although there is more of it; None where it should be read."""
        reasons = {
            Excuse.STATE: self._committer.failing is not None,
            Excuse.BUDGET: not self.has_room,
            Excuse.RATE: followed.not_before > self._clock.monotonic(),
            Excuse.ORDER: bool(followed.waits_for),
            Excuse.ERROR: followed.last_error is not None,
            Excuse.DEVICE: self.reads.waits_for_device(followed),
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
        open_bytes = min(self.closing.open.held_bytes, self._budget_bytes // 2)
        return self._sender.held_bytes + self.reads.held_bytes + open_bytes

    @property
    def can_turn(self) -> bool:
        """Whether a turn would get something done."""
        return bool(self._turns) and self.has_room

    @property
    def is_rested(self) -> bool:
        """Whether what is read now leaves at once."""
        return self._sender.is_rested

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
        if followed.waits_for:
            followed.waits_for = {key for key in followed.waits_for if not self.is_read(key)} or NO_FILES
        if followed.waits_for and not await self._offer_to_elder(followed):
            self._turns.wait_for(followed, followed.waits_for)
            return
        if followed.state in (LifeState.ORPHAN, LifeState.DONE):
            return
        turn = await self._read(followed)
        if turn is not None:
            await self._take(followed, turn)

    def scanned(self, there: Collection[Inode]) -> None:
        """Look after what need not be seen to at every turn: a scan met the files *there*."""
        self.reads.scanned(self.followed.values())
        self.forecasts.look(self.followed.values(), there, self.conversion.counters["bytes_read"])

    def is_read(self, key: FileKey) -> bool:
        """Return whether nobody need wait for *key*: it is read to its end, or cannot be for some time already."""
        older = self.followed.get(key)
        if older is None:
            return True
        if older.last_error is not None and self._clock.now_ms() - older.error_since_ms > PATIENCE_MS:
            return True
        return older.at_end and not older.open_bytes

    # -- reading ---------------------------------------------------------------------------------

    async def _read(self, followed: Followed) -> Turn | None:
        """Return what the file holds at the read offset; None where it cannot be had, or not yet."""
        try:
            return await self.reads.piece(followed)
        except SourceError as error:
            self._unreadable(followed, error)
            return None

    async def _offer_to_elder(self, younger: Followed) -> bool:
        """Offer what *younger* begins with to the open record it waits for; return whether it waits no more."""
        older = self.closing.elder_of(younger)
        if older is None:
            return False
        turn = await self._read(younger)
        return turn is not None and self.closing.offer(older, younger, turn)

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
        self.closing.open.note(followed)
        if not followed.at_end:
            if turn.data:  # else the next scan asks for it: a file that gives nothing must not have turn after turn
                self.look_at(followed)
        else:
            self._release_waiting(followed)

    def _pass_over(self, followed: Followed, turn: Turn) -> bool:
        """Go on behind bytes that are there no more; return False where the text before them is to be read anew."""
        at = followed.read_offset
        self.closing.close_record(followed)
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
        if not followed.at_end and self.has_room:
            self.reads.ahead(followed)
        followed.quiet_since = self._clock.monotonic()
        for chunk in chunks:
            self.conversion.convert(followed, chunk)
            await asyncio.sleep(0)  # the sender's turn: a chunk is about half a millisecond of work
            if followed.reframe:
                self.closing.frame_anew(followed)
                return

    async def _grow_head(self, followed: Followed, data: bytes) -> None:
        """Take the fingerprint anew; *data* is what stands at the read offset."""
        if followed.read_offset == 0:
            followed.head = head_of(data)  # it may have been truncated since its row was made
        else:
            await followed.grow_head()

    def _release_waiting(self, followed: Followed) -> None:
        for other in self._turns.released_by(followed.key):
            self.look_at(other)

    def _unreadable(self, followed: Followed, error: SourceError) -> None:
        if followed.last_error is None:
            followed.error_since_ms = self._clock.now_ms()
        followed.last_error = str(error)
        self._journal.once("file_unreadable", followed.path, file=followed.path, error=str(error))

    def next_times(self) -> list[float]:
        """Return the monotonic instants at which something is due without an event."""
        return [due for due in (self.closing.open.next_due, self._turns.next_delayed) if due is not None]

    @property
    def has_unread(self) -> bool:
        """Whether a file waits for its turn."""
        return bool(self._turns) or self._turns.next_delayed is not None or self.reads.any_slow

    def release_delayed(self) -> None:
        """Give files that were slowed down by their rate limit a turn when their time has come."""
        if self._turns.next_delayed is not None:
            for followed in self._turns.undelayed(self._clock.monotonic()):
                self.look_at(followed)
