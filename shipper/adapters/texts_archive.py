"""The files inside a tape archive, compressed or not: where the bytes of each stand in the archive's text."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Final, NamedTuple

from shipper.adapters.texts import Place, Text
from shipper.errors import FileUnreadable

_TAR_MARK_AT: Final = 257


class Member(NamedTuple):
    """A file inside a tape archive."""

    place: Place
    mtime_ns: int


def is_archive(text: Text) -> bool:
    """Return whether *text* is a tape archive."""
    return text.read_at(_TAR_MARK_AT, 5) == b"ustar"


def members_of(path: str, text: Text) -> Iterator[Member]:
    """Give the regular files of the archive *path*, whose text is *text*, in its order.

    Raises:
        FileUnreadable: The archive is damaged; the members before were given.
    """
    stream = io.BufferedReader(_Stream(text), 1 << 16)
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for entry in archive:
                if entry.isreg() and not entry.issparse():
                    place = Place(path, entry.name, entry.offset_data, entry.size)
                    yield Member(place, int(entry.mtime * 1_000_000_000))
    except tarfile.TarError as error:
        raise FileUnreadable(f"{Place(path).shown}: not a whole tape archive: {error}") from None


class _Stream(io.RawIOBase):
    """A text as a file, for tarfile."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end is not known")
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower: what we are given
        data = self._text.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
