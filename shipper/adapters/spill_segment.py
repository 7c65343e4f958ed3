"""One file of the spill: how it is written, and what of it is sound.

    segment = magic, u32 length, u32 CRC-32 of the origin, origin (JSON), frames
    frame   = u64 offset, u32 raw length, u32 packed length, u32 CRC-32 of these and the packed bytes, packed bytes

Packed is zstd, each frame on its own, so that one can be read without the
others, and lost without them.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec
import zstandard

from shipper.core.model import FileKey

FRAME_BYTES: Final = 256 << 10

_MAGIC: Final = b"shipper spill 1\n"
_ORIGIN: Final = struct.Struct("<II")
_FRAME: Final = struct.Struct("<QIII")
_CHECKED: Final = struct.Struct("<QII")
_LEVEL: Final = 3
_LARGEST_FRAME: Final = 4 * FRAME_BYTES


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Whose bytes they are: enough to read them without a row in the offset store.

    Attributes:
        carry: What the converter must know at the segment's first byte, as a row holds it; empty where that is not
            known.
    """

    file_id: int
    generation: int
    lineage: int
    source: str
    path: bytes
    device: int
    inode: int
    mtime_ns: int
    head_length: int = 0
    head_digest: bytes = b""
    carry: bytes = b""

    @property
    def key(self) -> FileKey:
        """Whose bytes they are."""
        return FileKey(self.file_id, self.generation)


class Frame(NamedTuple):
    """Where a frame stands: its bytes are [start, end) of the generation."""

    start: int
    end: int
    position: int
    packed_bytes: int
    check: int


def packed_segment(origin: Origin, start: int, data: bytes) -> bytes:
    """Return the content of a segment that holds *data*, which stands at *start*."""
    described = msgspec.json.encode(origin)
    parts = [_MAGIC, _ORIGIN.pack(len(described), zlib.crc32(described)), described]
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    for at in range(0, len(data), FRAME_BYTES):
        raw = data[at : at + FRAME_BYTES]
        packed = compressor.compress(raw)
        checked = _CHECKED.pack(start + at, len(raw), len(packed))
        parts += [checked, struct.pack("<I", zlib.crc32(packed, zlib.crc32(checked))), packed]
    return b"".join(parts)


def give_to_owner_of(directory: Path, made: Path | int) -> None:
    """Let the agent's user use what root made in its *directory*: a path, or a descriptor."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(made, owner.st_uid, owner.st_gid)


def write_durably(path: Path, content: bytes) -> None:
    """Put *content* at *path*, for the owner's eyes only; all of it is there after any crash, or nothing.

    Raises:
        OSError: The disk is full or fails; nothing is left behind.
    """
    unfinished = path.with_suffix(".new")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            give_to_owner_of(path.parent, descriptor)
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError:
        unfinished.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise


def origin_of(path: Path) -> Origin | None:
    """Return whose bytes a segment holds; None where that part of it is damaged.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        described = _origin_text(file)
    try:
        return msgspec.json.decode(described, type=Origin) if described else None
    except msgspec.MsgspecError:
        return None


def frames_of(file: BinaryIO) -> Iterator[Frame]:
    """Yield where the frames of a segment stand, up to the first place that cannot be one."""
    if not _origin_text(file):
        return
    position = file.tell()
    while True:
        file.seek(position)
        header = file.read(_FRAME.size)
        if len(header) < _FRAME.size:
            return
        start, length, packed_bytes, check = _FRAME.unpack(header)
        if not 0 < length <= _LARGEST_FRAME or not 0 < packed_bytes <= _LARGEST_FRAME:
            return
        position += _FRAME.size + packed_bytes
        yield Frame(start, start + length, position - packed_bytes, packed_bytes, check)


def data_of(file: BinaryIO, frame: Frame) -> bytes | None:
    """Return a frame's bytes; None where it is damaged or torn."""
    file.seek(frame.position)
    packed = file.read(frame.packed_bytes)
    length = frame.end - frame.start
    checked = _CHECKED.pack(frame.start, length, frame.packed_bytes)
    if len(packed) < frame.packed_bytes or zlib.crc32(packed, zlib.crc32(checked)) != frame.check:
        return None
    try:
        data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=length)
    except zstandard.ZstdError:
        return None
    return data if len(data) == length else None


def _origin_text(file: BinaryIO) -> bytes:
    begin = file.read(len(_MAGIC) + _ORIGIN.size)
    if len(begin) < len(_MAGIC) + _ORIGIN.size or not begin.startswith(_MAGIC):
        return b""
    length, check = _ORIGIN.unpack(begin[len(_MAGIC) :])
    described = file.read(min(length, 1 << 20))
    return described if zlib.crc32(described) == check and len(described) == length else b""
