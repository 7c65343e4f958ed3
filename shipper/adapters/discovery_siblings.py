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
from pathlib import Path
from typing import Final, NamedTuple

from shipper.adapters.discovery_content import Look, packing_of
from shipper.adapters.discovery_directories import Directories
from shipper.core.evidence import Seen
from shipper.core.rotation_names import COMPRESSED, base_of, stems_of, unpacked

MOST_DIRECTORIES: Final = 1000

Inode = tuple[int, int]


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

    def add(
        self,
        seen: list[Seen],
        packed: Sequence[Seen],
        walked: Collection[str],
        followed: Collection[str],
        known: Mapping[Inode, Place],
    ) -> None:
        """Add rotated names beside *followed* files, and *known* files under any name there, to *seen*."""
        self._held, self._below = [], []
        met = {(file.device, file.inode) for file in (*seen, *packed)}
        numbers = {inode for _, inode in known}
        paths = {file.path for file in (*seen, *packed)}
        for directory, names in _names_by_directory(followed).items():
            # Most directories hold nothing else: names are taken apart only where something does.
            strange = [entry for entry in self._directories.entries(directory) or () if entry.path not in paths]
            bases = _bases_of(names) if strange else set()
            for entry in strange:
                self._note_directory(entry, walked)
                related = not bases.isdisjoint(stems_of(entry.name))
                if entry.inode() in numbers or (related and not entry.name.endswith(COMPRESSED)):
                    self._add(entry, seen, met, known, related=related, everywhere=False)
                elif related:
                    self._held.append(entry)
        seen += [file for file in packed if (file.device, file.inode) in known]

    def add_everywhere(
        self,
        seen: list[Seen],
        packed: Sequence[Seen],
        walked: Collection[str],
        followed: Collection[str],
        known: Mapping[Inode, Place],
    ) -> None:
        """Add what `add` left out: compressed files, and what stands in other directories."""
        there = {(file.device, file.inode) for file in seen}
        seen += [file for file in packed if (file.device, file.inode) not in there]
        met = {(file.device, file.inode) for file in seen}
        for entry in self._held:
            self._add(entry, seen, met, known, related=True)
        bases = _bases_of({path.rpartition("/")[2] for path in followed})
        beside = {_directory(path) for path in followed}
        numbers = {inode for _, inode in known}
        asked = [text for text in self._rotated_to if not self._directories.is_dark(text)]
        named = {str(path) for text in asked for path in Path("/").glob(text.lstrip("/"))}
        others = {*walked, *self._below, *named} - beside
        for directory in sorted(others)[:MOST_DIRECTORIES]:
            for entry in self._directories.entries(directory) or ():
                related = not bases.isdisjoint(stems_of(entry.name) | {entry.name})
                if related or entry.inode() in numbers:
                    self._add(entry, seen, met, known, related=related)

    def unsettled(self, seen: Iterable[Seen], known: Mapping[Inode, Place]) -> bool:
        """Return whether a known file is not where it was, as far as one can see, or shorter than what was read."""
        there = {(file.device, file.inode): file for file in seen}
        return any(
            (file := there.get(inode)) is None or file.path != place.path or file.size < place.offset
            for inode, place in known.items()
            if inode in there or not self._directories.hides(place.path)
        )

    def packed_reason(self, path: str, status: os.stat_result, place: Place) -> str | None:
        """Return that a known file is compressed, where it is; its inode may have been used again for that."""
        if place.raw or (not place.packed and path == place.path and status.st_size >= place.offset):
            return None
        reason = self._look.reason(path, status, wide=True)
        return reason if reason and packing_of(reason) else None

    def _note_directory(self, entry: os.DirEntry[str], walked: Collection[str]) -> None:
        try:
            if not entry.is_dir(follow_symlinks=False) or len(self._below) >= MOST_DIRECTORIES:
                return
        except OSError:
            return
        if entry.path not in walked and not os.path.realpath(entry.path).startswith(self._own or ("\0",)):
            self._below.append(entry.path)

    def _add(
        self,
        entry: os.DirEntry[str],
        seen: list[Seen],
        met: set[Inode],
        known: Mapping[Inode, Place],
        *,
        related: bool,
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
        place = known.get(key)
        if key in met or not stat.S_ISREG(status.st_mode) or not (related or place):
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
        met.add(key)
        seen.append(Seen(entry.path, *key, status.st_size, status.st_mtime_ns, None, packed=packing))


def _directory(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _names_by_directory(followed: Iterable[str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for path in followed:
        directory, _, name = path.rpartition("/")
        names.setdefault(directory or "/", []).append(name)
    return names


def _bases_of(names: Iterable[str]) -> set[str]:
    """Return what the rotated forms of files of these *names* are called, before their marks."""
    bases = set(names)
    bases |= {unpacked(name) for name in bases if name.endswith(COMPRESSED)}
    return bases | {base_of(name) for name in bases}
