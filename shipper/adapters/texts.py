"""The text of a log wherever it stands: a plain file, a compressed one, a member of a tape archive, a pipe.

Everything is read by offsets of the text. Paths with a scheme (``s3://``,
``sftp://``) are opened by fsspec, which the extra `dask` installs.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from typing import BinaryIO, Final, Protocol

import msgspec

from shipper.adapters.compressed import UNPACK_BYTES, CompressedFile, kind_of
from shipper.adapters.compressed_bytes import Bytes, LocalBytes, shown
from shipper.adapters.texts_shared import SharedBytes, Stat, shared_stat
from shipper.core.restart import RestartPoint
from shipper.errors import FileUnreadable, FileVanished

STDIN: Final = "-"
SEAL_BYTES: Final = 4096
_HELD_BEHIND_BYTES: Final = 4 << 20


class Place(msgspec.Struct, frozen=True):
    """Where a text stands.

    Attributes:
        path: A path, an address with a scheme, or ``-``.
        member: Name inside the archive that *path* is; empty where it is none.
        offset, size: Where the member's bytes stand in the text of the archive.
    """

    path: str
    member: str = ""
    offset: int = 0
    size: int = 0

    @property
    def shown(self) -> str:
        """What people call it."""
        return shown(f"{self.path}/{self.member}" if self.member else self.path)


class Text(Protocol):
    """A log's text. Attributes: *packing* (how it is compressed; empty for plain), *packed_size* (bytes on disk)."""

    packing: str
    packed_size: int

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes at *offset*; none at the end. Raises SourceError."""

    def read_now(self, offset: int, size: int) -> bytes | None:
        """Return what `read_at` would, where that takes neither the disk nor long; else None. Raises SourceError."""

    def length(self) -> int | None:
        """Return how long it is, where that is known at no great cost."""

    def guess_length(self) -> int:
        """Return about how long it is, from the part that was read."""

    def packed_offset(self, offset: int) -> int:
        """Return about how far the file on disk is read when its text is read up to *offset*."""

    def close(self) -> None:
        """Give it back."""


class PlainText:
    """Bytes that are text."""

    packing = ""

    def __init__(self, source: Bytes) -> None:
        """Read *source*."""
        self._source = source
        self.packed_size = source.size

    def read_at(self, offset: int, size: int) -> bytes:
        return self._source.read(offset, size)

    def read_now(self, offset: int, size: int) -> bytes | None:
        return self._source.read_now(offset, size)

    def length(self) -> int | None:
        return self._source.size

    def guess_length(self) -> int:
        return self._source.size

    def packed_offset(self, offset: int) -> int:
        return offset

    def close(self) -> None:
        self._source.close()


class PackedText:
    """The text of a compressed file."""

    def __init__(self, file: CompressedFile) -> None:
        """Read *file*."""
        self.file = file
        self.packing: str = file.kind
        self.packed_size = file.size

    def read_at(self, offset: int, size: int) -> bytes:
        return self.file.read_at(offset, size)

    def read_now(self, offset: int, size: int) -> bytes | None:
        return self.file.read_now(offset, size)

    def length(self) -> int | None:
        return self.file.find_length()

    def guess_length(self) -> int:
        return self.file.guess_length()

    def packed_offset(self, offset: int) -> int:
        return self.file.compressed_offset

    def close(self) -> None:
        self.file.close()


class PipeText:
    """Standard input: what was read a while ago cannot be read again."""

    packing = ""
    packed_size = 0

    def __init__(self, stream: BinaryIO) -> None:
        """Read *stream* to its end."""
        self._stream = stream
        self._held = bytearray()
        self._begin = 0
        self._ended = False

    def read_at(self, offset: int, size: int) -> bytes:
        while not self._ended and self._begin + len(self._held) <= offset:  # what is there is not kept waiting
            more = self._stream.read1(1 << 18) if isinstance(self._stream, io.BufferedReader) else self._stream.read()
            self._ended = not more
            self._held += more
        if offset < self._begin:
            raise FileUnreadable("standard input cannot be read again")
        surplus = min(offset - self._begin, len(self._held)) - _HELD_BEHIND_BYTES
        if surplus > 0:
            del self._held[:surplus]
            self._begin += surplus
        at = offset - self._begin
        return bytes(self._held[at : at + size])

    def read_now(self, offset: int, size: int) -> bytes | None:
        del offset, size
        return None

    def length(self) -> int | None:
        return self._begin + len(self._held) if self._ended else None

    def guess_length(self) -> int:
        return self._begin + len(self._held)

    def packed_offset(self, offset: int) -> int:
        return offset

    def close(self) -> None:
        """Nothing: the stream is not ours."""


class _Slice:
    """Some bytes of a text, as bytes of their own: a member of an archive."""

    def __init__(self, text: Text, offset: int, size: int) -> None:
        self._text, self._offset, self.size = text, offset, size

    def read(self, offset: int, size: int) -> bytes:
        wanted = min(size, self.size - offset)
        return self._text.read_at(self._offset + offset, wanted) if wanted > 0 else b""

    def read_now(self, offset: int, size: int) -> bytes | None:
        wanted = min(size, self.size - offset)
        return self._text.read_now(self._offset + offset, wanted) if wanted > 0 else b""

    def close(self) -> None:
        self._text.close()


def is_address(path: str) -> bool:
    """Return whether *path* is opened by fsspec."""
    return "://" in path


def local(path: str) -> str:
    """Return *path* without ``file://``."""
    return path.removeprefix("file://")


