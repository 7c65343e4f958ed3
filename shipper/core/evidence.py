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
        packed: It is a compressed file; offsets are those of its content.
        kept: What is unread of it is in the spill: no file is needed any more.
        done: It was read to its end and let go; kept to know its copies by.
        lineage: The stream that it is a part of; 0 for its own.
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
    packed: bool = False
    kept: bool = False
    done: bool = False
    lineage: int = 0

    @property
    def stream(self) -> int:
        """The stream that it is a part of."""
        return self.lineage or self.key.file_id

    @property
    def points(self) -> tuple[Point, ...]:
        """Where reading has stood, the last place last."""
        return (*(point for point in self.trail if point.offset < self.offset), Point(self.offset, self.guard))


class Seen(msgspec.Struct, frozen=True):
    """A regular file that the scan met.

    Attributes:
        source: Index of the first source that matches it; None for a sibling of a followed file.
        pattern: The pattern that matched.
        packed: How the file is compressed (``gzip``); its *size* is then not that of its content. Empty for text.
    """

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    source: int | None
    pattern: str = ""
    packed: str = ""


class Question(NamedTuple):
    """Bytes that `decide` needs: the first HEAD_BYTES, and those before *offset*.

    Attributes:
        device, inode: Of the file that is meant: another may stand under its name by now.
        packed: Of the content of a compressed file, whose length is not known: asked for is what stands before the
            last of *points* (offset, length) that it is long enough for, and that only where *head* fits.
    """

    path: str
    offset: int
    guard_length: int
    device: int
    inode: int
    packed: str = ""
    points: tuple[tuple[int, int], ...] = ()
    head: Head | None = None


class Answer(NamedTuple):
    """What stands there.

    Attributes:
        at: Of a compressed file: the point before which *before* stands; 0 where none was reached.
    """

    first: bytes
    before: bytes
    at: int = 0


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
        follows: For START: the generation that it goes on from, as far as names say.
    """

    do: Do
    known: Known | None
    seen: Seen | None
    evidence: str
    live: bool = True
    begin_at: int = 0
    follows: Known | None = None
