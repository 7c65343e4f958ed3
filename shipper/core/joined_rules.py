"""Several layouts in one file: one rule with the patterns of all."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shipper.core.rule import MultilineRule, RecordFormat, Rule, StampRule
from shipper.core.stamp_formats import ALL


def can_join(rule: Rule, other: Rule) -> bool:
    """Return whether one rule can read the lines of both."""
    formats = all(one.format is RecordFormat.PATTERN for one in (rule, other))
    starts = all(one.multiline is None or one.multiline.start_at_stamp for one in (rule, other))
    return formats and starts and other.stamp.field == rule.stamp.field


def joined(rules: Sequence[Rule]) -> Rule:
    """Return one rule with the patterns of all: a line is read by the first that fits."""
    first = rules[0]
    multiline = next((rule.multiline for rule in rules if rule.multiline is not None), None)
    if multiline is not None and multiline.start is not None:
        # A start that one of them names would swallow the records of the others.
        multiline = MultilineRule(start_at_stamp=True, timeout_ms=multiline.timeout_ms)
    formats = tuple(dict.fromkeys(text for rule in rules for text in (rule.stamp.formats or ALL)))
    texts = [pattern for rule in rules for pattern in rule.patterns]
    repeated = [text for text in texts if texts.count(text) > 1]  # what several fall back on comes after what each has
    words = {word: meaning for rule in reversed(rules) for word, meaning in rule.severity.words.items()}
    return msgspec.structs.replace(
        first,
        patterns=(*(text for text in texts if texts.count(text) == 1), *dict.fromkeys(repeated)),
        stamp=StampRule(first.stamp.field, formats, first.stamp.zone),
        severity=msgspec.structs.replace(first.severity, words=words),
        multiline=multiline,
    )
