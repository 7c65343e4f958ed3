"""How well one rule fits the first lines of a file: which of them it explains, and how much it takes out of them.

Detection (detect.py) compares what this module says of each candidate.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from shipper.core.columns import is_directive
from shipper.core.event import EventRules
from shipper.core.extract import UNPARSED
from shipper.core.model import AttributeValue
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat, Rule
from shipper.core.stamp_shapes import begins_with_stamp

SAMPLE_LINES: Final = 200
_FIRST_LOOK: Final = 12
# Behind a stamp this belongs to it: a rule that leaves it over reads another instant.
_LEFT_OVER: Final = re.compile(r" ?(?:[AaPp][Mm]\b|[+-]\d\d:?\d\d(?![\w:.-]))")
CONTAINERS: Final = (RecordFormat.CRI, RecordFormat.DOCKER)


class Fit(NamedTuple):
    rule: Rule
    lines: list[bool]

    @property
    def share(self) -> float:
        return sum(self.lines) / len(self.lines)


def lines_of(sample: str) -> list[str]:
    lines = [line.removesuffix("\r").lstrip("\0") for line in sample.split("\n")]
    if len(lines) > 1:
        lines.pop()  # empty, or cut
    return [line for line in lines if line and not line.isspace()][:SAMPLE_LINES]


def taken(fit: Fit, lines: list[str]) -> tuple[float, float, float]:
    """Return the shares of records with a stamp and with a level, and how many attributes one has."""
    reader, _ = _compiled(_Key(fit.rule))
    parsed = [reader.extract(line) for line, fits in zip(lines, fit.lines, strict=True) if fits][:SAMPLE_LINES]
    parsed = [one for one in parsed if one is not UNPARSED and one.fits] or parsed
    count = max(len(parsed), 1)
    stamps, levels = sum(p.stamp is not None for p in parsed), sum(p.level is not None for p in parsed)
    return stamps / count, levels / count, sum(len(p.attributes) for p in parsed) / count


def attributes_of(fit: Fit, lines: list[str]) -> list[dict[str, AttributeValue]]:
    """Return the keys of each JSON object in *lines*, flat, but for those that are known as its time and its level."""
    reader, splitter = _compiled(_Key(fit.rule))
    parsed = map(reader.extract, splitter.split("\n".join(lines)))
    return [one.attributes for one in parsed if one.fits]


def detail(fit: Fit, lines: list[str]) -> float:
    """Return how much the rule takes out of a line: the more, the more it is made for it."""
    reader, _ = _compiled(_Key(fit.rule))
    parsed = [reader.extract(line) for line, fits in zip(lines, fit.lines, strict=True) if fits][:_FIRST_LOOK]
    return sum(len(p.attributes) + (p.level is not None) for p in parsed) / len(parsed)


def fit_of(rule: Rule, lines: list[str], near_ms: int) -> Fit:
    """Return which of *lines* the rule explains; the raw text explains nothing."""
    if rule.format is RecordFormat.RAW:
        return Fit(rule, [False] * len(lines))
    reader, splitter = _compiled(_Key(rule))
    if rule.format is RecordFormat.W3C:
        return Fit(rule, _columns(reader, lines))
    if rule.multiline is not None and rule.format is RecordFormat.JSON:
        return Fit(rule, _objects(rule, reader, splitter, lines, near_ms))
    sign = re.compile(rule.sign).search if rule.sign is not None else None
    explained: list[bool] = []
    above = False
    pairs = reads_pairs(rule)
    for number, line in enumerate(lines):
        own = (sign is None or sign(line) is not None) and _is_record(rule, reader, line, near_ms)
        if pairs and not own and number + 1 < len(lines):
            own = _is_record(rule, reader, f"{line}\n{lines[number + 1]}", near_ms)
        # What begins with a stamp of its own is no part of the record above, whatever the layout says.
        goes_on = not own and above and splitter.multi and not begins_with_stamp(line)
        above = own or goes_on
        explained.append(above)
    return Fit(rule, explained)


def reads_pairs(rule: Rule) -> bool:
    """Return whether lines of this form can be judged together only."""
    together = rule.format is RecordFormat.W3C or (rule.format is RecordFormat.JSON and rule.multiline is not None)
    return together or any(r"\n(?" in pattern for pattern in rule.patterns)


def _is_record(rule: Rule, reader: EventRules, line: str, near_ms: int) -> bool:
    if rule.format in CONTAINERS:
        return _is_container_line(rule, line)
    if rule.format is RecordFormat.JSON and not line.startswith("{"):
        return False
    parsed = reader.extract(line)
    if parsed is UNPARSED or not parsed.fits:
        return False
    if parsed.stamp is None:
        # A format that names the key of its time is not the one of a record without it.
        return (rule.format is RecordFormat.JSON and rule.stamp.field is None) or (
            rule.format is RecordFormat.LOGFMT and _is_logfmt(line)
        )
    if isinstance(parsed.stamp, str):
        if reader.stamp_reader.read(parsed.stamp, near_ms=near_ms, after_ms=None) is None:
            return False
        if rule.format is RecordFormat.PATTERN and _LEFT_OVER.match(line, line.find(parsed.stamp) + len(parsed.stamp)):
            return False
    return rule.format is not RecordFormat.LOGFMT or _is_logfmt(line)


def _is_container_line(rule: Rule, line: str) -> bool:
    if rule.format is RecordFormat.CRI:
        return re.match(r"\d{4}-\d\d-\d\dT[^ ]+ (?:stdout|stderr) [FP](?::[^ ]*)? ", line + " ") is not None
    return line.startswith("{") and all(key in line for key in ('"log":', '"stream":', '"time":'))


def _is_logfmt(line: str) -> bool:
    """Return whether most of a line's words are pairs: a message may hold some of them."""
    words = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line).split()
    return sum("=" in word for word in words) >= max(2, 0.6 * len(words))


def _columns(reader: EventRules, lines: list[str]) -> list[bool]:
    if not any(line.lower().startswith("#fields") for line in lines):
        return [False] * len(lines)
    return [is_directive(line) or reader.extract(line).stamp is not None for line in lines]


def _objects(rule: Rule, reader: EventRules, splitter: RecordSplitter, lines: list[str], near_ms: int) -> list[bool]:
    """Return which lines belong to JSON objects; the last one may be cut."""
    explained: list[bool] = []
    records = splitter.split("\n".join(lines))
    sign = re.compile(rule.sign).search if rule.sign is not None else None
    for index, record in enumerate(records):
        good = (sign is None or sign(record) is not None) and _is_record(rule, reader, record, near_ms)
        cut = index == len(records) - 1 and index > 0 and explained[-1]
        explained += [good or cut] * (record.count("\n") + 1)
    return (explained + [False] * len(lines))[: len(lines)]


class _Key:
    """A rule as a key of the cache: by identity, since rules hold dicts."""

    __slots__ = ("rule",)

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __hash__(self) -> int:
        return id(self.rule)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.rule is self.rule


@lru_cache(maxsize=1024)
def _compiled(key: _Key) -> tuple[EventRules, RecordSplitter]:
    return EventRules(key.rule), RecordSplitter(key.rule)
