"""W3C extended logs (IIS, CloudFront, Exchange, Zeek): a directive line names the columns of the lines below it.

The names are the file's own, so they travel with its carry from chunk to
chunk. Source: W3C, "Extended Log File Format", WD-logfile-960323: directives
begin with `#`; `date` and `time` are in UTC; `-` is an absent value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from shipper.core.extract import Attributes, Parsed
from shipper.core.rule import Rule

Header = tuple[str, ...]
NO_FIELDS_YET: Final = ("date", "time")
"""What stands in front in practice; for a file that is met after its `#Fields` line."""

_FIELDS: Final = re.compile(r"#fields(?::[ \t]*|[ \t]+)(.*)", re.IGNORECASE)
_DATE: Final = re.compile(r"#date:[ \t]*(\d{4}-\d\d-\d\d)", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"[^"]*"|[^ ]+')
_DAY_AND_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[ \t]\d\d:\d\d:\d\d")
TIMES: Final = ("date-time", "datetime", "timestamp", "ts", "time")
ABSENT: Final = frozenset(("-", "", "(empty)"))
_SPLITS: Final[tuple[Callable[[str], list[str]], ...]] = (
    lambda text: text.split("\t"),
    str.split,
    _QUOTED.findall,
    lambda text: text.split(","),
)


def is_directive(text: str) -> bool:
    """Return whether a line speaks of the lines below it and is no record."""
    return text.startswith("#")


def header_after(directive: str, header: Header) -> Header:
    """Return the names of the columns from *directive* on.

    The day of the last `#Date` stands before them with a `#`, for logs whose
    lines have only a time.
    """
    day, names = parted(header)
    fields = _FIELDS.match(directive)
    if fields is not None:
        text = fields[1].strip()
        names = tuple(name.strip() for name in (text.split() if len(text.split()) > 1 else text.split(",")))
    date = _DATE.match(directive)
    if date is not None:
        day = date[1]
    return (*(("#" + day,) if day else ()), *names)


class ColumnExtract:
    """Takes apart lines whose columns a header names; of a file whose header was not seen, only the time."""

    def __init__(self, rule: Rule) -> None:
        """Use the time and level columns that *rule* names, else those that the format knows."""
        self._times = (rule.stamp.field,) if rule.stamp.field else TIMES
        self._level = rule.severity.field

    def __call__(self, text: str) -> Parsed:
        """Take apart a line of a file whose header is not known."""
        return self.read(text, ())

    def read(self, text: str, header: Header) -> Parsed:
        """Take apart a line; one with other columns than *header* names keeps only its time."""
        if is_directive(text):
            return Parsed(None, None, {})
        day, names = parted(header)
        values = next((cut for cut in (split(text) for split in _SPLITS) if len(cut) == len(names)), None)
        if values is None:
            found = _DAY_AND_TIME.match(text) if (names or NO_FIELDS_YET)[:2] == NO_FIELDS_YET else None
            return Parsed(found[0].replace("\t", " ") if found else None, None, {}, not names)
        known: dict[str, str] = {}
        for name, value in zip(names, values, strict=True):
            bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
            if bare not in ABSENT:
                known.setdefault(name, bare)
        stamp = self._stamp(known, day)
        level = known.pop(self._level, None) if self._level else None
        attributes: Attributes = {**known}
        return Parsed(stamp, level, attributes)

    def _stamp(self, known: dict[str, str], day: str) -> str | None:
        if "date" in known and "time" in known:
            return f"{known.pop('date')} {known.pop('time')}"
        name = next((name for name in self._times if name in known), None)
        if name is None:
            return None
        text = known.pop(name)
        return f"{day} {text}" if name == "time" and day and "-" not in text else text


def parted(header: Header) -> tuple[str, Header]:
    """Return the day of the last `#Date` and the names of the columns."""
    return (header[0][1:], header[1:]) if header and header[0].startswith("#") else ("", header)
