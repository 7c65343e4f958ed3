"""What backfills have sent of a file that the agent meets for the first time: it takes up where they have left it.

The backfill's store is only looked at, beside whoever owns it. A file under
the inode that a backfill saw is that file where its text fits. One under
another inode counts as it only if the backfill's has gone from its place and
this one was not written since: a log whose lines are all alike fits any
other of its kind, and to pass over what was never sent is worse than to send
twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from shipper.adapters.backfill_store import DATABASE, DIRECTORY, BackfillStore
from shipper.adapters.texts import Place, open_text, seal_of
from shipper.core.evidence import Seen
from shipper.core.identity import HEAD_BYTES, Guard, Head
from shipper.core.model import Carry
from shipper.core.shipped import Shipped
from shipper.errors import SourceError, StateError
from shipper.pipeline.journal import Journal

MOST_ALIKE: Final = 16  # files written last in the same second: of more, each would have to be compared with each
_SECOND_NS: Final = 1_000_000_000
_decode_carry = msgspec.json.Decoder(Carry).decode
_encode_carry = msgspec.json.Encoder().encode


class Sent(NamedTuple):
    """How much of a file backfills have settled, from its first byte on.

    Attributes:
        guard: Of the bytes before *offset*.
        carry: With which reading goes on there, as JSON; empty where nothing is known.
        source: By which it was read.
    """

    offset: int
    head: Head
    guard: Guard
    carry: bytes
    source: str

    def carry_for(self, source: str) -> bytes:
        """Return the carry for *source*: of what another one has read only what the text itself says."""
        if not self.carry or source == self.source:
            return self.carry
        carry = _decode_carry(self.carry)
        return _encode_carry(Carry(stamp_ms=carry.stamp_ms, encoding=carry.encoding, header=carry.header))


class SentBefore:
    """Owns a copy of the store's rows; each is taken by one file at most."""

    def __init__(self, state_dir: Path, journal: Journal) -> None:
        """Nothing is looked at yet."""
        self._state_dir = state_dir
        self._journal = journal
        self._fresh = False
        self._version: tuple[tuple[int, int], ...] = ()
        self._by_inode: dict[tuple[int, int], list[Shipped]] = {}
        self._by_time: dict[int, list[Shipped]] = {}
        self._taken = set[int]()

    async def of(self, seen: Seen) -> Sent | None:
        """Return what was sent of *seen*, which takes it; where no backfill has met it, that costs next to nothing."""
        if not self._fresh:
            error = await asyncio.to_thread(self._refresh)
            self._fresh = True
            if error:
                hint = "files that a backfill has sent may be sent again by the agent"
                self._journal.once("backfill_store_unreadable", self._state_dir.name, error=error, hint=hint)
        rows = self._may_be(seen)
        return await asyncio.to_thread(self._one_of, seen, rows) if rows else None

    def scanned(self) -> None:
        """Whoever asks next is of another scan: the store may say more by then."""
        self._fresh = False

    def _refresh(self) -> str:
        """Look at the store where it has changed; return what is wrong with it."""
        database = self._state_dir / DIRECTORY / DATABASE
        version = tuple(_version_of(f"{database}{ending}") for ending in ("", "-wal"))
        if version == self._version:
            return ""
        error = ""
        try:
            rows = BackfillStore.peek(self._state_dir)
        except StateError as fault:
            rows, error = [], str(fault)
        self._version = version
        self._by_inode, self._by_time = {}, {}
        for row in rows:
            if row.settled and row.settled[0].start == 0 and row.head.length:
                self._by_inode.setdefault((row.device, row.inode), []).append(row)
                self._by_time.setdefault(row.mtime_ns // _SECOND_NS, []).append(row)
        return error

    def _may_be(self, seen: Seen) -> list[Shipped]:
        """Return the rows that *seen* may stand for, as far as names, inodes and times tell; cheap."""
        if not self._by_inode:
            return []
        same = self._by_inode.get((seen.device, seen.inode), []) if seen.inode else []
        others = self._by_time.get(seen.mtime_ns // _SECOND_NS, [])
        others = [row for row in others if not _is_at(seen, row)] if len(others) <= MOST_ALIKE else []
        return [row for row in (*same, *others) if row.file_id not in self._taken]

    def _one_of(self, seen: Seen, rows: Sequence[Shipped]) -> Sent | None:
        """Return what was sent of *seen*, which is one of *rows* if its text says so; that row is taken then."""
        for row in rows:
            if _is_text_of(seen.path, row) and (_is_at(seen, row) or not _stays(row)):
                self._taken.add(row.file_id)
                settled = row.settled[0]
                return Sent(settled.end, row.head, settled.guard, settled.carry, row.source)
        return None


def _version_of(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)


def _is_at(seen: Seen, row: Shipped) -> bool:
    return (seen.device, seen.inode) == (row.device, row.inode)


def _stays(row: Shipped) -> bool:
    """Return whether the file that a backfill has sent is still where it was; its inode may have been used again."""
    try:
        status = os.stat(row.place)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (row.device, row.inode) and _is_text_of(row.place, row)


def _is_text_of(path: str, row: Shipped) -> bool:
    """Return whether the text of the file at *path* is that of *row*, as far as it is settled."""
    settled = row.settled[0]
    try:
        text = open_text(Place(path))
    except SourceError:  # said when it is read
        return False
    try:
        if not row.head.fits(text.read_at(0, HEAD_BYTES)):
            return False
        if row.seal and text.packing and seal_of(Place(path)) == row.seal:
            return True
        begin = max(settled.end - settled.guard.length, 0)
        return settled.guard.length > 0 and settled.guard.fits(text.read_at(begin, settled.end - begin))
    except SourceError:
        return False
    finally:
        text.close()
