"""Takes one record's text apart: its time, its level, its keys, by the rule's format.

What an event is made of, not the event: reserved names, masks, ages and limits
are event.py's. Sources: the spec page; the reference page, section 4 (key
lists and priorities).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from shipper.core.attributes import flatten, group_name
from shipper.core.model import AttributeValue
from shipper.core.rule import RecordFormat, Rule
from shipper.core.severity import severity_of

TIME_KEYS: Final = (
    "timestamp", "@timestamp", "_timestamp", "eventtime", "date", "published_date", "syslog.timestamp", "time",
    "epochsecond", "starttime", "datetime", "ts", "timemillis", "@t",
)  # fmt: skip
LEVEL_KEYS: Final = ("loglevel", "status", "severity", "level", "syslog.severity", "lvl", "log.level")
_TIME_RANK: Final = {key: rank for rank, key in enumerate((*TIME_KEYS, "t"))}
_LEVEL_RANK: Final = {key: rank for rank, key in enumerate(LEVEL_KEYS)}
# A key begins where nothing of one stands before it: else a long word without `=` is tried from each of its letters.
_LOGFMT: Final = re.compile(r'(?<![^\s="])([^\s="]+)=(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|(\S*))')
_LOGFMT_LEVEL: Final = re.compile(r"(?:^|\s)(?:level|severity|lvl|loglevel)=")
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}

Attributes = dict[str, AttributeValue]
_decode = msgspec.json.Decoder().decode


class Parsed(NamedTuple):
    """A record taken apart.

    Attributes:
        stamp: The time as it was written; None where there is none.
        level: The level as it was written.
        attributes: The other keys, flat, with their own names.
        fits: Whether the rule's format was found in the text.
        stamp_name, level_name: The group or key that the time and the level were taken from; empty for none.
    """

    stamp: str | int | float | None
    level: str | int | None
    attributes: Attributes
    fits: bool = True
    stamp_name: str = ""
    level_name: str = ""


UNPARSED: Final = Parsed(None, None, {}, False)
Extract = Callable[[str], Parsed]


def extractor(rule: Rule) -> Extract:
    """Return the function that takes apart records read by *rule*; for containers, their inner messages."""
    if rule.patterns:
        return PatternExtract(rule)
    keys = KeyChoice(rule)
    if rule.format is RecordFormat.JSON:
        return keys.json
    if rule.format is RecordFormat.LOGFMT:
        return keys.logfmt
    if rule.format in (RecordFormat.CRI, RecordFormat.DOCKER):
        return keys.inner
    return lambda _text: Parsed(None, None, {})


class PatternExtract:
    """Named groups of the first pattern that matches."""

    def __init__(self, rule: Rule) -> None:
        """Compile the rule's patterns."""
        self.patterns = [re.compile(pattern) for pattern in rule.patterns]
        self.stamp_group = rule.stamp.field or "timestamp"
        self.level_groups = (rule.severity.field,) if rule.severity.field else ("severity", "level")
        self.names = {
            name: group_name(name)
            for pattern in self.patterns
            for name in pattern.groupindex
            if name != self.stamp_group and name not in self.level_groups
        }

    def __call__(self, text: str) -> Parsed:
        """Return what the groups hold; empty and absent ones are left out."""
        for pattern in self.patterns:
            match = pattern.match(text)
            if match is not None:
                groups = match.groupdict()
                level_name = next((group for group in self.level_groups if groups.get(group)), "")
                stamp = groups.get(self.stamp_group) or None
                names = self.names
                return Parsed(
                    stamp,
                    groups[level_name] if level_name else None,
                    {names[group]: value for group, value in groups.items() if value and group in names},
                    stamp_name=self.stamp_group if stamp else "",
                    level_name=level_name,
                )
        return UNPARSED


