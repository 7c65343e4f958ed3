"""What a backfill knows of a file: how to know it again, and which of its bytes are settled.

Settled is what was acknowledged, left out by the source's own rules, or kept
as a dead letter. Bytes that only lay outside the time asked for are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from shipper.core.identity import NO_GUARD, NO_HEAD, Guard, Head
from shipper.core.model import Span


class Settled(NamedTuple):
    """Settled bytes [start, end) and how reading goes on behind them.

    Attributes:
        carry: For the chunk that begins at *end*, as JSON; empty where nothing is known.
        guard: Of the bytes before *end*.
    """

    start: int
    end: int
    carry: bytes = b""
    guard: Guard = NO_GUARD

    @property
    def span(self) -> Span:
        """The bytes alone."""
        return Span(self.start, self.end)


class Shipped(msgspec.Struct, kw_only=True):
    """One file that a backfill has met.

    Attributes:
        place: Where it was seen last, as people call it.
        packing: How it was compressed then; empty for plain.
        size, mtime_ns: Of the file on disk.
        head: Fingerprint of its text's first bytes.
        seal: Digest of a compressed file's first and last bytes; empty for a plain one.
        length: Bytes of its text, where all of it was read; None where not.
        settled: In order, apart from one another.
    """

    file_id: int
    source: str
    place: str
    packing: str = ""
    device: int = 0
    inode: int = 0
    size: int = 0
    mtime_ns: int = 0
    head: Head = NO_HEAD
    seal: bytes = b""
    length: int | None = None
    settled: list[Settled] = []

    @property
    def frontier(self) -> Settled | None:
        """The last settled bytes whose guard is known: where one looks whether a file is this one."""
        return next((settled for settled in reversed(self.settled) if settled.guard.length), None)


def with_settled(before: Sequence[Settled], fresh: Iterable[Settled]) -> list[Settled]:
    """Return *before* with *fresh* added; what touches becomes one, with the carry and guard of its end."""
    result: list[Settled] = []
    for settled in sorted((*before, *fresh), key=lambda each: (each.start, each.end)):
        if settled.end <= settled.start:
            continue
        last = result[-1] if result else None
        if last is None or settled.start > last.end:
            result.append(settled)
        elif (settled.end, bool(settled.carry)) > (last.end, bool(last.carry)):
            result[-1] = settled._replace(start=last.start)
    return result


def carry_at(settled: Iterable[Settled], offset: int) -> bytes:
    """Return the carry with which reading goes on at *offset*; empty where that is not known."""
    return next((each.carry for each in settled if each.end == offset), b"")
