"""From the paths on the command line to the texts behind them, each with the source that it is read by."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from glob import glob, has_magic
from pathlib import Path
from typing import Final, NamedTuple

from shipper.adapters.texts import STDIN, Place, is_address, local, open_text, stat_of
from shipper.adapters.texts_archive import is_archive, members_of
from shipper.adapters.texts_shared import Stat, shared_files
from shipper.config import Config, Source, fill_path_attributes
from shipper.core.patterns import Excludes, PathPattern, compile_patterns
from shipper.core.plan import lineage_of
from shipper.core.rotation_names import stems_of
from shipper.errors import SourceError, UsageError

NO_STAT: Final = Stat(0, 0)


class Wanted(NamedTuple):
    """One text to send.

    Attributes:
        lineage: Path of the live file that it was rotated from.
        status: Of the file on disk; of a member of an archive, with the member's own time.
        problem: Why it cannot be looked at; empty where it can.
    """

    place: Place
    lineage: str
    source: Source
    status: Stat
    problem: str = ""


def wanted(arguments: Sequence[str], config: Config, source: Source | None, unpack_bytes: int) -> list[Wanted]:
    """Return what *arguments* stand for: files, directories, globs, addresses, ``-``; each text once.

    Args:
        arguments: As given.
        config: Its sources are asked for a file's rules, unless *source* is given.
        source: What everything is read by.
        unpack_bytes: Largest window with which an archive may be packed.

    Raises:
        UsageError: There is nothing at one of them.
    """
    paths = list(dict.fromkeys(path for argument in arguments for path in _paths(argument, config.state_dir)))
    names = frozenset(paths)
    found: list[Wanted] = []
    seen = set[tuple[int, int]]()
    for path in paths:
        lineage = lineage_of(path, names)
        chosen = source or source_of(path, config)
        try:
            status = stat_of(path) if path != STDIN else NO_STAT
            if status.inode and (status.device, status.inode) in seen:
                continue  # a second name of the same file
            seen.add((status.device, status.inode))
            found += _texts(path, lineage, chosen, status, unpack_bytes)
        except SourceError as error:
            found.append(Wanted(Place(path), lineage, chosen, NO_STAT, str(error)))
    return found


def _paths(argument: str, state_dir: Path) -> Iterator[str]:
    argument = local(argument)
    if argument == STDIN:
        yield _stdin_path()
        return
    if is_address(argument):
        files: Iterable[str] = shared_files(argument)
    else:
        path = os.path.abspath(argument)  # noqa: PTH100 -- keeps names that are no Unicode, and symbolic links
        literal = os.path.lexists(path) or not has_magic(path)
        names = [path] if literal else sorted(glob(path, recursive=True))  # noqa: PTH207 -- the same
        files = [file for name in names for file in _files_below(name, str(state_dir.absolute()))]
    files = list(files)
    if not files:
        raise UsageError(f"{argument}: there is nothing to send")
    yield from files


def _stdin_path() -> str:
    """Return the file that standard input is, where it is one: then it can be resumed."""
    try:
        if stat.S_ISREG(os.fstat(0).st_mode):
            return os.readlink("/proc/self/fd/0")  # noqa: PTH115 -- the same
    except OSError:
        pass
    return STDIN


def _files_below(path: str, state_dir: str) -> Iterator[str]:
    if not os.path.isdir(path):  # noqa: PTH112 -- the same
        if not os.path.lexists(path):
            raise UsageError(f"{path}: no such file")
        yield path
        return
    for directory, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        if directory == state_dir:
            inner.clear()
            continue
        for name in sorted(names):
            file = os.path.join(directory, name)  # noqa: PTH118 -- the same
            if not name.startswith(".") and os.path.isfile(file):  # noqa: PTH113 -- the same
                yield file


def _texts(path: str, lineage: str, source: Source, status: Stat, unpack_bytes: int) -> Iterator[Wanted]:
    if path == STDIN:
        yield Wanted(Place(path), lineage, source, status)
        return
    text = open_text(Place(path), unpack_bytes=unpack_bytes)
    try:
        if not is_archive(text):
            yield Wanted(Place(path), lineage, source, status)
            return
        members = list(members_of(path, text))
    finally:
        text.close()
    names = frozenset(member.place.member for member in members)
    for member in members:
        inside = lineage_of(member.place.member, names)
        own = status._replace(mtime_ns=member.mtime_ns, inode=0, device=0)
        yield Wanted(member.place, f"{path}/{inside}", source, own)


def source_of(path: str, config: Config) -> Source:
    """Return the source that *path* is read by.

    The first whose pattern it fits, or a file that it may have been rotated from; else one made up for it, which
    finds out the format.
    """
    directory, slash, name = path.rpartition("/")
    stems = sorted(stems_of(name), key=len, reverse=True)
    for candidate in (path, *(directory + slash + stem for stem in stems)):
        for source in config.sources:
            if _fits(source, candidate) and not _excludes(source.exclude).match(candidate):
                return source
    return made_up(path, stems[-1] if stems else name)


def _fits(source: Source, path: str) -> bool:
    return any(pattern.regex.fullmatch(path) for text in source.paths for pattern in _patterns(text))


@lru_cache(maxsize=4096)
def _patterns(text: str) -> tuple[PathPattern, ...]:
    return tuple(compile_patterns(text))


@lru_cache(maxsize=1024)
def _excludes(texts: tuple[str, ...]) -> Excludes:
    return Excludes(texts)


def made_up(path: str, name: str, format_name: str = "auto") -> Source:
    """Return a source for a file that nobody has described."""
    stem = name if name.startswith(".") else name.partition(".")[0].lstrip("-")
    return Source(name=stem or "stdin", paths=(path,), format=format_name)


def path_attributes(source: Source, path: str) -> dict[str, str]:
    """Return the attributes that *source* takes from parts of *path*."""
    for pattern in source.paths if source.path_attributes else ():
        filled = fill_path_attributes(source, path, pattern)
        if filled:
            return filled
    return {}