class KeyChoice:
    """Which key of a JSON object or logfmt line is the time, and which the level."""

    def __init__(self, rule: Rule) -> None:
        """Use the fields that *rule* names, else the key lists."""
        self._nesting = rule.limits.nesting
        self._words = rule.severity.words
        self._times = {rule.stamp.field.lower(): 0} if rule.stamp.field else _TIME_RANK
        self._levels = {rule.severity.field.lower(): 0} if rule.severity.field else _LEVEL_RANK
        self._any_level = rule.severity.field is not None
        self._lower: dict[str, str] = {}

    def json(self, text: str) -> Parsed:
        """Take apart a record that is one JSON object."""
        try:
            value = _decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return UNPARSED
        if not isinstance(value, dict):
            return UNPARSED
        flat: Attributes = {}
        for key, item in value.items():
            if isinstance(item, str | int | float):
                self._put(flat, key, item)
            elif item is not None:
                for name, inner in flatten({key: item}, self._nesting):
                    self._put(flat, name, inner)
        return self._choose(flat)

    def logfmt(self, text: str) -> Parsed:
        """Take apart a record of key=value pairs."""
        flat: Attributes = {}
        for key, value in logfmt_pairs(text):
            self._put(flat, key, value)
        return self._choose(flat) if flat else UNPARSED

    def inner(self, text: str) -> Parsed:
        """Take apart the message of a container log line: JSON, logfmt with a level, or nothing."""
        if text.startswith("{"):
            parsed = self.json(text)
        elif is_leveled(text):
            parsed = self.logfmt(text)
        else:
            return Parsed(None, None, {})
        return parsed._replace(stamp=None, fits=True, stamp_name="")

    @staticmethod
    def _put(flat: Attributes, name: str, value: AttributeValue) -> None:
        while name in flat:
            name = "app." + name
        flat[name] = value

    def _choose(self, flat: Attributes) -> Parsed:
        time_key = level_key = ""
        time_rank = level_rank = 1000
        lowered = self._lower
        for name, value in flat.items():
            low = lowered.get(name)
            if low is None:
                low = name.lower()
                if len(lowered) < 10_000:
                    lowered[name] = low
            rank = self._times.get(low, 1000)
            if rank < time_rank and isinstance(value, str | int | float) and not isinstance(value, bool):
                time_key, time_rank = name, rank
            rank = self._levels.get(low, 1000)
            if rank < level_rank and self.is_level(low, value):
                level_key, level_rank = name, rank
        stamp = flat.pop(time_key) if time_key else None
        level = flat.pop(level_key) if level_key else None
        return Parsed(
            stamp if isinstance(stamp, str | int | float) else None,
            level if isinstance(level, str | int) else None,
            flat,
            stamp_name=time_key,
            level_name=level_key,
        )

    def ranks(self, name: str) -> tuple[int | None, int | None]:
        """Return how early *name* stands among the keys of the time, and among those of the level."""
        return self._times.get(name.lower()), self._levels.get(name.lower())

    def is_level(self, key: str, value: AttributeValue) -> bool:
        """Return whether *value* is a level; *key* is its name in lower case."""
        if isinstance(value, bool) or not isinstance(value, str | int):
            return False
        if self._any_level:
            return True
        # An HTTP `status: 200` outranks `level` in the API's list and would lose the level there.
        if key == "status" and str(value).isdigit():
            return False
        return severity_of(value, self._words) is not None


def logfmt_pairs(text: str) -> list[tuple[str, str]]:
    """Return the keys of a record of key=value pairs, in order, those with an empty value left out."""
    return [
        (key, _ESCAPE.sub(_unescape, quoted) if "\\" in quoted else quoted or bare)
        for key, quoted, bare in _LOGFMT.findall(text)
        if quoted or bare
    ]


def is_leveled(text: str) -> bool:
    """Return whether a message holds a pair that logfmt gives its level in."""
    some = "level=" in text or "lvl=" in text or "severity=" in text  # looked for far faster than the pattern
    return some and _LOGFMT_LEVEL.search(text) is not None


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[1])
