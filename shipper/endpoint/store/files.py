"""The store's directory as files: its lock, private files, durable names, descriptors that outlive their name.

Whatever is made here belongs to the owner of the directory around it: an endpoint that root has tried by hand must
not lock out the service.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shipper.errors import StateError, StateLocked

LOCK: Final = "lock"


class Descriptor:
    """An open file; closed when nobody holds it any more.

    A segment can be evicted while a query reads it: the name is gone at once,
    the bytes when the last reader lets go. Closing it for them would give
    their next read another file under the same number.
    """

    __slots__ = ("number",)

    def __init__(self, path: Path, flags: int = 0) -> None:
        """Open *path* for reading and writing, making it with mode 0600."""
        self.number = -1
        self.number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(self.number, owner.st_uid, owner.st_gid)

    def __del__(self) -> None:
        """Close it."""
        if self.number >= 0:
            os.close(self.number)

    def read(self, at: int, size: int) -> bytes:
        """Return *size* bytes from *at*, fewer only at the end of the file."""
        piece = os.pread(self.number, size, at)
        if len(piece) == size or not piece:
            return piece
        pieces = [piece]
        while piece:
            at, size = at + len(piece), size - len(piece)
            piece = os.pread(self.number, size, at)
            pieces.append(piece)
        return b"".join(pieces)

    def write(self, at: int, content: bytes) -> None:
        """Write all of *content* at *at*."""
        view = memoryview(content)
        while view:
            written = os.pwrite(self.number, view, at)
            view, at = view[written:], at + written


class DirectoryLock:
    """The directory is ours until `release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        """Make the directory where it is missing and lock it.

        Raises:
            StateLocked: Another process holds it; named with its pid.
            StateError: It cannot be made or written.
        """
        with map_os_errors(directory):
            _make_private(directory)
            self._descriptor = Descriptor(directory / LOCK)
        number = self._descriptor.number
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(number, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise StateLocked(
                f"{directory}: held by process {holder}; one endpoint per store: stop that one, or use another store"
            ) from None
        except OSError as error:
            raise StateError(f"{directory / LOCK}: cannot be locked: {error.strerror}") from error
        with map_os_errors(directory / LOCK):
            os.ftruncate(number, 0)
            os.pwrite(number, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Give the directory up; the file stays: removing it would race with the next to take it."""
        fcntl.flock(self._descriptor.number, fcntl.LOCK_UN)


def _make_private(directory: Path) -> None:
    if directory.is_dir():
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        owner = directory.parent.stat()
        os.chown(directory, owner.st_uid, owner.st_gid)


@contextmanager
def map_os_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `StateError` that names *path* and what the system said."""
    try:
        yield
    except OSError as error:
        raise StateError(f"{path}: {error.strerror or error}") from error


def sync_directory(directory: Path) -> None:
    """Make the names in *directory* durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
