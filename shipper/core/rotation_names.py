"""Whether a name looks like the rotated form of another: app.log.1, app.log-20261123, app-2026-11-23.log.

Only evidence: what a file really is, its inode, head and guard say. The forms
are those of logrotate (numbers, dateext with its usual formats, `extension`),
log4j and logback file patterns, Python's TimedRotatingFileHandler, lumberjack.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import lru_cache
from typing import Final, NamedTuple

UNPACKABLE: Final = (".gz", ".bz2", ".xz", ".zst")
COMPRESSED: Final = (*UNPACKABLE, ".lz4", ".zip", ".Z")

_CLOCK: Final = r"[-_T.]?\d\d(?:[-_:.h]?\d\d(?:[-_:.m]?\d\d(?:[.,]\d{1,9})?)?)?(?:Z|[+-]\d{4})?"
_STAMP: Final = (
    rf"(?:\d{{4}}-\d\d-\d\d(?:{_CLOCK})?|\d{{4}}_\d\d_\d\d(?:{_CLOCK})?|\d{{2}}-\d\d-\d{{4}}(?:{_CLOCK})?"
    rf"|\d{{8}}(?:{_CLOCK})?|\d{{4}}-\d\d|\d{{10}}|\d{{13}}|\d{{1,6}}|old|prev|previous|bak)"
)
_MARK: Final = re.compile(rf"[-_.]{_STAMP}")
_EXTENSION: Final = re.compile(r"(?s:(.+))(\.[A-Za-z][A-Za-z_]{1,9})")
_MOST_MARKS: Final = 4


@lru_cache(maxsize=16_384)
def live_names(name: str) -> frozenset[str]:
    """Return the names of which *name* may be a rotated form; none for a compressed one."""
    if name.endswith(COMPRESSED):
        return frozenset()
    found = set[str]()
    fresh = {name}
    for _ in range(_MOST_MARKS):
        fresh = {shorter for longer in fresh for shorter in _without_mark(longer)} - found
        found |= fresh
    return frozenset(found - {name})


def _without_mark(name: str) -> set[str]:
    found = _stems(name)
    if parts := _EXTENSION.fullmatch(name):
        found |= {stem + parts[2] for stem in _stems(parts[1])}
    return found


def _stems(name: str) -> set[str]:
    """Return what can stand before the last mark: app.log.2026-11-23 ends with a date, and with a number too."""
    return {name[:at] for at in range(1, len(name)) if name[at] in "-_." and _MARK.fullmatch(name, at)}


_SUFFIX: Final = re.compile(r"[._-][0-9][0-9._:T-]*")
_SUFFIX_ENDS: Final = tuple("0123456789._:T-")


def base_of(name: str) -> str:
    """Return *name* without what a rotation has put behind it: app.log for app.log.1."""
    if not name.endswith(_SUFFIX_ENDS):
        return name
    for at in range(1, len(name)):
        if _SUFFIX.fullmatch(name, at):
            return name[:at]
    return name


def unpacked(name: str) -> str:
    """Return *name* without the ending of a compressed file that can be read."""
    if not name.endswith(UNPACKABLE):
        return name
    return next(name.removesuffix(ending) for ending in UNPACKABLE if name.endswith(ending))


@lru_cache(maxsize=16_384)
def stems_of(name: str) -> frozenset[str]:
    """Return the names of which *name*, compressed or not, may be a rotated form."""
    plain = unpacked(name)
    return live_names(plain) | ({plain} if plain != name else frozenset())


class Mark(NamedTuple):
    """What a rotation has put into a name: a number, or else the numbers of a date and what follows it."""

    number: int
    date: tuple[int, ...]


_DATE: Final = re.compile(r"\d{4}[-_]?\d\d(?:[-_]?\d\d)?|\d{10,13}")
_NUMBER: Final = re.compile(r"[-_.](\d{1,6})(?:\.[A-Za-z][A-Za-z_]{1,9})?")


def mark_of(name: str) -> Mark | None:
    """Return what orders *name* among its siblings; None where nothing in it does."""
    plain = unpacked(name)
    if found := _DATE.search(plain):
        return Mark(-1, tuple(map(int, re.findall(r"\d+", plain[found.start() :]))))
    numbers = [m for at in range(len(plain)) if plain[at] in "-_." and (m := _NUMBER.fullmatch(plain, at))]
    return Mark(int(numbers[-1][1]), ()) if numbers else None


def is_rotated_name(name: str, of: str) -> bool:
    """Return whether file *name* may be a rotated *of*, in the same directory."""
    return of in live_names(name)


def lineage_of(path: str, known_paths: Container[str]) -> str:
    """Return the live file that *path* belongs to: the shortest of *known_paths* it can stem from, else itself."""
    directory, slash, name = path.rpartition("/")
    stems = [directory + slash + stem for stem in live_names(name) if directory + slash + stem in known_paths]
    return min(stems, key=lambda stem: (len(stem), stem), default=path)
