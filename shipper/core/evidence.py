"""What a scan knows, sees and decides of files, as types; what it means is core/follow.py's."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from shipper.core.identity import Guard, Head, Point
from shipper.core.model import FileKey


class Known(msgspec.Struct, frozen=True):
    """A followed generation, as it stood before the scan.

    Attributes:
        offset: Up to where it was read.
        guard: Of the bytes before *offset*.
        open: A descriptor is held.
        orphan: Its file was truncated or is gone; a copy may hold the rest.
        live: It was last seen under a matched name, and not as the rotated form of another.
        suspect: A read found other bytes than expected before the offset, or a shorter file.
        trail: Where reading stood before, oldest first.
    """

    key: FileKey
    source: str
    path: str
    device: int
    inode: int
    head: Head
    guard: Guard
    offset: int
    size: int
    mtime_ns: int
    open: bool = False
    orphan: bool = False
    live: bool = True
    suspect: bool = False
    trail: tuple[Point, ...] = ()


class Seen(msgspec.Struct, frozen=True):
    """A regular file that the scan met.

    Attributes:
        source: Index of the first source that matches it; None for a sibling of a followed file.
        pattern: The pattern that matched.
    """

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    source: int | None
    pattern: str = ""


class Question(NamedTuple):
    """Bytes that `decide` needs: the first HEAD_BYTES, and those before *offset*."""

    path: str
    offset: int
    guard_length: int


class Answer(NamedTuple):
    """What stands there; None where it cannot be read."""

    first: bytes
    before: bytes


Answers = Mapping[Question, Answer | None]


class Do(enum.Enum):
    """What to do with a file."""

    START = "start"
    CONTINUE = "continue"
    RENAMED = "renamed"
    TRUNCATED = "truncated"
    ADOPT = "adopt"
    DRAIN = "drain"
    GONE = "gone"
    WAIT = "wait"


class Decision(NamedTuple):
    """One verdict, with its evidence in words for the file's history.

    Attributes:
        known: The generation that it is about; None for a new file.
        seen: The file on disk; None where there is none any more.
        live: Whether it stands under a matched name (and is not only being finished).
        begin_at: For START: offset of the first byte that is to be read.
    """

    do: Do
    known: Known | None
    seen: Seen | None
    evidence: str
    live: bool = True
    begin_at: int = 0
