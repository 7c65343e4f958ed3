"""Finds the files that the sources name, and says of each other one why it is not read.

Patterns become walks of the directories below their static part. Nothing is
opened that could block: FIFOs, sockets and devices are known by stat. Only a
file that is met for the first time is looked into, for what is binary or
compressed by content.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from shipper.core.follow import Seen
from shipper.core.patterns import Excludes, PathPattern, compile_patterns
from shipper.core.rotation_names import COMPRESSED, base_of, is_rotated_name

LOOK_BYTES: Final = 4096
LINKS_FOLLOWED: Final = 8

_MAGIC: Final = (
    (b"\x1f\x8b", "compressed (gzip)"), (b"BZh", "compressed (bzip2)"), (b"\xfd7zXZ\x00", "compressed (xz)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"), (b"PK\x03\x04", "an archive (zip)"), (b"\x7fELF", "a program (ELF)"),
    (b"LPKSHHRH", "a systemd journal"), (b"SQLite format 3\x00", "a SQLite database"),
    (b"\x04\x22\x4d\x18", "compressed (lz4)"), (b"\x89PNG", "an image"), (b"%PDF", "a PDF"),
)  # fmt: skip
_LOGIN_RECORDS: Final = ("wtmp", "btmp", "utmp", "lastlog", "faillog", "tallylog")
_TEXT_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


class Wanted(NamedTuple):
    """What one source asks for."""

    paths: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    binary: bool = False
    ignore_older_ns: int | None = None


class Scan(msgspec.Struct):
    """What a scan met.

    Attributes:
        seen: Each regular file once, in source order.
        skipped: Path to reason, for files that match and are not read.
        directories: That hold or could hold matching files: to be watched.
        overlaps: Path to the indexes of all the sources that match it, where there are several.
    """

    seen: list[Seen] = []
    skipped: dict[str, str] = {}
    directories: set[str] = set()
    overlaps: dict[str, list[int]] = {}


class Discovery:
    """Scans for one configuration; used from one thread at a time."""

    def __init__(self, wanted: Sequence[Wanted], own: Collection[str] = ()) -> None:
        """*own* holds paths below which nothing is ever read: our state, our store, our log."""
        self._sources = [
            ([p for text in source.paths for p in compile_patterns(text)], Excludes(source.exclude), source)
            for source in wanted
        ]
        self._own = tuple(os.path.realpath(path) for path in own)
        self._verdicts: dict[tuple[int, int], tuple[int, int, str]] = {}

    def scan(
        self,
        followed: Collection[str] = (),
        inodes: Collection[tuple[int, int]] = (),
        *,
        now_ns: int = 0,
    ) -> Scan:
        """Look at every directory once.

        Args:
            followed: Paths of followed files: names beside them that look rotated are seen too.
            inodes: (device, inode) of followed files: seen under whatever name they have beside the old one.
            now_ns: For `ignore_older`.
        """
        found = Scan([], {}, set(), {})
        met: dict[tuple[int, int], int] = {}
        for index, (patterns, excludes, source) in enumerate(self._sources):
            for pattern in patterns:
                for path, entry_stat in self._walk(pattern, found):
                    if excludes.match(path):
                        continue
                    self._meet(path, entry_stat, index, pattern.text, source, found, met, set(inodes), now_ns)
        self._siblings(followed, set(inodes), found, met)
        return found

    # -- walking ---------------------------------------------------------------------------------

    def _walk(self, pattern: PathPattern, found: Scan) -> Iterator[tuple[str, os.stat_result]]:
        stack = [(pattern.prefix, 0, frozenset[tuple[int, int]]())]
        while stack:
            directory, depth, above = stack.pop()
            try:
                here = os.stat(directory)
                key = (here.st_dev, here.st_ino)
                if key in above or not stat.S_ISDIR(here.st_mode):
                    continue
                entries = list(os.scandir(directory))
            except OSError as error:
                if directory != pattern.prefix or error.errno not in (2, 20):
                    found.skipped[directory + "/"] = os.strerror(error.errno or 0)
                continue
            found.directories.add(directory)
            for entry in sorted(entries, key=lambda e: e.name, reverse=True):
                path = directory.rstrip("/") + "/" + entry.name
                matches = pattern.regex.fullmatch(path) is not None
                try:
                    if entry.is_dir():
                        if (pattern.depth is None or depth < pattern.depth) and len(above) < 64:
                            stack.append((path, depth + 1, above | {key}))
                        continue
                    if matches:
                        yield path, entry.stat()
                except OSError as error:
                    if matches:
                        found.skipped[path] = os.strerror(error.errno or 0)

    def _meet(
        self, path: str, status: os.stat_result, index: int, pattern: str, source: Wanted, found: Scan,
        met: dict[tuple[int, int], int], inodes: set[tuple[int, int]], now_ns: int,
    ) -> None:  # fmt: skip
        key = (status.st_dev, status.st_ino)
        if key in met:
            owner = met[key]
            if owner != index:
                owners = found.overlaps.setdefault(path, [owner])
                if index not in owners:
                    owners.append(index)
            return
        reason = self._reason(path, status, source, key in inodes, now_ns)
        if reason is not None:
            found.skipped[path] = reason
            return
        met[key] = index
        found.skipped.pop(path, None)
        found.seen.append(Seen(path, *key, status.st_size, status.st_mtime_ns, index, pattern))

    def _reason(self, path: str, status: os.stat_result, source: Wanted, known: bool, now_ns: int) -> str | None:
        """Return why a file is not read; None when it is."""
        kind = _kind(status.st_mode)
        if kind is not None:
            return kind
        real = os.path.realpath(path)
        if any(real == own or real.startswith(own + "/") for own in self._own):
            return "shipper's own"
        if known:
            return None
        if source.ignore_older_ns is not None and now_ns - status.st_mtime_ns > source.ignore_older_ns:
            return "older than ignore_older"
        if source.binary:
            return None
        key = (status.st_dev, status.st_ino)
        verdict = self._verdicts.get(key)
        if verdict is None or verdict[:2] != (status.st_size, status.st_mtime_ns):
            verdict = (status.st_size, status.st_mtime_ns, look_into(path))
            self._verdicts[key] = verdict
        return verdict[2] or None

    def _siblings(
        self, followed: Collection[str], inodes: set[tuple[int, int]], found: Scan, met: dict[tuple[int, int], int]
    ) -> None:
        """See rotated names beside followed files, and followed inodes under any name."""
        names: dict[str, set[str]] = {}
        for path in followed:
            directory, _, name = path.rpartition("/")
            names.setdefault(directory or "/", set()).update((name, base_of(name)))
        known_inodes = {inode for _, inode in inodes}
        for directory, bases in names.items():
            try:
                entries = list(os.scandir(directory))
            except OSError:
                continue
            for entry in entries:
                related = any(is_rotated_name(entry.name, base) for base in bases)
                if not related and entry.inode() not in known_inodes:
                    continue
                try:
                    status = entry.stat()
                except OSError:
                    continue
                key = (status.st_dev, status.st_ino)
                if key in met or _kind(status.st_mode) or (not related and key not in inodes):
                    continue
                if key not in inodes and (entry.name.endswith(COMPRESSED) or look_into(entry.path)):
                    continue
                met[key] = -1
                found.seen.append(Seen(entry.path, *key, status.st_size, status.st_mtime_ns, None))


def _kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
             stat.S_IFDIR: "a directory"}  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "not a regular file")


def look_into(path: str) -> str:
    """Return why the content of *path* is not log text; empty when it is, or when it is empty."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return os.strerror(error.errno or 0)
    try:
        head = os.pread(descriptor, LOOK_BYTES, 0)
    except OSError as error:
        return os.strerror(error.errno or 0)
    finally:
        os.close(descriptor)
    name = path.rpartition("/")[2].partition(".")[0]
    if name in _LOGIN_RECORDS:
        return "binary (login records)"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if head.startswith(_TEXT_MARKS):
        return ""
    hole = len(head) - len(head.lstrip(b"\0"))
    text = head[hole:]
    if text.count(b"\0") * 10 > len(text):
        return "binary (NUL bytes)"
    return ""
