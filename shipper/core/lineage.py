"""Which followed file another may have come from, and in which order a lineage is read.

A lineage is a file and its rotated forms, one stream. Names only say who may
be kin; what a file is, its content says (follow.py). A rotated form mostly
stands beside its file. Where nothing beside it goes by its name, it may come
from another directory: logrotate's `olddir`, an archive.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple

from shipper.core.evidence import Decision, Do, Known, Seen
from shipper.core.identity import HEAD_BYTES
from shipper.core.rotation_names import base_of, live_names, mark_of, stems_of, unpacked

MOST_FROM_ELSEWHERE: Final = 32
_TRUNCATED_STAMP_NS: Final = 1_000_000_000


class _Place(NamedTuple):
    directory: str
    name: str


def _place(path: str) -> _Place:
    directory, _, name = path.rpartition("/")
    return _Place(directory, name)


@lru_cache(maxsize=16_384)
def _names(name: str) -> tuple[str, ...]:
    """Return the names under which the rotated forms of a file called *name* may be looked for."""
    plain = unpacked(name)
    return tuple({name, plain, base_of(plain)})


def names_of_kin(strangers: Iterable[Seen]) -> set[str]:
    """Return the names under which files are looked for that *strangers* may have come from."""
    names = {file.path.rpartition("/")[2] for file in strangers}
    for name in [*names]:
        names |= stems_of(name)
    return names


def may_be_kin(path: str, names: Container[str]) -> bool:
    """Return whether a followed file at *path* is looked for under one of *names*."""
    return any(name in names for name in _names(path.rpartition("/")[2]))


class Kin:
    """Knows the followed files by the names that the rotated forms of some others go by."""

    def __init__(self, known: Sequence[Known], seen: Sequence[Seen], strangers: Sequence[Seen]) -> None:
        """Prepare to be asked about *strangers*, which are some of *seen*."""
        self._here: dict[_Place, list[Known]] = {}
        self._anywhere: dict[str, list[Known]] = {}
        wanted = names_of_kin(strangers) if known else set[str]()
        for one in known if wanted else ():
            directory, _, name = one.path.rpartition("/")
            for known_name in _names(name):
                if known_name in wanted:
                    self._here.setdefault(_Place(directory, known_name), []).append(one)
                    self._anywhere.setdefault(known_name, []).append(one)
        live = (file for file in seen if file.source is not None and not file.packed) if self._anywhere else ()
        self._live = {place for file in live if (place := _place(file.path)).name in wanted}

    def of(self, file: Seen) -> list[Known]:
        """Return of whom *file* may be a rotated form or a copy."""
        if not self._anywhere:
            return []
        directory, name = _place(file.path)
        stems = stems_of(name)
        places = [_Place(directory, stem) for stem in stems]
        here = [one for place in places for one in self._here.get(place, ())]
        if not here and not any(place in self._live and base_of(place.name) == place.name for place in places):
            here = self._from_elsewhere(directory, name, stems)
        return list({one.key: one for one in here}.values())

    def _from_elsewhere(self, directory: str, name: str, stems: Iterable[str]) -> list[Known]:
        found = [one for stem in stems for one in self._anywhere.get(stem, ())]
        # Files of one name stand in many directories: only much that was read makes a copy of one likely.
        found += [one for one in self._anywhere.get(name, ()) if one.offset >= HEAD_BYTES]
        elsewhere = [one for one in found if _place(one.path).directory != directory]
        return sorted(elsewhere, key=partial(_distance, directory))[:MOST_FROM_ELSEWHERE]

    def before(self, file: Seen) -> Known | None:
        """Return the newest generation that *file*, which is new, goes on from; None where no name says so."""
        if not self._anywhere:
            return None
        directory, name = _place(file.path)
        older = list(self._here.get(_Place(directory, name), ()))
        if not older:
            older = [one for stem in stems_of(name) for one in self._here.get(_Place(directory, stem), ())]
        return max((one for one in older if not one.done), key=lambda one: one.key, default=None)


def _distance(directory: str, one: Known) -> tuple[int, str]:
    """Return how far *one* is from *directory*: fewer steps they share come later."""
    shared = 0
    for ours, theirs in zip(directory.split("/"), one.path.split("/"), strict=False):
        if ours != theirs:
            break
        shared += 1
    return -shared, one.path


def last_written_ns(file: Seen) -> int:
    """Return until when *file* may have been written: some tools keep a compressed file's stamp to the second only."""
    coarse = file.packed and file.mtime_ns % _TRUNCATED_STAMP_NS == 0
    return file.mtime_ns + (_TRUNCATED_STAMP_NS - 1 if coarse else 0)


def in_order(decisions: list[Decision]) -> list[Decision]:
    """Put what is only finished before what is live, the oldest first; a live file waits for its rotated siblings.

    What was followed is older than what appeared since. Of those that are
    new, the names of a lineage say the order; between lineages, the age.
    """
    known = [d for d in decisions if not d.live and d.known is not None]
    new = [d for d in decisions if not d.live and d.known is None]
    live = [d for d in decisions if d.live]
    known.sort(key=lambda d: (d.known.key if d.known else (), d.do is Do.TRUNCATED))  # the copy, then what is new
    groups: dict[str, list[Decision]] = {}
    for decision in new:
        groups.setdefault(_family(decision), []).append(decision)
    ordered = [sorted(group, key=_rank(group)) for group in groups.values()]
    ordered.sort(key=lambda group: (min(_mtime(d) for d in group), group[0].seen.path if group[0].seen else ""))
    return known + [d for group in ordered for d in group] + sorted(live, key=_is_new_root)


def _family(decision: Decision) -> str:
    if decision.seen is None:
        return ""
    directory, name = _place(decision.seen.path)
    return directory + "/" + min(live_names(unpacked(name)), key=lambda stem: (len(stem), stem), default=name)


def _mtime(decision: Decision) -> int:
    return decision.seen.mtime_ns if decision.seen else 0


def _is_new_root(decision: Decision) -> bool:
    """Of new files that all match, the rotated forms come before the one that is written."""
    if decision.do is not Do.START or decision.seen is None:
        return False
    name = _place(decision.seen.path).name
    return base_of(name) == name


class _Rank:
    """The age of each of a lineage's new files: a key to sort them by, oldest first."""

    def __init__(self, group: Sequence[Decision]) -> None:
        marks = [mark_of(d.seen.path.rpartition("/")[2]) if d.seen else None for d in group]
        numbered = sorted(
            (mark.number, _mtime(d)) for d, mark in zip(group, marks, strict=True) if mark and mark.number >= 0
        )
        self._dated = all(mark is not None and mark.date for mark in marks)
        self._numbered = len(numbered) == len(group)
        # .1 is the newest nearly everywhere; some count upwards, and then the times say so plainly.
        self._upwards = bool(numbered) and numbered[-1][1] > numbered[0][1] + _TRUNCATED_STAMP_NS

    def __call__(self, decision: Decision) -> tuple[tuple[int, ...], int, int]:
        mark = mark_of(decision.seen.path.rpartition("/")[2]) if decision.seen else None
        if mark is not None and self._numbered:
            return (), mark.number if self._upwards else -mark.number, _mtime(decision)
        if mark is not None and self._dated:
            return mark.date, 0, _mtime(decision)
        return (), 0, _mtime(decision)


def _rank(group: Sequence[Decision]) -> _Rank:
    return _Rank(group)
