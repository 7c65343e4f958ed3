"""What is saved of a followed file: its row in the offset store, and the part of its ledger that goes with it.

The watermark says up to where everything is safe; no other offset is ever
saved. What the ledger says of the chunks below it waits here until it is
durable.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import msgspec

from shipper.adapters.offsets import Life, LifeState
from shipper.core.identity import HEAD_BYTES, NO_GUARD, NO_HEAD, Guard, Head, guard_of
from shipper.core.ledger import Entry, compact, without_delivery
from shipper.core.model import Carry
from shipper.core.watermark import Watermark

_encode_carry = msgspec.json.Encoder().encode
_decode_carry = msgspec.json.Decoder(Carry)


class FollowedRow:
    """One life of a file as the offset store has it; owns what of its ledger is not saved yet."""

    # There may be a hundred thousand: a dict each would be a third of what they take.
    __slots__ = (
        "_accounts",
        "_accounts_offered",
        "_guard",
        "born_ms",
        "counters",
        "device",
        "head",
        "inode",
        "key",
        "lineage",
        "mtime_ns",
        "path",
        "saved_offset",
        "size",
        "source",
        "state",
        "watermark",
    )

    def __init__(self, life: Life, lineage: int) -> None:
        """Take up *life*; *lineage* names the stream whose order must hold."""
        self.key = life.key
        self.lineage = lineage
        self.source = sys.intern(life.source)
        self.path = life.path
        self.device, self.inode = life.device, life.inode
        self.size, self.mtime_ns = life.size, life.mtime_ns
        self.state = life.state
        self.head = Head(life.head_length, life.head_digest) if life.head_length else NO_HEAD
        self.born_ms = life.born_ms
        self.counters: Counter[str] = Counter(life.counters)
        self.watermark = Watermark(life.offset, _carry_of(life.carry))
        self.saved_offset = life.offset
        self._guard = Guard(life.guard_length, life.guard_digest) if life.guard_length else NO_GUARD
        self._accounts: Sequence[Entry] = ()  # a list only while there is something to save
        self._accounts_offered = 0

    # -- what the file is ------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether the file is still written under its own name."""
        return self.state is LifeState.FOLLOWING

    @property
    def mtime_ms(self) -> int:
        """Last modification."""
        return self.mtime_ns // 1_000_000

    @property
    def head_complete(self) -> bool:
        """Whether the fingerprint covers as much as it ever will."""
        return self.head.length >= HEAD_BYTES

    def begin_with(self, first: bytes, tail: bytes) -> None:
        """Take the fingerprint of a file that is new: its *first* bytes, and those before the offset it begins at."""
        self.head = self.head.grown(first)
        self._guard = guard_of(tail)

    # -- the row ---------------------------------------------------------------------------------

    def row(self, now_ms: int) -> Life:
        """Return the row to save: the safe offset and what belongs to it, `spans` among it."""
        self._take_accounts()
        safe = self.watermark.safe
        guard = guard_of(safe.tail) if safe.tail else self._guard
        return Life(
            file_id=self.key.file_id,
            generation=self.key.generation,
            source=self.source,
            path=self.path,
            device=self.device,
            inode=self.inode,
            head_length=self.head.length,
            head_digest=self.head.digest,
            guard_length=guard.length,
            guard_digest=guard.digest,
            offset=safe.offset,
            size=self.size,
            mtime_ns=self.mtime_ns,
            state=self.state,
            carry=_encode_carry(safe.carry),
            born_ms=self.born_ms,
            changed_ms=now_ms,
            counters=dict(self.counters),
            lineage=self.lineage,
        )

    @property
    def saved_carry(self) -> bytes:
        """What goes with the offset that is saved, as a row holds it; empty where that is known no more."""
        safe = self.watermark.safe
        return _encode_carry(safe.carry) if safe.offset == self.saved_offset else b""

    @property
    def unsaved_acked(self) -> int:
        """Records that are acknowledged and that a crash would send again."""
        return sum(account.acked for account in self._accounts) + self.watermark.acked_records

    def spans(self) -> list[Entry]:
        """Return the part of the ledger that is not saved yet, up to the offset of the last `row`."""
        self._accounts = compact(self._accounts) if self._accounts else ()
        self._accounts_offered = len(self._accounts)
        return list(self._accounts)

    def pass_over(self, start: int, end: int, why: str, now_ms: int) -> None:
        """Account for bytes that are not delivered, for the reason *why*: one word, as in core/ledger.py."""
        if end > start:
            self._take_accounts()
            self._accounts = [*self._accounts, without_delivery(start, end, why, now_ms)]

    def saved(self, life: Life) -> None:
        """*life* is durable, and the spans that were offered with it."""
        self.saved_offset = max(self.saved_offset, life.offset)
        self._accounts = self._accounts[self._accounts_offered :] or ()
        self._accounts_offered = 0

    def _take_accounts(self) -> None:
        accounts, counts = self.watermark.take()
        if accounts:
            self._accounts = [*self._accounts, *accounts]
        self.counters.update(counts)


def _carry_of(saved: bytes) -> Carry:
    """Return the carry of a row; the few names in it are one string each, however many files have them."""
    if not saved:
        return Carry()
    carry = _decode_carry.decode(saved)
    return msgspec.structs.replace(carry, encoding=sys.intern(carry.encoding), layout=sys.intern(carry.layout))
