"""Where rotated files are looked for: beside the followed ones, and, when one is missing, wherever rotation may put it.

A scan of the second kind is made only when a followed file is not where it
was: it lists the directories that the patterns reach, those right below the
followed files (logrotate's `olddir old`), and those that a source names as
`rotated_to`; and only it looks at compressed files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from shipper.adapters.discovery_content import Look, packing_of
from shipper.adapters.discovery_directories import Directories
from shipper.core.evidence import Seen
from shipper.core.rotation_names import COMPRESSED, base_of, stems_of, unpacked

MOST_DIRECTORIES: Final = 1000

NO_SOURCE: Final = -1

Inode = tuple[int, int]
Met = dict[Inode, int]
"""Files that a scan has met, to the index of the source that reads each."""


class Place(NamedTuple):
    """Where a followed file was.

    Attributes:
        offset: Up to where it was read; a shorter file was truncated.
        packed: It is a compressed file, of which the text is read.
        raw: It is read as it is, even if it is compressed.
    """

    path: str
    offset: int = 0
    packed: bool = False
    raw: bool = False


class Around:
    """What one scan knows when it looks for rotated files.

    Attributes:
        known: Of followed files, where they were.
        met: The files that the scan has met, to whose of them what is found is added.
        walked: Directories that the patterns reach.
        directories: Those in which followed files stand.
    """

    def __init__(
        self, followed: Collection[str], known: Mapping[Inode, Place], met: Met, walked: Collection[str]
    ) -> None:
        """*followed* are the paths of followed files."""
        self.known = known
        self.met = met
        self.walked = walked
        self.directories = {_directory(path) for path in followed}
        self._followed = followed

    # There are as many names as files, and mostly nobody asks.

    @cached_property
    def numbers(self) -> set[int]:
        """Inode numbers of the followed files, on whatever device."""
        return {number for _, number in self.known}

    @cached_property
    def bases(self) -> set[str]:
        """What the rotated forms of followed files are called, before their marks."""
        return _bases_of({path.rpartition("/")[2] for path in self._followed})

    def bases_in(self, directories: Collection[str]) -> dict[str, set[str]]:
        """Return the same for the followed files of each of *directories*."""
        names: dict[str, list[str]] = {directory: [] for directory in directories}
        for path in self._followed if names else ():
            directory, _, name = path.rpartition("/")
            if (directory or "/") in names:
                names[directory or "/"].append(name)
        return {directory: _bases_of(some) for directory, some in names.items()}


class Siblings:
    """Adds to what a scan saw; used by one scan at a time."""

    def __init__(self, look: Look, directories: Directories, rotated_to: Sequence[str], own: Sequence[str]) -> None:
        """*rotated_to* are patterns of directories; below *own* nothing is looked at."""
        self._look = look
        self._directories = directories
        self._rotated_to = tuple(rotated_to)
        self._own = tuple(own)
        self._held: list[os.DirEntry[str]] = []
        self._below: list[str] = []

    def add(self, seen: list[Seen], packed: Sequence[Seen], paths: set[str], around: Around) -> None:
        """Add rotated names beside followed files, and known files under any name there, to *seen*.

        Args:
            seen: Files that match, and are read.
            packed: Those that match and are compressed.
            paths: Under which files stand that are followed already and only go on.
            around: What else is known.
        """
        self._held, self._below = [], []
        paths |= {file.path for file in (*seen, *packed)}
        strange: dict[str, list[os.DirEntry[str]]] = {}
        for directory in sorted(around.directories):
            for entry in self._directories.entries(directory) or ():
                if entry.path not in paths and not self._is_directory(entry, around.walked):
                    strange.setdefault(directory, []).append(entry)
        apart = {(file.device, file.inode) for file in packed}
        # Most directories hold nothing else: names are taken apart only where something does.
        bases = around.bases_in(strange)
        for directory, entries in strange.items():
            for entry in entries:
                related = not bases[directory].isdisjoint(stems_of(entry.name))
                if entry.inode() in around.numbers or (related and not entry.name.endswith(COMPRESSED)):
                    self._add(entry, seen, around, related=related, apart=apart, everywhere=False)
                elif related:
                    self._held.append(entry)
        _add_met([file for file in packed if (file.device, file.inode) in around.known], seen, around.met)

    def add_everywhere(self, seen: list[Seen], packed: Sequence[Seen], around: Around) -> None:
        """Add what `add` left out: compressed files, and what stands in other directories."""
        _add_met(packed, seen, around.met)
        for entry in self._held:
            self._add(entry, seen, around, related=True)
        asked = [text for text in self._rotated_to if not self._directories.is_dark(text)]
        named = {str(path) for text in asked for path in Path("/").glob(text.lstrip("/"))}
        others = {*around.walked, *self._below, *named} - around.directories
        for directory in sorted(others)[:MOST_DIRECTORIES]:
            for entry in self._directories.entries(directory) or ():
                if _is_plain_directory(entry):
                    continue
                related = not around.bases.isdisjoint(stems_of(entry.name) | {entry.name})
                if related or entry.inode() in around.numbers:
                    self._add(entry, seen, around, related=related)

    def unsettled(self, seen: Iterable[Seen], around: Around) -> bool:
        """Return whether a known file is not where it was, as far as one can see, or shorter than what was read."""
        there = {(file.device, file.inode): file for file in seen}
        for inode in around.known:
            file = there.get(inode)
            if file is None and inode in around.met:  # it only goes on
                continue
            place = around.known[inode]
            if file is None:
                if not self._directories.hides(place.path):
                    return True
            elif file.path != place.path or file.size < place.offset:
                return True
        return False

    def packed_reason(self, path: str, status: os.stat_result, place: Place) -> str | None:
        """Return that a known file is compressed, where it is; its inode may have been used again for that."""
        if place.raw or (not place.packed and path == place.path and status.st_size >= place.offset):
            return None
        reason = self._look.reason(path, status, wide=True)
        return reason if reason and packing_of(reason) else None

    def _is_directory(self, entry: os.DirEntry[str], walked: Collection[str]) -> bool:
        """Return whether *entry* is a directory, and note it: files may be rotated into it."""
        if not _is_plain_directory(entry):
            return False
        is_new = len(self._below) < MOST_DIRECTORIES and entry.path not in walked
        if is_new and not os.path.realpath(entry.path).startswith(self._own or ("\0",)):
            self._below.append(entry.path)
        return True

    def _add(
        self,
        entry: os.DirEntry[str],
        seen: list[Seen],
        around: Around,
        *,
        related: bool,
        apart: Collection[Inode] = (),
        everywhere: bool = True,
    ) -> None:
        if not self._directories.may_ask(entry, _directory(entry.path)):
            return
        try:
            status = entry.stat()
        except OSError as error:
            self._directories.failed(entry.path, error)
            return
        key = (status.st_dev, status.st_ino)
        place = around.known.get(key)
        if key in around.met or key in apart or not stat.S_ISREG(status.st_mode) or not (related or place):
            return
        if place is not None:
            reason = self.packed_reason(entry.path, status, place)
        else:
            reason = self._look.reason(entry.path, status, wide=False)
        packing = packing_of(reason or "")
        if reason and not packing:
            return
        if packing and place is None and not everywhere:
            self._held.append(entry)
            return
        file = Seen(entry.path, *key, status.st_size, status.st_mtime_ns, None, packed=packing)
        _add_met([file], seen, around.met)


def _add_met(files: Iterable[Seen], seen: list[Seen], met: Met) -> None:
    """Add those of *files* to *seen* that were not met yet."""
    for file in files:
        if (file.device, file.inode) not in met:
            met[file.device, file.inode] = NO_SOURCE
            seen.append(file)


def _is_plain_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _directory(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _bases_of(names: Iterable[str]) -> set[str]:
    """Return what the rotated forms of files of these *names* are called, before their marks."""
    bases = set(names)
    bases |= {unpacked(name) for name in bases if name.endswith(COMPRESSED)}
    return bases | {base_of(name) for name in bases}
