"""Evidence of which file is which: the first bytes, and the last ones that were read.

A path, an inode, a head are evidence and never the key: inodes are used again
within seconds, and files of one program begin alike.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final, NamedTuple

HEAD_BYTES: Final = 1024
GUARD_BYTES: Final = 256
TRAIL_POINTS: Final = 32
_DIGEST_BYTES: Final = 12
_POINT: Final = struct.Struct(f"<QH{_DIGEST_BYTES}s")


class Head(NamedTuple):
    """Fingerprint of a file's first *length* bytes; it grows with the file up to HEAD_BYTES."""

    length: int
    digest: bytes

    def fits(self, first: bytes) -> bool:
        """Return whether a file that begins with *first* (HEAD_BYTES, or all it has) may be this one."""
        return len(first) >= self.length and _digest(first[: self.length]) == self.digest

    def grown(self, first: bytes) -> Head:
        """Return the longer fingerprint, where *first* goes on from this one; else this one."""
        return head_of(first) if len(first) > self.length and self.fits(first) else self


class Guard(NamedTuple):
    """Frontier guard: digest of the *length* bytes before an offset."""

    length: int
    digest: bytes

    def fits(self, before: bytes) -> bool:
        """Return whether *before*, the bytes that stand before the offset now, are the ones that stood there."""
        return len(before) == self.length and _digest(before) == self.digest


class Point(NamedTuple):
    """An offset that reading has passed, and the guard there."""

    offset: int
    guard: Guard


class Trail:
    """The last places at which reading stood.

    They tell a copy that ends before the read offset, all of which has been
    read, from another file that begins alike: copy-truncate makes one
    whenever lines are written and read between the copy and the truncation.
    Kept in memory only.
    """

    __slots__ = ("_points",)  # packed: there may be many files, and as objects they would take ten times as much

    def __init__(self) -> None:
        """Start with no points."""
        self._points = b""

    def pass_by(self, offset: int, before: bytes) -> None:
        """Note that reading stands at *offset*, and what stands *before* it."""
        if (last := self.last) is None or last.offset != offset:
            kept = self._points[_POINT.size * (1 - TRAIL_POINTS) :]
            self._points = kept + _POINT.pack(offset, *guard_of(before))

    @property
    def last(self) -> Point | None:
        """The newest point."""
        return _unpacked(self._points[-_POINT.size :]) if self._points else None

    @property
    def points(self) -> tuple[Point, ...]:
        """The points, oldest first."""
        return tuple(_unpacked(self._points[at : at + _POINT.size]) for at in range(0, len(self._points), _POINT.size))


def _unpacked(packed: bytes) -> Point:
    offset, length, digest = _POINT.unpack(packed)
    return Point(offset, Guard(length, digest))


def head_of(first: bytes) -> Head:
    """Return the fingerprint of a file that begins with *first*."""
    first = first[:HEAD_BYTES]
    return Head(len(first), _digest(first))


def guard_of(before: bytes) -> Guard:
    """Return the guard for an offset before which *before* stands."""
    before = before[-GUARD_BYTES:]
    return Guard(len(before), _digest(before))


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


NO_HEAD: Final = head_of(b"")
NO_GUARD: Final = guard_of(b"")
