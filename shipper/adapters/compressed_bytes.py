"""The bytes of a file as they are on disk: of this host; held in memory a little ahead of where they are decoded."""

from __future__ import annotations

import os
import stat
from typing import Final, Protocol

from shipper.errors import FileUnreadable, FileVanished

HELD_AHEAD_BYTES: Final = 1 << 20
ENOUGH_BYTES: Final = 512 << 10  # more than a decoder takes for 256 KiB of text, however badly it is packed

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Bytes(Protocol):
    """The bytes of one file, wherever it is.

    Attributes:
        size: How many there were when it was opened.
    """

    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes at *offset*; fewer at the end. Raises FileUnreadable."""

    def read_now(self, offset: int, size: int) -> bytes | None:
        """Return some of what `read` would, where no disk need be asked; else None. Raises FileUnreadable."""

    def close(self) -> None:
        """Give it back; a second call does nothing."""


class LocalBytes:
    """A regular file of this host."""

    def __init__(self, path: str) -> None:
        """Open *path*.

        Raises:
            FileVanished: There is no such file.
            FileUnreadable: It must not be read, or is no regular file.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, _FLAGS)
        except FileNotFoundError:
            raise FileVanished(f"{shown(path)}: no such file") from None
        except OSError as error:
            raise FileUnreadable(f"{shown(path)}: {error.strerror}") from None
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise FileUnreadable(f"{shown(path)}: no regular file")

    def read(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise FileUnreadable(f"{shown(self.path)}: {error.strerror} at byte {offset}") from None

    def read_now(self, offset: int, size: int) -> bytes | None:
        room = bytearray(size)
        try:
            count = os.preadv(self._descriptor, [room], offset, os.RWF_NOWAIT)
        except OSError:  # the disk must be asked; or the file system knows no such reads
            return None
        return bytes(memoryview(room)[:count])

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class HeldBytes:
    """Other bytes, of which those that are wanted next can be held; owned as they are."""

    def __init__(self, source: Bytes) -> None:
        """Read *source*, which is closed with this."""
        self._source = source
        self.size = source.size
        self._begin = 0
        self._held = b""

    def hold(self, offset: int) -> None:
        """Hold what stands at *offset*; may block."""
        self._begin, self._held = offset, self._source.read(offset, HELD_AHEAD_BYTES)

    def has_enough(self, offset: int) -> bool:
        """Return whether a decoder that stands at *offset* will not ask the disk for its next text."""
        end = self._begin + len(self._held)
        return self._begin <= offset and (offset + ENOUGH_BYTES <= end or self.size <= end)

    def read(self, offset: int, size: int) -> bytes:
        held = self.read_now(offset, size)
        return self._source.read(offset, size) if held is None else held

    def read_now(self, offset: int, size: int) -> bytes | None:
        at = offset - self._begin
        inside = at >= 0 and (at + size <= len(self._held) or self._begin + len(self._held) >= self.size)
        return self._held[at : at + size] if inside else None

    def close(self) -> None:
        self._held = b""
        self._source.close()


def shown(path: str) -> str:
    """Return *path* so that it can be printed."""
    return path.encode("utf-8", "backslashreplace").decode()
