"""A record that a rotation has cut: its first lines end the old file, the others begin the new one.

Whether they belong together the rule says: the new file's first lines go on
with the open record as long as they would in one file. What is joined is one
chunk of the old file; the new one is read from behind the lines that went
into it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shipper.core.encodings import find_mark, newline_of
from shipper.core.framing import Framer
from shipper.core.model import Carry, Chunk
from shipper.core.rule import RecordFormat, Rule

JOINED: Final = "in_record_before"
"""Why bytes at the beginning of a file are no records of it."""
MOST_BYTES: Final = 1 << 20  # of the new file's beginning: no record of several lines is longer by default


class Join(NamedTuple):
    """What is joined.

    Attributes:
        chunk: Whole records of the old file, the last of which goes on in the new one.
        own: The same, without what stands in the new one.
        lead: Bytes of the new one that belong to it; 0 where none do.
    """

    chunk: Chunk
    own: Chunk
    lead: int


def can_go_on(rule: Rule, carry: Carry, held: Chunk) -> bool:
    """Return whether the open record *held* may go on in another file: whole lines, of a rule that joins lines."""
    joins_lines = rule.multiline is not None or rule.format in (RecordFormat.CRI, RecordFormat.DOCKER)
    newline = newline_of(carry.encoding) if carry.encoding else b"\n"
    return joins_lines and carry.part is None and held.data.endswith(newline) and len(held.data) % len(newline) == 0


def join(rule: Rule, carry: Carry, held: Chunk, begin: bytes, *, final: bool) -> Join | None:
    """Return what the open record *held* becomes with the new file's first bytes; None where more must be seen.

    Args:
        rule: Of both files.
        carry: As it is before *held*.
        held: The bytes of the old file that belong to no whole record; as `can_go_on` wants them.
        begin: What the new file begins with, as far as it is there.
        final: Nothing more is to come: all of *begin* that can go on does.
    """
    nothing = Join(held, held, 0)
    ends = _line_ends(begin[:MOST_BYTES], newline_of(carry.encoding or "utf-8"))
    marked = find_mark(begin, "", final=True)
    if (marked is not None and marked[0]) or begin.startswith(b"\0"):
        return nothing
    if not ends:
        return nothing if final else None
    low, high = 0, len(ends)  # the fewest lines that complete the record are more than *low*, at most *high*
    if not _completed(rule, carry, held, begin[: ends[-1]]):
        if not final and len(begin) < MOST_BYTES:
            return None
        return _joined(rule, carry, held, begin[: ends[-1]])
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _completed(rule, carry, held, begin[: ends[middle - 1]]) else (middle, high)
    first = _completed(rule, carry, held, begin[: ends[high - 1]])[0]
    lead = first.end - held.end
    return _joined(rule, carry, held, begin[:lead]) if lead > 0 else nothing


def _completed(rule: Rule, carry: Carry, held: Chunk, begin: bytes) -> list[Chunk]:
    framer = Framer(rule, held.start, carry)
    return framer.feed(held.data + begin)


def _joined(rule: Rule, carry: Carry, held: Chunk, lead: bytes) -> Join:
    framer = Framer(rule, held.start, carry)
    chunks = framer.feed(held.data + lead) + framer.close()
    if len(chunks) != 1 or chunks[0].start != held.start:  # it passes a limit: cut there, as it would be in one file
        return Join(held, held, 0)
    return Join(chunks[0], held, len(lead))


def _line_ends(data: bytes, newline: bytes) -> list[int]:
    """Return the offsets behind each whole line of *data*."""
    ends: list[int] = []
    unit = len(newline)
    at = data.find(newline)
    while at >= 0:
        if at % unit == 0:
            ends.append(at + unit)
        at = data.find(newline, at + unit if at % unit == 0 else at + 1)
    return ends
