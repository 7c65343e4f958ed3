"""Which rule fits a file that nobody described: the first records decide.

Each candidate is scored by the share of records in which it finds its layout
and a stamp that can be read. A specific layout wins over a general one that
fits as well, because it stands before it; what fits nothing is raw text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from shipper.core.columns import is_directive
from shipper.core.event import EventRules
from shipper.core.extract import UNPARSED
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat, Rule

SAMPLE_LINES: Final = 60
ENOUGH: Final = 0.5
_FORMATS_WITHOUT_STAMP: Final = (RecordFormat.JSON, RecordFormat.LOGFMT)
_NEAR_MS: Final = 4_102_444_800_000  # the year does not matter here


def choose(candidates: Sequence[Rule], sample: str) -> Rule:
    """Return the candidate that fits *sample*, the decoded beginning of a file; the raw one where none does.

    Raises:
        ValueError: There are no candidates.
    """
    if not candidates:
        raise ValueError("nothing to choose from")
    lines = [line.removesuffix("\r").lstrip("\0") for line in sample.split("\n")]
    if len(lines) > 1 and not sample.endswith("\n"):
        lines.pop()  # it may be cut
    text = "\n".join(lines[:SAMPLE_LINES])
    best = next((rule for rule in candidates if rule.format is RecordFormat.RAW), candidates[-1])
    best_score = 0.0
    for rule in candidates:
        if rule.format is RecordFormat.RAW:
            continue
        score = _score(rule, text)
        if score >= ENOUGH and score > best_score + 0.05:
            best, best_score = rule, score
    return best


def _score(rule: Rule, text: str) -> float:
    reader, splitter = _compiled(_key(rule))
    records = splitter.split(text)
    if rule.format is RecordFormat.W3C:
        records = [record for record in records if not is_directive(record)] if "#fields" in text.lower() else []
    if not records:
        return 0.0
    sign = re.compile(rule.sign) if rule.sign is not None else None
    good = 0.0
    for record in records:
        if sign is not None and not sign.search(record):
            continue
        parsed = reader.extract(record)
        if parsed is UNPARSED or not parsed.fits:
            continue
        if parsed.stamp is None:
            good += 0.4 if rule.format in _FORMATS_WITHOUT_STAMP and _is_rich(record, rule) else 0.0
        elif (isinstance(parsed.stamp, str) and _reads(reader, parsed.stamp)) or not isinstance(parsed.stamp, str):
            good += 1.0
    return good / len(records)


def _is_rich(record: str, rule: Rule) -> bool:
    return record.startswith("{") if rule.format is RecordFormat.JSON else record.count("=") >= 2


def _reads(reader: EventRules, stamp: str) -> bool:
    return reader.stamp_reader.read(stamp, near_ms=_NEAR_MS, after_ms=None) is not None


class _Key:
    """A rule as a key of the cache: by identity, since rules hold dicts."""

    __slots__ = ("rule",)

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __hash__(self) -> int:
        return id(self.rule)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.rule is self.rule


def _key(rule: Rule) -> _Key:
    return _Key(rule)


@lru_cache(maxsize=512)
def _compiled(key: _Key) -> tuple[EventRules, RecordSplitter]:
    return EventRules(key.rule), RecordSplitter(key.rule)
