"""Lists directories, and remembers which of them could not be looked at: what stood there may stand there still."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Container
from typing import Final

MISSING: Final = (errno.ENOENT, errno.ENOTDIR)
_NO_FILE: Final = (*MISSING, errno.ELOOP, errno.ENAMETOOLONG)
DARK: Final = "does not answer"


def lies_in(path: str, places: Container[str]) -> bool:
    """Return whether *path* is one of *places*, or below one."""
    while path not in places:
        above = path.rpartition("/")[0]
        if not above:
            return "/" in places
        path = above
    return True


class Directories:
    """Used by one scan at a time.

    Attributes:
        dark: Paths that must not be asked: another scan still waits for their answer.
        unlisted: Paths that the scan could not look at, and why; what is missing is no such path.
        at: The path that is looked at, or was last: where a scan hangs.
        steps: How far scans have come so far: one that takes long and does not hang takes more of them.
    """

    def __init__(self) -> None:
        self.dark: Collection[str] = ()
        self.unlisted: dict[str, str] = {}
        self.at = ""
        self.steps = 0

    def begin(self) -> None:
        """Forget what the last scan could not look at."""
        self.unlisted = {}

    def hides(self, path: str) -> bool:
        """Return whether this scan says nothing of *path*."""
        return bool(self.unlisted) and lies_in(path, self.unlisted)

    def is_dark(self, path: str) -> bool:
        """Return whether *path* must not be asked, and note that it was not."""
        if not self.dark or not lies_in(path, self.dark):
            return False
        self.unlisted[path] = DARK
        return True

    def may_ask(self, entry: os.DirEntry[str], directory: str) -> bool:
        """Return whether *entry* of *directory* may be looked at; what a link leads to may be far away."""
        if self.dark and self.is_dark(entry.path):
            return False
        self.at = entry.path if entry.is_symlink() else directory
        return True

    def failed(self, path: str, error: OSError) -> None:
        """Note that *path* could not be looked at, unless that says that there is no file."""
        if error.errno not in _NO_FILE:
            self.unlisted[path] = os.strerror(error.errno or 0)

    def inode(self, directory: str) -> tuple[int, int] | None:
        """Return device and inode of a directory; None where there is none that answers."""
        if self.is_dark(directory):
            return None
        self.at = directory
        try:
            here = os.stat(directory)
        except OSError as error:
            self.failed(directory, error)
            return None
        return (here.st_dev, here.st_ino) if stat.S_ISDIR(here.st_mode) else None

    def entries(self, directory: str) -> list[os.DirEntry[str]] | None:
        """Return what is in *directory*; None where it is not there, or does not answer."""
        if self.is_dark(directory):
            return None
        self.at = directory
        self.steps += 1
        try:
            with os.scandir(directory) as listing:
                return list(listing)
        except OSError as error:
            self.failed(directory, error)
            return None

    def changes(self, directories: Collection[str]) -> list[int]:
        """Return when names were last made, moved or removed in *directories*; 0 where that cannot be told."""
        found = []
        for directory in sorted(directories):
            if self.dark and lies_in(directory, self.dark):
                continue
            self.at = directory
            try:
                found.append(os.stat(directory).st_mtime_ns)
            except OSError:
                found.append(0)
        return found
