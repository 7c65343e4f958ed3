"""Finds the bytes of a generation on disk: in place, renamed, copied, or compressed by a rotation.

Its path is where it was last seen; what it is, its inode and its first bytes
say. Nothing is opened that could block.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from typing import Final, Protocol, Self

from shipper.adapters.compressed import CompressedFile, kind_of
from shipper.adapters.offsets import Life
from shipper.core.identity import HEAD_BYTES, Head
from shipper.core.rotation_names import COMPRESSED, base_of, is_rotated_name
from shipper.errors import SourceError

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_MAGIC_BYTES: Final = 8

Inode = tuple[int, int]


class Text(Protocol):
    """The text of a file, by offset."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes at *offset*; none at the end. Raises SourceError."""

    def close(self) -> None:
        """Give it back."""


class PlainFile:
    """A file whose bytes are its text."""

    def __init__(self, descriptor: int) -> None:
        """Own *descriptor*."""
        self._descriptor = descriptor

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes at *offset*."""
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise SourceError(error.strerror or str(error)) from error

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


class Remains:
    """An open file that holds a generation; a context manager.

    Attributes:
        path: Where it stands.
        packing: How it is compressed; empty for plain.
        certain: Whether its first bytes and its length are those of the generation.
        base: Offset of the first byte that is there: of a spilled file it is not 0.
        length: Bytes of its text, once somebody has read it to its end.
    """

    def __init__(self, path: str, text: Text, packing: str) -> None:
        """Own *text*."""
        self.path = path
        self.packing = packing
        self.certain = True
        self.base = self.length = 0
        self.read_at = text.read_at
        self.close = text.close

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def open_text(path: str) -> Remains | None:
    """Open a regular file, compressed or not; None where that is not possible."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        packing = kind_of(os.pread(descriptor, _MAGIC_BYTES, 0)) if regular else None
    except OSError:
        regular, packing = False, None
    if not regular:
        os.close(descriptor)
        return None
    if packing is None:
        return Remains(path, PlainFile(descriptor), "")
    os.close(descriptor)
    try:
        return Remains(path, CompressedFile.open(path), packing)
    except SourceError:
        return None


def find(life: Life, taken: Collection[Inode] = ()) -> Remains | None:
    """Return the file that holds the bytes of *life*; None where there is none that can be read.

    Where none begins as it did, or all are too short, the one that has its name and inode is taken: bytes of it have
    changed, or are missing.

    *taken* are inodes that hold a later generation by now: what stands there are other bytes.
    """
    doubtful: Remains | None = None
    for path in _places(life, taken):
        remains = open_text(path)
        if remains is None:
            continue
        if _fits(remains, life):
            if doubtful is not None:
                doubtful.close()
            return remains
        if doubtful is None and path == life.path and inode_at(path) == (life.device, life.inode):
            doubtful = remains
            doubtful.certain = False
        else:
            remains.close()
    return doubtful


def _fits(remains: Remains, life: Life) -> bool:
    try:
        begins_alike = Head(life.head_length, life.head_digest).fits(remains.read_at(0, HEAD_BYTES))
        return begins_alike and (life.offset == 0 or bool(remains.read_at(life.offset - 1, 1)))
    except SourceError:
        return False


def _places(life: Life, taken: Collection[Inode]) -> Iterator[str]:
    """Give the paths at which it may stand, the likeliest first: its own inode, then names of rotated forms."""
    inode = (life.device, life.inode)
    directory, _, name = life.path.rpartition("/")
    siblings = []
    if inode not in taken and inode_at(life.path) == inode:
        yield life.path
    try:
        with os.scandir(directory or "/") as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if inode not in taken and entry.inode() == life.inode and inode_at(entry.path) == inode:
            yield entry.path
        elif _is_sibling(entry.name, name):
            siblings.append(entry.path)
    yield from siblings


def _is_sibling(name: str, of: str) -> bool:
    plain = _unpacked(name)
    own = _unpacked(of)
    packed_itself = plain != name and plain in (of, own)
    return packed_itself or is_rotated_name(plain, own) or is_rotated_name(plain, base_of(own))


def _unpacked(name: str) -> str:
    return next((name.removesuffix(ending) for ending in COMPRESSED if name.endswith(ending)), name)


def inode_at(path: str) -> Inode | None:
    """Return device and inode of what *path* leads to; None where that is nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
