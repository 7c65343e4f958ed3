"""Which keys of a file's JSON objects are the time and the level, where none has a name that the API's lists know.

Learned from the first records, like the place of a stamp in a line
(general.py): the values must read as times in order, or be words for levels
and nothing else, and the name counts too, since `expires_at` dates no record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from shipper.core.fitting import attributes_of, fit_of, taken
from shipper.core.general import WORDS, General, in_order
from shipper.core.model import AttributeValue
from shipper.core.rule import Rule
from shipper.core.severity import severity_of
from shipper.core.timestamps import DAY_MS, StampReader

_EARLIEST_MS: Final = 946_684_800_000  # 2000
_FEW: Final = 0.5
_IN_MOST: Final = 0.8
_MOSTLY: Final = 0.9
_ENOUGH_NUMBERS: Final = 3
_MOST_WORDS: Final = 12
_LEVEL_WORDS: Final = frozenset(map(str.lower, WORDS))
# Split into its words: camelCase too.
_OF_TIMES: Final = re.compile(
    r"time|date|stamp|epoch|instant|created|when|(?<![a-z])(?:ts|at|on)(?![a-z])|nanos?|millis?|secs?"
)
_OF_OTHER_TIMES: Final = re.compile(
    r"expir|valid|not_?(?:before|after)|until|due|dead_?line|birth|modif|updat|last|next|first|since|ttl|timeout"
    r"|duration|elapsed|start|end(?![a-z])|finish|clos|(?<![a-z])(?:exp|iat|nbf)(?![a-z])"
)
_OF_LEVELS: Final = re.compile(r"sev|level|lvl|prio")
_WORD_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

Flat = dict[str, AttributeValue]


def missing_keys(rule: Rule, lines: list[str], near_ms: int) -> General | None:
    """Return the keys of the time and the level in *lines*, where *rule* finds one of them in few; None for none."""
    fit = fit_of(rule, lines, near_ms)
    stamped, levelled, _ = taken(fit, lines)
    wants_stamp = stamped < _FEW and rule.stamp.field is None
    wants_level = levelled < _FEW and rule.severity.field is None
    if not (wants_stamp or wants_level):
        return None
    keys = learn_keys(attributes_of(fit, lines), near_ms)
    stamp, level = keys.stamp if wants_stamp else None, keys.level if wants_level else None
    if stamp is None and level is None:
        return None
    named = [f"the {what} is in {key}" for what, key in (("time", stamp), ("level", level)) if key is not None]
    return General(stamp_key=stamp, level_key=level, evidence=" and ".join(named))


def keyed(rule: Rule, general: General) -> Rule:
    """Return *rule* with the keys that were learned."""
    return msgspec.structs.replace(
        rule,
        stamp=msgspec.structs.replace(rule.stamp, field=general.stamp_key or rule.stamp.field),
        severity=msgspec.structs.replace(rule.severity, field=general.level_key or rule.severity.field),
    )


class Keys(NamedTuple):
    """Flat names of keys; None where there is none."""

    stamp: str | None
    level: str | None


def learn_keys(records: Sequence[Flat], near_ms: int) -> Keys:
    """Return which of the keys of *records*, flat and without those that are known, are the time and the level.

    Args:
        records: Of the beginning of a file.
        near_ms: About when the file was written; no time is much later.
    """
    values: dict[str, list[AttributeValue]] = {}
    for record in records:
        for name, value in record.items():
            values.setdefault(name, []).append(value)
    common = {name: found for name, found in values.items() if len(found) >= _IN_MOST * len(records)}
    stamps = [
        (_worth_of(name, place), name)
        for place, (name, found) in enumerate(common.items())
        if _dates(name, found, near_ms)
    ]
    levels = [
        (bool(_OF_LEVELS.search(_words(name))), -place, name)
        for place, (name, found) in enumerate(common.items())
        if _ranks(name, found)
    ]
    return Keys(max(stamps)[1] if stamps else None, max(levels)[2] if levels else None)


def _words(name: str) -> str:
    return _WORD_BORDER.sub("_", name).lower()


def _worth_of(name: str, place: int) -> tuple[bool, int, int]:
    return bool(_OF_TIMES.search(_words(name))), -name.count("."), -place


def _dates(name: str, values: list[AttributeValue], near_ms: int) -> bool:
    """Return whether *values* are times that can date their records."""
    words = _words(name)
    if _OF_OTHER_TIMES.search(words):
        return False
    texts = [str(value) for value in values if isinstance(value, str | int | float) and not isinstance(value, bool)]
    bare = [text for text in texts if text.replace(".", "", 1).isdigit()]
    if bare and not (_OF_TIMES.search(words) and len(texts) >= _ENOUGH_NUMBERS):
        return False
    reader = StampReader((), "")
    read = (reader.read(text, near_ms=near_ms, after_ms=None) for text in texts)
    instants = [stamp.ms for stamp in read if stamp is not None and _EARLIEST_MS <= stamp.ms <= near_ms + 2 * DAY_MS]
    return len(instants) >= _MOSTLY * len(values) and (len(instants) < 2 or in_order(instants) >= _IN_MOST)


def _ranks(name: str, values: list[AttributeValue]) -> bool:
    """Return whether *values* are words for levels: several, or under a name that says so."""
    words = {value.strip().lower() for value in _texts(values)}
    if not words or len(words) > _MOST_WORDS or len(_texts(values)) < _MOSTLY * len(values):
        return False
    if _OF_LEVELS.search(_words(name)):
        return all(severity_of(word, {}) is not None and not word.isdigit() for word in words)
    return len(words) > 1 and words <= _LEVEL_WORDS


def _texts(values: Iterable[AttributeValue]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
