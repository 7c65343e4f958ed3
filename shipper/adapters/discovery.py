"""Finds the files that the sources name, and says of each other one why it is not read.

Patterns become walks of the directories below their static part. Nothing is
opened that could block: FIFOs, sockets and devices are known by stat. Only a
file that is met for the first time is looked into, for what is binary or
compressed by content. Where rotated files are looked for:
discovery_siblings.py.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from shipper.adapters.discovery_content import Look, packing_of
from shipper.adapters.discovery_directories import DARK, MISSING, Directories
from shipper.adapters.discovery_siblings import Around, Inode, Met, Place, Siblings
from shipper.config import Source
from shipper.core.evidence import Seen
from shipper.core.patterns import Excludes, PathPattern, compile_patterns

DEEPEST: Final = 64
MOST_LOOKS: Final = 3

GoesOn = Callable[[Inode, str, os.stat_result, int], str]


class Wanted(NamedTuple):
    """What one source asks for.

    Attributes:
        binary: Read even what is binary or compressed by content.
        wide: Its text has NUL bytes (UTF-16, UTF-32).
        rotated_to: Directories that its files are rotated into.
    """

    paths: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    binary: bool = False
    ignore_older_ns: int | None = None
    wide: bool = False
    rotated_to: tuple[str, ...] = ()


def wanted_by(source: Source) -> Wanted:
    """Return what *source* asks for."""
    older = source.ignore_older_seconds
    return Wanted(
        source.paths,
        source.exclude,
        source.binary == "always",
        None if older is None else int(older * 1e9),
        source.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32")),
        source.rotated_to,
    )


class Scan(msgspec.Struct):
    """What a scan met.

    Attributes:
        seen: Each regular file once, in source order; but those that only go on, where a scan was told how to tell.
        there: Device and inode of each file that was met, these as well.
        skipped: Path to reason, for files that match and are not read.
        directories: That hold or could hold matching files: to be watched.
        overlaps: Path to the indexes of all the sources that match it, where there are several.
        unsettled: A followed file is not where it was, or shorter: compressed files and other directories were looked
            at too.
        unlisted: Paths that could not be looked at, and why: of what stands there nothing is known.
    """

    seen: list[Seen] = []
    there: Collection[Inode] = frozenset()
    skipped: dict[str, str] = {}
    directories: set[str] = set()
    overlaps: dict[str, list[int]] = {}
    unsettled: bool = False
    unlisted: dict[str, str] = {}


class Discovery:
    """Scans for one configuration; used from one thread at a time.

    Attributes:
        directories: Lists them; knows where a scan stands.
    """

    def __init__(self, wanted: Sequence[Wanted], own: Collection[str] = ()) -> None:
        """*own* holds paths below which nothing is ever read: our state, our store, our log."""
        self._wanted = wanted
        self._sources = [
            ([p for text in source.paths for p in compile_patterns(text)], Excludes(source.exclude), source)
            for source in wanted
        ]
        self.directories = Directories()
        self._own = tuple(os.path.realpath(path) for path in own)
        self._real: dict[str, str] = {}
        self._look = Look()
        rotated_to = [path for source in wanted for path in source.rotated_to]
        self._siblings = Siblings(self._look, self.directories, rotated_to, self._own)

    def anew(self) -> Discovery:
        """Return one for the same files, to be used while a scan of this one does not come back."""
        return Discovery(self._wanted, self._own)

    def scan(
        self,
        followed: Collection[str] = (),
        known: Mapping[Inode, Place] | None = None,
        *,
        goes_on: GoesOn = lambda *_: "",
        now_ns: int = 0,
        wide: bool = False,
    ) -> Scan:
        """Look at every directory once.

        Args:
            followed: Paths of followed files: names beside them that look rotated are seen too.
            known: Of followed files: seen under whatever name they have beside the old one.
            goes_on: Given inode, path, status and the index of the source, returns the path of a known file of which
                nothing more is to be made: it only goes on; of others nothing.
            now_ns: For `ignore_older`.
            wide: Look for rotated files everywhere, compressed ones too, even if every file is where it was.
        """
        known = known or {}
        directories = {path.rpartition("/")[0] or "/" for path in followed}
        for _ in range(MOST_LOOKS):
            before = self.directories.changes(directories)
            found = self._scan_once(followed, known, goes_on, now_ns=now_ns, wide=wide)
            # Names that are shifted while we list them hide a file, or show it under another's name.
            if not found.unsettled or self.directories.changes(directories) == before:
                break
        self._look.forget_unmet()
        return found

    def _scan_once(
        self, followed: Collection[str], known: Mapping[Inode, Place], goes_on: GoesOn, *, now_ns: int, wide: bool
    ) -> Scan:
        self.directories.begin()
        self._real.clear()
        met: Met = {}
        standing = set[str]()
        found = Scan([], met.keys(), {}, set(), {}, unlisted=self.directories.unlisted)
        packed: list[Seen] = []
        written = _written_by_us()
        for index, (patterns, excludes, source) in enumerate(self._sources):
            for pattern in patterns:
                for path, entry_stat in self._walk(pattern, found):
                    self.directories.steps += 1
                    key = (entry_stat.st_dev, entry_stat.st_ino)
                    if excludes.match(path) or _is_met(path, key, index, met, found):
                        continue
                    if key not in written and (stands := goes_on(key, path, entry_stat, index)):
                        met[key] = index
                        standing.add(stands)
                        continue
                    place = known.get(key)
                    reason = "shipper's own" if key in written else None
                    reason = reason or self._reason(path, entry_stat, source, place, now_ns=now_ns)
                    file = Seen(path, *key, entry_stat.st_size, entry_stat.st_mtime_ns, index, pattern.text)
                    if reason is not None:
                        found.skipped[path] = reason
                        if packing := packing_of(reason):
                            packed.append(msgspec.structs.replace(file, packed=packing))
                        continue
                    met[key] = index
                    found.skipped.pop(path, None)
                    found.seen.append(file)
        around = Around(followed, known, met, found.directories)
        self._siblings.add(found.seen, packed, standing, around)
        found.unsettled = self._siblings.unsettled(found.seen, around)
        if found.unsettled or wide:
            self._siblings.add_everywhere(found.seen, packed, around)
        return found

    # -- walking ---------------------------------------------------------------------------------

    def _walk(self, pattern: PathPattern, found: Scan) -> Iterator[tuple[str, os.stat_result]]:
        """Yield what matches *pattern* and is no directory."""
        stack = [(pattern.prefix, 0, frozenset[tuple[int, int]]())]
        while stack:
            directory, depth, above = stack.pop()
            key = self.directories.inode(directory)
            entries = self.directories.entries(directory) if key is not None and key not in above else None
            if directory in self.directories.unlisted:
                found.skipped[directory + "/"] = self.directories.unlisted[directory]
            if key is None or entries is None:
                continue
            entries.sort(key=_own_names_first, reverse=True)
            found.directories.add(directory)
            above_names = directory.rstrip("/") + "/"
            goes_deeper = (pattern.depth is None or depth < pattern.depth) and len(above) < DEEPEST
            deeper: list[tuple[str, int, frozenset[tuple[int, int]]]] = []
            while entries:
                entry = entries.pop()  # each holds a status once it was asked: there may be very many in a directory
                path = above_names + entry.name
                matches = pattern.regex.fullmatch(path) is not None
                if not self.directories.may_ask(entry, directory):
                    found.skipped[path if matches else path + "/"] = DARK
                    continue
                try:
                    if entry.is_dir():
                        if goes_deeper:
                            deeper.append((path, depth + 1, above | {key}))
                        elif matches:
                            found.skipped[path] = "a directory"
                    elif matches:
                        yield path, entry.stat()
                except OSError as error:
                    self.directories.failed(path, error)
                    if matches and (error.errno not in MISSING or entry.is_symlink()):
                        found.skipped[path] = os.strerror(error.errno or 0)
            stack += reversed(deeper)

    def _reason(
        self, path: str, status: os.stat_result, source: Wanted, place: Place | None, *, now_ns: int
    ) -> str | None:
        """Return why a file is not read; None when it is."""
        kind = _kind(status.st_mode)
        if kind is not None:
            return kind
        if place is not None:
            return None if source.binary else self._siblings.packed_reason(path, status, place)
        if self._is_own(path):
            return "shipper's own"
        if source.ignore_older_ns is not None and now_ns - status.st_mtime_ns > source.ignore_older_ns:
            return "older than ignore_older"
        return None if source.binary else self._look.reason(path, status, wide=source.wide)

    def _is_own(self, path: str) -> bool:
        """Return whether *path* leads to something of ours; where its directory leads is looked up once a scan."""
        directory, _, name = path.rpartition("/")
        if Path(path).is_symlink():
            real = os.path.realpath(path)
        else:
            if directory not in self._real:
                self._real[directory] = os.path.realpath(directory or "/").rstrip("/")
            real = f"{self._real[directory]}/{name}"
        return any(real == own or real.startswith(own + "/") for own in self._own)


def _own_names_first(entry: os.DirEntry[str]) -> tuple[bool, str]:
    """Order names before links to them: a file keeps its name when a link to it appears."""
    return entry.is_symlink(), entry.name


def _is_met(path: str, key: tuple[int, int], index: int, met: Met, found: Scan) -> bool:
    """Return whether the file was met before; the first source owns it, others are noted."""
    owner = met.get(key)
    if owner is not None and owner != index:
        owners = found.overlaps.setdefault(path, [owner])
        if index not in owners:
            owners.append(index)
    return owner is not None


def _written_by_us() -> set[tuple[int, int]]:
    """Return the files that our own log goes to: what our standard streams are redirected to."""
    found = set[tuple[int, int]]()
    for descriptor in (1, 2):
        try:
            status = os.fstat(descriptor)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.add((status.st_dev, status.st_ino))
    return found


def _kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
             stat.S_IFDIR: "a directory"}  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "not a regular file")
