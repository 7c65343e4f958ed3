"""The layout of lines that no preset knows, learned from a sample: where the stamp stands, where the level.

What is learned becomes patterns like an operator's own, so that the common
record costs no more than one of a preset. A stamp is taken where most lines
have one of the same shape at the same place, where it can be read, and where
the lines it dates stand in order: a number in a message has none of that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from shipper.core.stamp_shapes import BY_NAME, CLOCK_ONLY, Found, Shape, speaks_of_time, stamps_in
from shipper.core.timestamps import DAY_MS, StampReader

WORDS: Final = (
    "EMERGENCY", "EMERG", "ALERT", "CRITICAL", "CRIT", "SEVERE", "FATAL", "PANIC", "ERROR", "ERR", "WARNING", "WARN",
    "NOTICE", "INFORMATION", "INFO", "VERBOSE", "DEBUG", "TRACE", "FINEST", "FINER", "FINE",
    "INF", "WRN", "FTL", "DBG", "DBUG", "VRB", "TRC", "ERRO", "TRCE", "CRT",
)  # fmt: skip
_WORD: Final = "|".join(WORDS)
_NOT_INSIDE: Final = r"(?<![A-Za-z0-9_/.-])"
_NOT_ON: Final = r"(?![A-Za-z0-9_/-])"
# In capitals a level word is meant; in other letters only where something marks it out.
_LEVEL: Final = re.compile(
    rf"{_NOT_INSIDE}(?:(?P<capital>{_WORD})|(?i:(?<=[\[<({{|=\"])(?P<marked>{_WORD})(?=[\]>)}}|:\"\s])|(?P<spoken>{_WORD}|FAIL)(?=:)))"
    rf"{_NOT_ON}"
)
_FIRST_WORD: Final = re.compile(rf"[ \t\[\]<>(){{}}|:,-]*(?P<level>(?i:{_WORD}))(?=[\]>)}}|:,\s-]|$)")
_LETTER: Final = re.compile(r"[ \t]*[\[<(|/]?(?P<level>[A-Z])(?=[\]>)|/:!\s])")
_LETTERS: Final = frozenset("EWIDVTFNC")
_LED: Final = re.compile(rf"^[\[<(]?(?P<severity>(?:{_WORD})(?=[:\])>\s])|(?i:{_WORD}|FAIL)(?=[:\])>]))")
_KEYED: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?:[lL]evel|LEVEL|lvl|severity|loglevel)\"?[=:] ?\"?(?P<severity>(?i:{_WORD})){_NOT_ON}"
)
_LEADS_TO_CLOCK: Final = re.compile(rf"[^A-Za-z0-9]*(?:(?i:{_WORD})[^A-Za-z0-9]*)?")
LEVEL_WITHIN: Final = 100
_EARLIEST_MS: Final = 946_684_800_000  # 2000: a bare number that means an earlier instant is none
_MOSTLY: Final = 0.5
_ENOUGH_TO_BE_FIXED: Final = 10


class General(msgspec.Struct, frozen=True, omit_defaults=True):
    """A learned layout.

    Attributes:
        patterns: To be tried in order; groups `timestamp` and `severity`.
        formats: Of the stamps.
        continues: Lines without a stamp were seen: they go on with the record above.
        indented: There are no stamps, and indented lines go on with the one above.
        stamp_key, level_key: Of JSON objects, where no key has a name that the API's lists know; no patterns then.
        evidence: In words.
    """

    patterns: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    continues: bool = False
    indented: bool = False
    stamp_key: str | None = None
    level_key: str | None = None
    evidence: str = ""


class _Placed(NamedTuple):
    """A stamp of a line, and what stands around it."""

    line: str
    found: Found

    @property
    def before(self) -> str:
        return self.line[: self.found.begin]

    @property
    def after(self) -> str:
        return self.line[self.found.end : self.found.end + LEVEL_WITHIN + 20]


def learn(lines: Sequence[str], near_ms: int) -> General | None:
    """Return the layout of *lines*; None where there is nothing to be seen in them.

    Args:
        lines: Of the beginning of a file, blank ones left out.
        near_ms: About when the file was written; no stamp is much later.
    """
    placed = _stamps(lines, near_ms)
    if placed is None:
        return _without_stamps(lines)
    stamps, formats = placed
    shape = stamps[0].found.shape
    begin = rf"^{_prefix([stamp.before for stamp in stamps])}(?P<timestamp>{shape.pattern})"
    patterns = (*_with_level(begin, stamps), begin)
    starts = re.compile(begin)
    others = sum(1 for line in lines if starts.match(line) is None)
    return General(
        patterns=patterns,
        formats=formats,
        continues=others > 0,
        evidence=f"{len(stamps)} of {len(lines)} lines have a stamp of the shape {shape.name}, {others} have none",
    )


# -- the stamp ---------------------------------------------------------------------------------------


def _stamps(lines: Sequence[str], near_ms: int) -> tuple[list[_Placed], tuple[str, ...]] | None:
    """Return the stamps that date the lines, and how they are read."""
    every = [[_Placed(line, found) for found in stamps_in(line)] for line in lines]
    meant = [[placed for placed in of_line if not speaks_of_time(placed.before)] for of_line in every]
    votes: dict[tuple[str, str], list[_Placed]] = {}
    shapes: dict[str, list[_Placed]] = {}
    for of_line in meant if any(meant) else every:
        met: set[str] = set()
        for placed in of_line:
            found = placed.found
            votes.setdefault((found.shape.name, _look(placed.before)), []).append(placed)
            if found.shape.name not in met:
                met.add(found.shape.name)
                shapes.setdefault(found.shape.name, []).append(placed)
    best: tuple[float, list[_Placed], tuple[str, ...]] | None = None
    for placed_list in (*votes.values(), *shapes.values()):
        formats = _readings(placed_list, near_ms)
        if formats is None:
            continue
        score = _worth(placed_list, formats, near_ms)
        if best is None or score > best[0]:
            best = score, placed_list, formats
    return None if best is None else best[1:]


def _worth(stamps: list[_Placed], formats: tuple[str, ...], near_ms: int) -> float:
    """Return how sure it is that *stamps* date their lines: many, in order, and early in the line."""
    instants = _instants(stamps, formats, near_ms)
    column = sum(stamp.found.begin for stamp in stamps) / len(stamps)
    if stamps[0].found.shape.formats == (CLOCK_ONLY,):
        return 0.3 * len(stamps)  # a date says more than a time of day
    return len(stamps) * (0.5 + 0.5 * in_order(instants)) * (1.0 - 0.5 * min(column, 200.0) / 200.0)


def _readings(stamps: list[_Placed], near_ms: int) -> tuple[str, ...] | None:
    """Return the format that reads most of *stamps* at instants that can be meant; None where none does."""
    shape = stamps[0].found.shape
    best: tuple[float, str] | None = None
    for text in shape.formats:
        instants = _instants(stamps, (text,), near_ms)
        if len(instants) < _MOSTLY * len(stamps) or (shape.bare and not _can_be_meant(stamps, instants, near_ms)):
            continue
        later = sum(1 for instant in instants if instant > near_ms + 2 * DAY_MS)
        score = len(instants) + in_order(instants) - 2.0 * later - 0.001 * (max(instants) - min(instants)) / DAY_MS
        if best is None or score > best[0]:
            best = score, text
    return None if best is None else (best[1],)


def _instants(stamps: list[_Placed], formats: tuple[str, ...], near_ms: int) -> list[int]:
    reader = StampReader(formats, "UTC")
    read = (reader.read(stamp.found.text, near_ms=near_ms, after_ms=None) for stamp in stamps)
    return [stamp.ms for stamp in read if stamp is not None]


def in_order(instants: Sequence[int]) -> float:
    """Return the share of neighbours that do not go back in time."""
    if len(instants) < 2:
        return 0.5
    return sum(1 for before, after in pairwise(instants) if after >= before) / (len(instants) - 1)


def _can_be_meant(stamps: list[_Placed], instants: list[int], near_ms: int) -> bool:
    """Return whether bare numbers can be times: of these years, in order, at the beginning or set apart."""
    if min(instants) < _EARLIEST_MS or max(instants) > near_ms + 2 * DAY_MS:
        return False
    if stamps[0].found.shape.formats == (CLOCK_ONLY,):
        return in_order(instants) >= 0.8 and all(_LEADS_TO_CLOCK.fullmatch(stamp.before) for stamp in stamps)
    marks = "[(<=:\"'|,;" + (" \t" if "." in stamps[0].found.text else "")  # nothing else has ten digits and a fraction
    apart = all(not stamp.before.strip(" \t[(<\"'{") or stamp.before[-1:] in marks for stamp in stamps)
    return apart and in_order(instants) >= 0.8 and (len(instants) >= 3 or all(not stamp.before for stamp in stamps))


# -- what stands before the stamp ----------------------------------------------------------------------


def _look(text: str) -> str:
    """Return what *text* looks like: runs of letters and digits as one sign each."""
    return re.sub(r"[A-Za-z_]+", "a", re.sub(r"\d+", "0", text))


def _prefix(texts: Sequence[str]) -> str:
    """Return a pattern for what stands before the stamp."""
    if len(set(texts)) == 1 and (len(texts) >= _ENOUGH_TO_BE_FIXED or not any(map(str.isalnum, texts[0]))):
        return re.escape(texts[0])
    words = {len(text.split(" ")) for text in texts}
    if len(words) == 1:
        count = words.pop() - 1
        lasts = {text.rpartition(" ")[2] for text in texts}
        last = re.escape(lasts.pop()) if len(lasts) == 1 else _last(lasts)
        return rf"(?:[^ ]* ){{{count}}}{last}" if count else last
    return rf".{{0,{max(map(len, texts)) + 16}}}?"


def _last(texts: set[str]) -> str:
    """Return a pattern for words without blanks that end before the stamp, such as `pid[`."""
    marks = {text[-1:] for text in texts}
    mark = marks.pop() if len(marks) == 1 else ""
    return rf"[^ ]*?{re.escape(mark)}" if mark and not mark.isalnum() else r"[^ ]*?"


# -- the level -----------------------------------------------------------------------------------------


def _with_level(begin: str, stamps: list[_Placed]) -> Iterable[str]:
    """Return patterns, *begin* with a level behind it or before it: the closest place at which most lines have one."""
    after = [stamp.after for stamp in stamps]
    if sum(1 for text in after if _KEYED.search(text)) >= _MOSTLY * len(stamps):
        yield rf"{begin}(?=.{{0,{LEVEL_WITHIN}}}?{_KEYED.pattern})"
        return
    first = [match for match in map(_FIRST_WORD.match, after) if match is not None]
    if len(first) >= _MOSTLY * len(stamps):
        yield rf"{begin}[^A-Za-z0-9]*(?P<severity>(?i:{_WORD})){_NOT_ON}"
        if len(first) < len(stamps):
            yield rf"{begin}(?=.{{0,{LEVEL_WITHIN}}}?(?<=[\[<])(?P<severity>(?i:{_WORD}))(?=[\]>]))"
        return
    letters = [match["level"] for match in map(_LETTER.match, after) if match is not None]
    if len(letters) >= 0.9 * len(stamps) and set(letters) <= _LETTERS:
        yield rf"{begin}[ \t]*[\[<(|/]?(?P<severity>[A-Z])(?=[\]>)|/:!\s])"
        return
    before = [stamp.before for stamp in stamps]
    if sum(1 for text in before if _LEVEL.search(text) or _FIRST_WORD.match(text)) >= _MOSTLY * len(stamps):
        yield rf"^(?=.{{0,{LEVEL_WITHIN}}}?{_NOT_INSIDE}(?P<severity>(?i:{_WORD})){_NOT_ON}){begin.removeprefix('^')}"
        return
    yield from _at_word(begin, after)


def _at_word(begin: str, after: list[str]) -> Iterable[str]:
    """Return a pattern for a level some words behind the stamp, at the same word in most lines; else anywhere near."""
    places: Counter[int] = Counter()
    for text in after:
        match = _LEVEL.search(text[:LEVEL_WITHIN])
        if match is not None:
            places[text.count(" ", 0, match.start())] += 1
    if not places:
        return
    word, count = places.most_common(1)[0]
    if count >= 0.8 * places.total():
        yield rf"{begin}(?:[^ \n]* ){{{word}}}[^A-Za-z0-9 \n]*(?P<severity>(?i:{_WORD})){_NOT_ON}"
    marked = rf"(?:{_WORD})|(?<=[\[<({{|=\"])(?i:{_WORD})(?=[\]>)}}|:\s\"])"
    yield rf"{begin}(?=.{{0,{LEVEL_WITHIN}}}?{_NOT_INSIDE}(?P<severity>{marked}){_NOT_ON})"


def _without_stamps(lines: Sequence[str]) -> General | None:
    """Return a layout of lines that have levels, or belong together by indentation, and no times."""
    levels = sum(1 for line in lines if _LEVEL.search(line[:LEVEL_WITHIN]))
    indented = any(line[0] in " \t" for line in lines[1:])
    led = sum(1 for line in lines if _LED.match(line))
    if led and _LED.match(lines[0]) and led >= _MOSTLY * sum(1 for line in lines if line[0] not in " \t"):
        return General(
            patterns=(_LED.pattern,),
            continues=led < len(lines),
            evidence=f"no stamps; {led} of {len(lines)} lines begin with a level word",
        )
    if levels < 0.3 * len(lines) and not indented:
        return None
    marked = rf"(?:{_WORD})|(?<=[\[<({{|=\"])(?i:{_WORD})(?=[\]>)}}|:\s\"])|(?i:{_WORD})(?=:)"
    pattern = rf"^(?=.{{0,{LEVEL_WITHIN}}}?{_NOT_INSIDE}(?P<severity>{marked}){_NOT_ON})"
    return General(
        patterns=(pattern,) if levels else (),
        indented=indented,
        evidence=f"no stamps; {levels} of {len(lines)} lines have a level word, indented lines: {indented}",
    )


__all__ = ["BY_NAME", "General", "Shape", "learn"]
