"""The files in which a line may stand, each with what the store knows of it, and those that can not be looked into."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from shipper.adapters.discovery import Discovery, Scan, wanted_by
from shipper.adapters.offsets import Life
from shipper.adapters.offsets_snapshot import Snapshot
from shipper.adapters.spill import Spill
from shipper.config import Config
from shipper.core.model import Carry, FileKey
from shipper.core.rotation_names import COMPRESSED, base_of, live_names
from shipper.core.shipped import Shipped
from shipper.errors import SourceError
from shipper.pipeline.remains import Inode, Remains, find, inode_at, open_text
from shipper.pipeline.where_backfilled import places_of, still_there

_READS_AS_TEXT = ("older than ignore_older", "compressed")


class Spilled:
    """What the spill has of a generation, by offset; up to the first byte that it has not."""

    def __init__(self, spill: Spill, key: FileKey) -> None:
        """Read *key* from *spill*."""
        self._spill = spill
        self._key = key

    def open(self, path: str) -> Remains:
        """Return it as what is left of the file at *path*."""
        remains = Remains(path, self, "spill")
        span = self._spill.span(self._key)
        remains.base = span[0] if span else 0
        return remains

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes at *offset*."""
        try:
            piece = self._spill.read(self._key, offset, size)
        except OSError as error:
            raise SourceError(error.strerror or str(error)) from error
        return piece.data if piece.at == offset else b""

    def close(self) -> None:
        """Nothing is held."""


class Home(NamedTuple):
    """A file on disk and the generation that it holds.

    Attributes:
        life: None where the store knows none that it is.
        skipped: Why the agent does not read it; empty where it does.
        spilled: What can be read of it, where it is gone itself, and stands in the spill.
        source: Of the pattern that matches it; empty for none.
    """

    path: str
    life: Life | None
    skipped: str
    source: str
    mtime_ns: int
    spilled: Spilled | None = None

    @property
    def encoding(self) -> str:
        """Codec of its text."""
        carry = msgspec.json.decode(self.life.carry, type=Carry) if self.life and self.life.carry else Carry()
        return carry.encoding or "utf-8"


class Homes:
    """What there is to search.

    Attributes:
        homes: Newest first.
        gone: Generations that are known, and whose bytes are on no disk any more.
        elsewhere: Texts that only a backfill has read, and that stand in no file here: in archives, moved, deleted.
        scan: What the sources' patterns match just now.
    """

    def __init__(
        self,
        config: Config | None,
        snapshot: Snapshot | None,
        source: str | None,
        now_ns: int,
        spill: Spill | None = None,
        shipped: Sequence[Shipped] = (),
    ) -> None:
        """Look at every directory, into *spill*, and where backfills met *shipped*; of one *source*, where given."""
        self._shipped = shipped
        self.elsewhere = 0
        self._spill = spill
        self.config = config
        self.gone: list[Life] = []
        self.scan = _scan(config, now_ns)
        self._lives = snapshot.lives() if snapshot else []
        self._known: dict[str, Life] = {}
        self._find_known(source)
        self.homes = sorted(self._all(source), key=lambda home: (-home.mtime_ns, home.path))

    def at(self, path: str) -> Home:
        """Return the file at *path*, whether it was found by a pattern or not."""
        found = next((home for home in self.homes if home.path == path), None)
        inode = inode_at(path)
        if found is None and inode is not None:
            found = next((home._replace(path=path) for home in self.homes if inode_at(home.path) == inode), None)
        return found or self._home(path)

    def _find_known(self, source: str | None) -> None:
        newest: dict[Inode, FileKey] = {}
        for life, _ in self._lives:
            inode = (life.device, life.inode)
            newest[inode] = max(newest.get(inode, life.key), life.key)
        for life, _ in self._lives:
            if source not in {None, life.source}:
                continue
            remains = find(life, {inode for inode, key in newest.items() if key != life.key})
            if remains is None or (not remains.certain and life.offset):
                self.gone.append(life)
            if remains is not None:
                before = self._known.get(remains.path)
                if remains.certain or not life.offset:
                    self._known[remains.path] = max(before, life, key=_key) if before else life
                remains.close()

    def _all(self, source: str | None) -> Iterator[Home]:
        names = [one.name for one in self.config.sources] if self.config else []
        seen = {file.path for file in self.scan.seen if source is None or names[file.source or 0] == source}
        skipped = set(self.scan.skipped) if source is None else set()
        known = {path for path, life in self._known.items() if source in {None, life.source}}
        paths = known | seen | skipped
        met: dict[Inode, str] = {}
        for path in [*sorted(known), *sorted(paths - known), *sorted(set(_siblings(paths)) - paths)]:
            inode = inode_at(path)
            if inode is not None and inode not in met:
                met[inode] = path
                yield self._home(path)
        yield from self._backfilled(source, met)
        yield from self._spilled(source)

    def _backfilled(self, source: str | None, met: dict[Inode, str]) -> Iterator[Home]:
        places = [place for place in places_of(self._shipped, source) if place[1] is None or place[1] not in met]
        found, self.elsewhere = still_there(places, list(_siblings({path for path, inode in places if inode})))
        for inode, path in found.items():
            if inode not in met:
                met[inode] = path
                yield self._home(path)

    def _spilled(self, source: str | None) -> Iterator[Home]:
        for life, _ in self._lives if self._spill else ():
            if self._spill and self._spill.span(life.key) and source in {None, life.source}:
                spilled = Spilled(self._spill, life.key)
                yield Home(f"{life.path} (deleted, in the spill)", life, "", life.source, life.mtime_ns, spilled)

    def _home(self, path: str) -> Home:
        names = [one.name for one in self.config.sources] if self.config else []
        index = next((file.source for file in self.scan.seen if file.path == path), None)
        life = self._known.get(path)
        source = life.source if life else names[index] if index is not None and index >= 0 else ""
        try:
            mtime_ns = os.stat(path).st_mtime_ns
        except OSError:
            mtime_ns = 0
        skipped = "" if life else self.scan.skipped.get(path, "")
        return Home(path, life, skipped, source, mtime_ns)


def opened(home: Home) -> Remains | None:
    """Open what can be searched as text; None for what cannot be read, or is no text."""
    if home.spilled is not None:
        return home.spilled.open(home.path)
    if home.skipped and not home.skipped.startswith(_READS_AS_TEXT):
        return None
    return open_text(home.path)


def _key(life: Life) -> FileKey:
    return life.key


def _scan(config: Config | None, now_ns: int) -> Scan:
    if config is None:
        return Scan()
    wanted = [wanted_by(source) for source in config.sources]
    return Discovery(wanted, [str(config.state_dir)]).scan(now_ns=now_ns)


def _siblings(paths: Sequence[str] | set[str]) -> Iterator[str]:
    """Give what stands beside *paths* under a rotated form of their names, compressed or not."""
    bases: dict[str, set[str]] = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        bases.setdefault(directory or "/", set()).update((name, base_of(name)))
    for directory, names in bases.items():
        try:
            entries = sorted(Path(directory).iterdir())
        except OSError:
            continue
        for entry in entries:
            plain = next((entry.name.removesuffix(end) for end in COMPRESSED if entry.name.endswith(end)), entry.name)
            if plain in names or not names.isdisjoint(live_names(plain)):
                yield str(entry)
