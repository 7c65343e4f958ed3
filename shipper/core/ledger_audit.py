"""What does not agree in the ledger of one generation: among its rows, and with the bytes that stand in the file now.

Pure: whoever has the rows and the file asks here, span by span.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from shipper.core.ledger import HOLE, UNKNOWN, UNREACHABLE, Entry

_BYTE_ORDER_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff")


class Fault(enum.StrEnum):
    """How a span disagrees."""

    ROW_MISSING = "row_missing"
    ROWS_OVERLAP = "rows_overlap"
    OFFSET_BEYOND = "offset_beyond_spans"
    SPANS_BEYOND = "spans_beyond_offset"
    NO_ACK = "span_without_ack"
    RECORDS_DIFFER = "records_differ"
    BYTES_CHANGED = "bytes_changed"
    BYTES_MISSING = "bytes_missing"
    NO_FILE_ROW = "file_row_missing"


class Disagreement(msgspec.Struct, frozen=True):
    """One span that is not as the ledger says.

    Attributes:
        detail: Both figures, in words.
    """

    fault: Fault
    start: int
    end: int
    detail: str


def audit(entries: Sequence[Entry], offset: int) -> list[Disagreement]:
    """Return where the rows of a generation, in file order, do not tile [0, *offset*) or do not balance."""
    found = [wrong for entry in entries if (wrong := imbalance(entry)) is not None]
    bounds = [(0, 0), *((entry.start, entry.end) for entry in entries)]
    for (_, end), (start, _) in pairwise(bounds):
        if start > end:
            detail = f"no row says what became of these {start - end:,} bytes"
            found.append(Disagreement(Fault.ROW_MISSING, end, start, detail))
        elif start < end:
            detail = f"two rows stand for these {end - start:,} bytes"
            found.append(Disagreement(Fault.ROWS_OVERLAP, start, end, detail))
    # What was lost unread lies beyond the offset for ever.
    last = max((0, *(entry.end for entry in entries if entry.dropped != UNREACHABLE)))
    if last < offset:
        detail = f"the saved offset is {offset:,}, the rows end at {last:,}"
        found.append(Disagreement(Fault.OFFSET_BEYOND, last, offset, detail))
    elif last > offset:
        detail = f"the rows end at {last:,}, the saved offset is {offset:,}"
        found.append(Disagreement(Fault.SPANS_BEYOND, offset, last, detail))
    return sorted(found, key=lambda wrong: (wrong.start, wrong.end))


def imbalance(entry: Entry) -> Disagreement | None:
    """Return what is wrong where not every record of a span has a fate."""
    if entry.dropped:
        return None
    if entry.balance:
        fates = entry.read - entry.balance
        detail = f"{entry.read:,} records were read, {fates:,} are acknowledged, filtered or dead letters"
    elif entry.acked > 0 and not entry.batch:
        detail = f"{entry.acked:,} records are acknowledged, and no batch is named"
    else:
        return None
    return Disagreement(Fault.NO_ACK, entry.start, entry.end, detail)


class BytesCheck:
    """The bytes of one span, in pieces, against its row."""

    def __init__(self, entry: Entry) -> None:
        """Expect the bytes of *entry* from its start on."""
        self._entry = entry
        self._hole = entry.dropped == HOLE
        self._digest = entry.seed
        self._at = entry.start
        self._foreign = False

    @property
    def can_tell(self) -> bool:
        """Whether the row knows what its bytes were."""
        return self._hole or (self._entry.digest != UNKNOWN and not self._entry.dropped)

    def feed(self, digest: int, piece: bytes) -> None:
        """Take the next *piece*; *digest* is that of the whole span so far."""
        self._digest = digest
        self._at += len(piece)
        self._foreign = self._foreign or (self._hole and bool(piece.strip(b"\0")) and piece not in _BYTE_ORDER_MARKS)

    def result(self) -> Disagreement | None:
        """Return how the bytes disagree, once they were all fed, or the file has ended."""
        entry = self._entry
        if self._at < entry.end:
            detail = f"the file ends at {self._at:,}, the row at {entry.end:,}"
            return Disagreement(Fault.BYTES_MISSING, entry.start, entry.end, detail)
        if not self.can_tell:
            return None
        if self._hole:
            changed = self._foreign
            detail = "this was a hole of NULs, and other bytes stand there"
        else:
            changed = self._digest != entry.digest
            detail = f"their digest was {entry.digest:08x}, and is {self._digest:08x}"
        return Disagreement(Fault.BYTES_CHANGED, entry.start, entry.end, detail) if changed else None


def recount_differs(entry: Entry, counted: Mapping[str, int]) -> Disagreement | None:
    """Return how the figures of a recount differ from the row's; what depends on the time of reading is let be."""
    wrong = []
    if counted.get("read", 0) != entry.read:
        wrong.append(f"{entry.read:,} records in the row, {counted.get('read', 0):,} in the file")
    else:
        names = {name for name in (*entry.rest, *counted) if name.startswith("filtered_")} - {"filtered_too_old"}
        for name in sorted(names):
            before, now = entry.rest.get(name, 0), counted.get(name, 0)
            if before != now:
                wrong.append(f"{before:,} filtered by {name.removeprefix('filtered_')} in the row, {now:,} in the file")
    return Disagreement(Fault.RECORDS_DIFFER, entry.start, entry.end, "; ".join(wrong)) if wrong else None
