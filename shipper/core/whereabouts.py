"""What became of one byte of a file, by its ledger and by how far reading has come.

Pure. Whether the record was left out by a rule, only the rule can say: where
the ledger alone does not decide, the fate is ASK.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from shipper.core.ledger import BACKFILLED, BEFORE, COPY, CUT, HOLE, REWOUND, SKIPPED, UNREACHABLE, Entry
from shipper.core.lineage_join import JOINED


class Fate(enum.StrEnum):
    """Where a line is."""

    DELIVERED = "delivered"
    BACKFILLED = "backfilled"
    FILTERED = "filtered"
    DEAD_LETTER = "dead letter"
    UNCERTAIN = "uncertain"
    WAITING = "waiting"
    UNREAD = "not read yet"
    PASSED_OVER = "passed over"
    LOST = "lost"
    NOT_FOLLOWED = "not followed"


PASSED_OVER_BECAUSE = {
    HOLE: "a hole or a byte order mark: no part of any record",
    BEFORE: "read before this state had a ledger: delivered, but when and how was not kept",
    SKIPPED: "it stood there when the file was first met, and the source has start_at: end",
    COPY: "a copy of what had been read under another name",
    BACKFILLED: "a backfill had read it before the agent met the file: it was sent, or left out by the rules, or is a "
    "dead letter of the backfill",
    REWOUND: "skipped by the operator (shipper state rewind)",
    CUT: "read before a rewind; what was kept of it went with the rewind",
    JOINED: "it goes on with the record that ends the file before it, and was sent with that",
    UNREACHABLE: "the file was truncated, deleted or moved away before it was read, and there was no copy of it",
    "spill_full": "it stood in the spill, which was full: the oldest of it made room; raise limits.spill",
    "spill_damaged": "it stood in the spill, and the disk gave other bytes back",
}
LOST_BECAUSE = frozenset([UNREACHABLE, "spill_full", "spill_damaged"])


class Whereabouts(msgspec.Struct, frozen=True):
    """What the ledger says of a byte.

    Attributes:
        fate: None where the rule must be asked: of its span some records were delivered and some were not.
        why: In words; empty where the fate says it all.
        entry: The span that it stands in; None where there is none.
    """

    fate: Fate | None
    why: str
    entry: Entry | None


def entry_at(entries: Sequence[Entry], offset: int) -> Entry | None:
    """Return the span in which *offset* stands; *entries* are in file order."""
    at = bisect_right(entries, offset, key=lambda entry: entry.start) - 1
    return entries[at] if at >= 0 and offset < entries[at].end else None


def whereabouts(entries: Sequence[Entry], safe_offset: int, offset: int) -> Whereabouts | None:
    """Return what the ledger says of the byte at *offset*; None where it is not settled yet."""
    entry = entry_at(entries, offset)
    if entry is None:
        if offset >= safe_offset:
            return None
        return Whereabouts(Fate.UNCERTAIN, "it was settled, and its row is missing: run 'shipper verify'", None)
    if entry.dropped:
        return Whereabouts(_fate_of(entry.dropped), PASSED_OVER_BECAUSE.get(entry.dropped, entry.dropped), entry)
    if entry.read == entry.acked:
        return Whereabouts(Fate.DELIVERED, "", entry)
    return Whereabouts(None, "", entry)


def _fate_of(dropped: str) -> Fate:
    if dropped == BACKFILLED:
        return Fate.BACKFILLED
    return Fate.LOST if dropped in LOST_BECAUSE else Fate.PASSED_OVER
