"""The index of a segment's blocks in a file beside it: appended to, never synced, made anew when it does not fit.

::

    magic 4  first id 8  events 4  oldest ms 8  newest ms 8  (length 4  crc 4) of groups, bitmap, columns  head crc 4
    groups as JSON, bitmap, columns

An entry belongs to the block of the same first id, count and instants. What
is not whole counts as missing: everything here can be made from the segment.
Only the groups are kept in memory.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from shipper.endpoint.store.files import Descriptor
from shipper.endpoint.store.index import Built, Columns, Group, pack, unpack
from shipper.endpoint.store.segment import Block

SUFFIX: Final = ".index"
_MAGIC: Final = b"SXv2"
_HEAD: Final = struct.Struct("<4sQIqqIIIIII")
_CRC: Final = struct.Struct("<I")
_HEAD_BYTES: Final = _HEAD.size + _CRC.size
_encode_groups: Final = msgspec.json.Encoder().encode
_decode_groups: Final = msgspec.json.Decoder(list[Group]).decode


class IndexDamaged(Exception):
    """An entry's bytes have changed since they were written."""


class BlockIndex(Protocol):
    """What is known of a block."""

    groups: list[Group]

    def bitmap(self) -> bytes:
        """Return its `grams` bitmap."""

    def columns(self) -> Columns:
        """Return its columns, in the order of its groups."""


class FreshIndex:
    """An index that was just built; in memory."""

    def __init__(self, built: Built) -> None:
        """Keep *built*."""
        self.groups = built.groups
        self._built = built

    def bitmap(self) -> bytes:
        """Return its bitmap."""
        return self._built.bitmap

    def columns(self) -> Columns:
        """Return its columns."""
        return self._built.columns


class _Section(NamedTuple):
    at: int
    length: int
    crc: int

    def read(self, descriptor: Descriptor) -> bytes:
        data = descriptor.read(self.at, self.length)
        if len(data) != self.length or zlib.crc32(data) != self.crc:
            raise IndexDamaged
        return data


class KeptIndex:
    """An index in a file; bitmap and columns are read when they are asked for."""

    __slots__ = ("_bitmap", "_columns", "_descriptor", "groups")

    def __init__(self, descriptor: Descriptor, groups: list[Group], bitmap: _Section, columns: _Section) -> None:
        """Point to the sections."""
        self._descriptor = descriptor
        self.groups = groups
        self._bitmap = bitmap
        self._columns = columns

    def bitmap(self) -> bytes:
        """Return its bitmap.

        Raises:
            IndexDamaged: It has changed.
        """
        return self._bitmap.read(self._descriptor)

    def columns(self) -> Columns:
        """Return its columns.

        Raises:
            IndexDamaged: They have changed.
        """
        return unpack(self._columns.read(self._descriptor), self.groups)


class IndexFile:
    """The entries of one segment; the store's lock guards it.

    Attributes:
        size: Bytes of whole entries.
    """

    def __init__(self, path: Path) -> None:
        """Open the file beside a segment, making it where it is missing."""
        self.path = path
        self.size = 0
        self._descriptor = Descriptor(path)
        self._known: dict[tuple[int, ...], KeptIndex] = {}
        self._names: dict[str, str] = {}
        self._load()

    def get(self, block: Block) -> KeptIndex | None:
        """Return what is known of *block*."""
        return self._known.get(_key(block))

    def forget(self, block: Block) -> None:
        """Make *block* unknown, so that it is indexed again."""
        self._known.pop(_key(block), None)

    def add(self, block: Block, built: Built) -> None:
        """Write an entry; raises `OSError` when it cannot be, and nothing has changed."""
        groups, columns = _encode_groups(built.groups), pack(built.columns)
        sections = (groups, built.bitmap, columns)
        sizes = [number for section in sections for number in (len(section), zlib.crc32(section))]
        head = _HEAD.pack(_MAGIC, *_key(block), *sizes)
        self._descriptor.write(self.size, b"".join((head, _CRC.pack(zlib.crc32(head)), *sections)))
        self.size += self._remember(head, self.size, built.groups)

    def _load(self) -> None:
        file_size = os.fstat(self._descriptor.number).st_size
        while self.size < file_size:
            start = self._descriptor.read(self.size, _HEAD_BYTES)
            if (
                len(start) < _HEAD_BYTES
                or not start.startswith(_MAGIC)
                or _CRC.unpack_from(start, _HEAD.size)[0] != zlib.crc32(start[: _HEAD.size])
            ):
                break
            length, crc, bitmap_length, _, columns_length, _ = _HEAD.unpack_from(start)[5:]
            if self.size + _HEAD_BYTES + length + bitmap_length + columns_length > file_size:
                break
            try:
                groups = _decode_groups(_Section(self.size + _HEAD_BYTES, length, crc).read(self._descriptor))
            except (IndexDamaged, msgspec.MsgspecError):
                break
            self.size += self._remember(start[: _HEAD.size], self.size, groups)
        os.ftruncate(self._descriptor.number, self.size)

    def _remember(self, head: bytes, at: int, groups: list[Group]) -> int:
        """Point to the entry at *at* and return its length."""
        numbers: tuple[int, ...] = _HEAD.unpack(head)[1:]
        length, _, bitmap_length, bitmap_crc, columns_length, columns_crc = numbers[4:]
        for group in groups:
            # The same few texts in every block of the store: once is enough.
            group.loglevel = self._names.setdefault(group.loglevel, group.loglevel)
            group.status = self._names.setdefault(group.status, group.status)
            group.source = self._names.setdefault(group.source, group.source) if group.source is not None else None
        bitmap = _Section(at + _HEAD_BYTES + length, bitmap_length, bitmap_crc)
        columns = _Section(bitmap.at + bitmap_length, columns_length, columns_crc)
        self._known[numbers[:4]] = KeptIndex(self._descriptor, groups, bitmap, columns)
        return _HEAD_BYTES + length + bitmap_length + int(columns_length)


def _key(block: Block) -> tuple[int, int, int, int]:
    return block.first_id, block.events, block.oldest_ms, block.newest_ms