def stat_of(path: str) -> Stat:
    """Return what is known of *path* from outside.

    Raises:
        FileVanished: There is none.
        FileUnreadable: It cannot be asked.
    """
    if is_address(path):
        return shared_stat(path)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise FileVanished(f"{shown(path)}: no such file") from None
    except OSError as error:
        raise FileUnreadable(f"{shown(path)}: {error.strerror}") from None
    return Stat(status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)


def bytes_of(path: str) -> Bytes:
    """Open *path*. Raises SourceError."""
    return SharedBytes(path) if is_address(path) else LocalBytes(path)


def open_text(
    place: Place,
    points: Iterable[RestartPoint] = (),
    stdin: BinaryIO | None = None,
    unpack_bytes: int = UNPACK_BYTES,
) -> Text:
    """Open the text at *place*; *points* were found in it before.

    Where a file was packed with a window or dictionary of more than *unpack_bytes*, reading it is refused.

    Raises:
        SourceError: It cannot be read.
        UsageError: fsspec is needed and not installed.
    """
    if place.path == STDIN and stdin is not None:
        return PipeText(stdin)
    source = bytes_of(place.path)
    if place.member:
        source = _Slice(_text_over(source, place.path, (), unpack_bytes), place.offset, place.size)
    return _text_over(source, place.shown, points, unpack_bytes)


def _text_over(source: Bytes, path: str, points: Iterable[RestartPoint], unpack_bytes: int) -> Text:
    try:
        packed = kind_of(source.read(0, 8)) is not None
        return PackedText(CompressedFile(path, source, points, unpack_bytes)) if packed else PlainText(source)
    except BaseException:
        source.close()
        raise


def seal_of(place: Place) -> bytes:
    """Return a digest of a compressed file's first and last bytes and its size: gzip, xz and zstd check there.

    Two files of the same seal hold the same text; it is found without reading them.
    """
    source = bytes_of(place.path)
    try:
        if place.member:
            first = last = f"{place.member} {place.offset} {place.size}".encode()
        else:
            first, last = source.read(0, SEAL_BYTES), b""
        last = last + source.read(max(source.size - SEAL_BYTES, 0), SEAL_BYTES)
        return hashlib.blake2b(b"%d:" % source.size + first + last, digest_size=16).digest()
    finally:
        source.close()
