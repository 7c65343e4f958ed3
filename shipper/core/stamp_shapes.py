"""Stamps anywhere near the beginning of a line: what they look like, and which of what looks like one is meant.

For lines that nobody described. A shape is a pattern without groups and the
formats that read it; where a day and a month could be one another, the sample
as a whole decides (general.py). Sources: the reference page, sections 4.1 and
9; the layouts of well-known programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

SEARCHED_CHARACTERS: Final = 256
CLOCK_ONLY: Final = "%H:%M:%S"

_CLOCK: Final = r"\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?"
_LOOSE_CLOCK: Final = r"\d{1,2}:\d\d:\d\d(?:[.,:]\d{1,9})?"
_OFFSET: Final = r"[+-]\d\d(?::?\d\d)?"
_ZONE: Final = rf"(?: ?(?:Z\b|(?:UTC|GMT){_OFFSET}|{_OFFSET}(?![\w:-])|(?:UTC|GMT|[A-Z]{{2,3}}T)(?![\w:])))?"
_MONTH: Final = r"(?i:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_FULL_MONTH: Final = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|" + _MONTH + ")"
)
_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"


class Shape(NamedTuple):
    """One way in which a stamp is written.

    Attributes:
        name: What the evidence calls it.
        pattern: Without groups; matches the whole stamp.
        formats: Readings, to be tried in order; several where day, month and year could change places.
        bare: A mere number: it must stand alone, and mean an instant of these years.
    """

    name: str
    pattern: str
    formats: tuple[str, ...]
    bare: bool = False


SHAPES: Final = (
    Shape("iso", rf"\d{{4}}-\d\d-\d\d[Tt _]{_CLOCK}{_ZONE}", ("rfc3339", "%Y-%m-%d_%H:%M:%S")),
    Shape("keys", r"date=\d{4}-\d\d-\d\d time=\d\d:\d\d:\d\d", ("date=%Y-%m-%d time=%H:%M:%S",)),
    Shape("db2", r"\d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d(?:\.\d{1,9})?(?:[+-]\d{1,4})?", ("%Y-%m-%d-%H.%M.%S",)),
    Shape("iso_colon_fraction", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3,9}", ("%Y-%m-%d %H:%M:%S:%f",)),
    Shape("iso_am_pm", r"\d{4}-\d\d-\d\d \d{1,2}:\d\d:\d\d ?[AP]M", ("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M:%S%p")),
    Shape(
        "short_am_pm",
        r"\d{1,2}/\d{1,2}/\d\d,? \d{1,2}:\d\d:\d\d ?[AP]M",
        ("%m/%d/%y %I:%M:%S %p", "%d/%m/%y %I:%M:%S %p"),
    ),
    Shape(
        "clock_first",
        r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})? \d{1,2}/\d{1,2}/\d{4}",
        ("%H:%M:%S %d/%m/%Y", "%H:%M:%S %m/%d/%Y"),
    ),
    Shape("clock_first_iso", r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})? \d{4}-\d\d-\d\d", ("%H:%M:%S %Y-%m-%d",)),
    Shape(
        "iso_loose",
        r"\d{4}-\d{1,2}-\d{1,2}[ ,]\d{1,2}:\d\d:\d\d(?:[.,:]\d{1,9})?",
        ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d,%H:%M:%S"),
    ),
    # In columns of their own.
    Shape(
        "iso_apart",
        rf"\d{{4}}-\d\d-\d\d[;|\t]{_CLOCK}{_ZONE}",
        ("%Y-%m-%d;%H:%M:%S", "%Y-%m-%d|%H:%M:%S", "%Y-%m-%d %H:%M:%S"),
    ),
    Shape(
        "dots_apart",
        rf"\d\d\.\d\d\.\d{{4}}[;|\t]{_CLOCK}{_ZONE}",
        ("%d.%m.%Y;%H:%M:%S", "%d.%m.%Y|%H:%M:%S", "%d.%m.%Y %H:%M:%S"),
    ),
    Shape(
        "slashes_apart",
        rf"\d\d/\d\d/\d{{4}}[;|,\t]{_CLOCK}{_ZONE}",
        tuple(f"{date}{mark}%H:%M:%S" for mark in ";|, " for date in ("%m/%d/%Y", "%d/%m/%Y")),
    ),
    Shape("slashes", rf"\d{{4}}/\d\d?/\d\d?[ T-]{_LOOSE_CLOCK}{_ZONE}", ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d-%H:%M:%S")),
    Shape("dots_year_first", rf"\d{{4}}\.\d\d\.\d\d[ T-]{_CLOCK}{_ZONE}", ("%Y.%m.%d %H:%M:%S", "%Y.%m.%d-%H:%M:%S")),
    Shape("common_log", rf"\d\d/{_MONTH}/\d{{4}}[: ]{_CLOCK}{_ZONE}", ("%d/%b/%Y:%H:%M:%S", "%d/%b/%Y %H:%M:%S")),
    Shape(
        "asctime",
        rf"{_DAY},? {_MONTH} {{1,2}}\d{{1,2}} {_CLOCK}(?: [A-Z]{{3,4}})? \d{{4}}",
        ("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S.%f %Y", "%a %b %d %H:%M:%S %Z %Y"),
    ),
    Shape("rfc2822", rf"{_DAY}, \d{{1,2}} {_MONTH} \d{{4}} {_CLOCK}{_ZONE}", ("%a, %d %b %Y %H:%M:%S",)),
    Shape(
        "month_first_am_pm",
        rf"{_FULL_MONTH} \d{{1,2}},? \d{{4}},? {_LOOSE_CLOCK} ?[AP]M",
        ("%b %d, %Y %I:%M:%S %p", "%b %d %Y %I:%M:%S %p", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S%p"),
    ),
    Shape(
        "month_first",
        rf"{_FULL_MONTH} \d{{1,2}},? \d{{4}},? {_CLOCK}{_ZONE}",
        ("%b %d, %Y %H:%M:%S", "%b %d %Y %H:%M:%S", "%b %d, %Y, %H:%M:%S"),
    ),
    Shape("rfc3164_year", rf"{_MONTH} {{1,2}}\d{{1,2}} \d{{4}} {_CLOCK}{_ZONE}", ("rfc3164",)),
    Shape("rfc3164", rf"{_MONTH} {{1,2}}\d{{1,2}} {_CLOCK}{_ZONE}", ("rfc3164",)),
    Shape(
        "day_first", rf"\d{{1,2}}[ -]{_MONTH}[ -]\d{{4}}[ T]{_CLOCK}{_ZONE}", ("%d %b %Y %H:%M:%S", "%d-%b-%Y %H:%M:%S")
    ),
    Shape("day_first_short_year", rf"\d\d-{_MONTH}-\d\d {_CLOCK}", ("%d-%b-%y %H:%M:%S",)),
    Shape(
        "year_month_name", rf"\d{{4}}[ -]{_MONTH}[ -]\d\d {_CLOCK}{_ZONE}", ("%Y %b %d %H:%M:%S", "%Y-%b-%d %H:%M:%S")
    ),
    Shape("day_month_name", rf"\d\d {_MONTH} {_CLOCK}", ("%d %b %H:%M:%S",)),
    Shape(
        "us_am_pm",
        rf"\d{{1,2}}/\d{{1,2}}/\d{{4}},? {_LOOSE_CLOCK} ?[AP]M",
        ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y, %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p", "%d/%m/%Y, %I:%M:%S %p"),
    ),
    Shape(
        "us_or_eu",
        rf"\d{{1,2}}/\d{{1,2}}/\d{{4}},? {_LOOSE_CLOCK}{_ZONE}",
        ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y, %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y, %H:%M:%S"),
    ),
    Shape(
        "dots_day_first",
        rf"\d{{1,2}}\.\d{{1,2}}\.\d{{4}},? {_LOOSE_CLOCK}{_ZONE}",
        ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y, %H:%M:%S"),
    ),
    Shape("dashes_day_first", rf"\d\d-\d\d-\d{{4}} {_CLOCK}{_ZONE}", ("%d-%m-%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S")),
    Shape(
        "short_year_slashes",
        rf"\d\d/\d\d/\d\d {_CLOCK}",
        ("%y/%m/%d %H:%M:%S", "%m/%d/%y %H:%M:%S", "%d/%m/%y %H:%M:%S"),
    ),
    Shape("short_year_dashes", rf"\d\d-\d\d-\d\d {_CLOCK}", ("%y-%m-%d %H:%M:%S",)),
    Shape("short_year_dots", rf"\d\d\.\d\d\.\d\d {_CLOCK}", ("%d.%m.%y %H:%M:%S",)),
    Shape("compact", rf"\d{{8}}[ T-]{_CLOCK}{_ZONE}", ("%Y%m%d %H:%M:%S", "%Y%m%dT%H:%M:%S", "%Y%m%d-%H:%M:%S")),
    Shape(
        "compact_time",
        rf"\d{{8}}[T_-]\d{{6}}(?:[.,]\d{{1,9}})?{_ZONE}",
        ("%Y%m%dT%H%M%S", "%Y%m%d_%H%M%S", "%Y%m%d-%H%M%S"),
    ),
    Shape("compact_short", rf"\d{{6}} {{1,2}}{_LOOSE_CLOCK}", ("%y%m%d %H:%M:%S",)),
    Shape("compact_both", r"\d{6} \d{6}", ("%y%m%d %H%M%S",)),
    Shape("compact_spaced", r"\d{8} \d{6}(?:[.,]\d{1,9})?", ("%Y%m%d %H%M%S",)),
    Shape("klog", rf"\d{{4}} {_CLOCK}", ("%m%d %H:%M:%S",)),
    Shape("month_day", rf"\d\d-\d\d[ |]{_CLOCK}", ("%m-%d %H:%M:%S", "%m-%d|%H:%M:%S")),
    Shape("day_month_slash", rf"\d\d/\d\d {_CLOCK}", ("%m/%d %H:%M:%S", "%d/%m %H:%M:%S")),
    Shape("month_day_dots", rf"\d\d\.\d\d {_CLOCK}", ("%m.%d %H:%M:%S", "%d.%m %H:%M:%S")),
    Shape("to_the_minute", r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?![:\d])", ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")),
    Shape("clock", r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?+(?!:?\d)", (CLOCK_ONLY,), bare=True),
    Shape("compact_whole", r"20\d{12}", ("%Y%m%d%H%M%S",), bare=True),
    Shape("epoch_fraction", r"\d{10}\.\d{3,9}", ("epoch",), bare=True),
    Shape("epoch", r"\d{19}|\d{16}|\d{13}|\d{10}", ("epoch",), bare=True),
)
BY_NAME: Final = {shape.name: shape for shape in SHAPES}

_ANY: Final = r"(?<![\d.:/])(?:" + "|".join(shape.pattern for shape in SHAPES if not shape.bare) + r")(?!\d)"
# A line is searched once for the place where any of them begins; which one it is, is asked there only.
_BEGIN: Final = r"(?=[\dA-Zd])(?<![\d.:/])(?:" + "|".join(shape.pattern for shape in SHAPES) + r")(?!\d)"
# What leads to a time that a sentence or an exception speaks of, or an indented line: it dates nothing.
# The heading of a file dates itself.
_SPEAKS_OF: Final = re.compile(
    r"[ \t]+[^ \t].*\w|(?!#).*?(?<![^ ])[a-z]+,? [a-z]+ [\"'(]?\Z"
    r"|[\w.$]*(?:Error|Exception|Warning|Interrupt): |Caused by: "
)
_compile: Final = cache(re.compile)  # when first wanted: to compile all of them takes a twentieth of a start


class Found(NamedTuple):
    """Something in a line that looks like a stamp."""

    shape: Shape
    begin: int
    end: int
    text: str


def stamps_in(line: str) -> Iterator[Found]:
    """Yield what looks like a stamp in the first 256 characters of *line*, from left to right."""
    text = line[:SEARCHED_CHARACTERS]
    at = 0
    while at < len(text):
        place = _compile(_BEGIN).search(text, at)
        if place is None:
            return
        begin = place.start()
        found = [
            (match.end(), -number, shape)
            for number, shape in enumerate(SHAPES)
            if (match := _compile(rf"(?:{shape.pattern})(?!\d)").match(text, begin))
        ]
        end, _, shape = max(found, key=lambda entry: entry[:2])
        yield Found(shape, begin, end, text[begin:end])
        at = end


def begins_with_stamp(line: str, within: int = 48) -> bool:
    """Return whether a stamp stands in the first *within* characters of *line*: then it hardly goes on with another."""
    match = _compile(_ANY).search(line, 0, within + 40)
    return match is not None and match.start() <= within and not speaks_of_time(line[: match.start()])


def speaks_of_time(before: str) -> bool:
    """Return whether what stands *before* a stamp says that it dates no line: a sentence, an exception, a frame."""
    return _SPEAKS_OF.match(before) is not None
