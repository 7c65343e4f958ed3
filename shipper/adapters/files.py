"""Reading files: opening without blocking, one thread hop a read, every read checked against what stood before.

Source of the checks: peers page, items 1 and 5 (a truncate-and-refill past the
old offset is invisible to sizes).
"""

from __future__ import annotations

import errno
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from aiofiles.os import wrap

from shipper.core.follow import Answer, Question
from shipper.core.identity import GUARD_BYTES, HEAD_BYTES
from shipper.errors import FileUnreadable, FileVanished

_BUFFER = bytearray(256 * 1024 + GUARD_BYTES)  # of the event loop's thread
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_RENAMES_OUTRUN: Final = 8
_NAMES_LOOKED_AT: Final = 4096  # of a directory: more take long, and a chain of rotated files is never that long


class Turn(NamedTuple):
    """What one read found.

    Attributes:
        data: The bytes at the offset; empty at the end.
        size_now, mtime_ns, links: Of the file, after the read.
        guard_ok: The bytes before the offset are those that were expected.
        skipped: Bytes at the offset that are there no more: *data* begins behind them.
        why: One word for why they are not.
    """

    data: bytes
    size_now: int
    mtime_ns: int
    links: int
    guard_ok: bool
    skipped: int = 0
    why: str = ""


@contextmanager
def map_os_errors(path: str) -> Iterator[None]:
    """Turn OSError into the error that says who acts next."""
    try:
        yield
    except OSError as error:
        shown = path.encode("utf-8", "backslashreplace").decode()
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENXIO):
            raise FileVanished(f"{shown}: {os.strerror(error.errno or 0)}") from None
        raise FileUnreadable(f"{shown}: {os.strerror(error.errno or 0)}{_mend(error, shown)}") from None


def _mend(error: OSError, path: str) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"; grant it with: {mending_command(path)}"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "; raise the limit of open files (ulimit -n) or lower limits.open_files"
    return ""


def mending_command(path: str) -> str:
    """Return what root would run so that this process's user may read *path*; a folder ends with a slash."""
    user = effective_user()
    target = Path(path)
    commands = [
        f"setfacl -m u:{user}:x {shlex.quote(str(folder))}"
        for folder in reversed(target.parents)
        if not os.access(folder, os.X_OK, effective_ids=True)
    ]
    rights = "rx" if path.endswith("/") else "r"
    shown = str(target).encode("utf-8", "backslashreplace").decode()
    return " && ".join([*commands, f"setfacl -m u:{user}:{rights} {shlex.quote(shown)}"])


def effective_user() -> str:
    """Return the name of the user that the system asks permission for; its number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


class OpenFile:
    """A regular file, open for reading; owned by one followed file."""

    pins = True

    def __init__(self, path: str, descriptor: int) -> None:
        """Use `open` instead."""
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: str, device: int, inode: int) -> OpenFile:
        """Open *path* if it still is the file with that inode.

        Raises:
            FileVanished: It is another file by now, or none.
            FileUnreadable: It must not be read.
        """
        with map_os_errors(path):
            descriptor = os.open(path, _FLAGS)
            try:
                status = os.fstat(descriptor)
            except OSError:  # a server's file that has gone stale
                os.close(descriptor)
                raise
        if (status.st_dev, status.st_ino) != (device, inode) or not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise FileVanished(f"{path}: another file stands there now")
        return cls(path, descriptor)

    @classmethod
    def open_beside(cls, path: str, device: int, inode: int) -> OpenFile | None:
        """Open the file with that inode under the name that it has by now in the directory of *path*; None for none.

        A chain of rotated files may be renamed more often than it is looked at. The inode may be that of another file
        by now: whoever asks looks at the bytes. Where no file has come after it under *path*, it is not looked for:
        thousands may be deleted at once, and a scan finds what was moved.
        """
        for _ in range(_RENAMES_OUTRUN if inode_of(path) else 0):
            name = _name_of(path.rpartition("/")[0] or "/", inode)
            if name is None:
                return None
            with suppress(FileVanished, FileUnreadable):
                return cls.open(name, device, inode)
        return None

    def read_now(self, offset: int, size: int, expect: bytes) -> Turn:
        """Return up to *size* bytes at *offset*; *expect* is what stood right before it.

        `read` does the same in a thread.
        """
        with map_os_errors(self.path):
            data = os.pread(self._descriptor, len(expect) + size, offset - len(expect))
            status = os.fstat(self._descriptor)
            if len(data) == len(expect) and size and status.st_size > offset:
                data += os.pread(self._descriptor, size, offset)  # a bad block ends a read; only one on it says so
        return Turn(data[len(expect) :], status.st_size, status.st_mtime_ns, status.st_nlink, data.startswith(expect))

    def first_now(self) -> bytes:
        """Return the first bytes, for the fingerprint; `first` does the same in a thread."""
        with map_os_errors(self.path):
            return os.pread(self._descriptor, HEAD_BYTES, 0)

    read = wrap(read_now)
    first = wrap(first_now)

    def cached_now(self, offset: int, size: int, expect: bytes) -> Turn | None:
        """Do as `read_now` if the bytes are in memory; None where the disk, or a server, would have to be asked.

        What was just written is in memory, and taking it costs less than asking a thread to. Never blocks.
        """
        wanted = min(len(expect) + size, len(_BUFFER))
        try:
            count = os.preadv(self._descriptor, [memoryview(_BUFFER)[:wanted]], offset - len(expect), os.RWF_NOWAIT)
            status = os.fstat(self._descriptor)
        except OSError:  # not in memory, not to be had that way on this file system, or broken: `read` finds out
            return None
        # Memory may hold less than there is: of what stands before the offset, too, nothing may be said by halves.
        if count < len(expect) or (count == len(expect) and size and status.st_size > offset):
            return None
        fits = _BUFFER.startswith(expect)
        data = bytes(memoryview(_BUFFER)[len(expect) : count])
        return Turn(data, status.st_size, status.st_mtime_ns, status.st_nlink, fits)

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _name_of(directory: str, inode: int) -> str | None:
    try:
        with os.scandir(directory) as entries:
            return next((entry.path for entry in islice(entries, _NAMES_LOOKED_AT) if entry.inode() == inode), None)
    except OSError:
        return None


def inode_of(path: str) -> tuple[int, int] | None:
    """Return device and inode of what *path* leads to; None where that is nothing we can see."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def try_open(path: str) -> None:
    """Open *path* and close it: what hangs, hangs here; an error is for who opens it next."""
    with suppress(OSError):
        os.close(os.open(path, _FLAGS))


def size_of(path: str, device: int, inode: int) -> int | None:
    """Return the size of *path* if it still is the file with that inode."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size if (status.st_dev, status.st_ino) == (device, inode) else None


def answer(question: Question) -> Answer | None:
    """Read the bytes that a question asks for; None where that is not possible just now, or the file is not there."""
    device, inode = question.device, question.inode
    try:
        file = OpenFile.open(question.path, device, inode)
    except FileVanished:
        moved = OpenFile.open_beside(question.path, device, inode)
        if moved is None:
            return None
        file = moved
    except FileUnreadable:
        return None
    try:
        begin = max(question.offset - question.guard_length, 0)
        return Answer(file.first_now(), file.read_now(begin, question.guard_length, b"").data)
    except (FileVanished, FileUnreadable):
        return None
    finally:
        file.close()
