"""How the messages in a container's log are read: as the log of the program that wrote them.

The runtime's time stays that of the record; level, attributes and which
messages belong together come from the program's layout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from shipper.core.containers import messages
from shipper.core.rule import RecordFormat, Rule
from shipper.core.text import without_ansi

_MOST: Final = 0.5
_BELOW: Final = re.compile(r"\s|Caused by: |Traceback |[\w.$]+(?:Error|Exception)\b|\}")  # of a trace


def inner_lines(rule: Rule, lines: Sequence[str]) -> list[str]:
    """Return the messages in *lines*, which are of a container's log; blank ones left out."""
    texts = (one.text for one in messages(lines, rule.format) if one.outer is not None and one.text.strip())
    return [without_ansi(text) if rule.ansi else text for text in texts]


def can_be_inside(rule: Rule, texts: Sequence[str]) -> bool:
    """Return whether *rule* reads most of *texts*, messages, and says more than the container's format by itself."""
    if rule.ansi:
        texts = [without_ansi(text) for text in texts]
    if rule.format is RecordFormat.PATTERN:
        patterns = [re.compile(pattern) for pattern in rule.patterns]
        own = sum(any(pattern.match(text) for pattern in patterns) for text in texts)
        below = sum(_BELOW.match(text) is not None for text in texts)
        return own >= _MOST * (len(texts) - below) and not any(r"\n(?" in pattern for pattern in rule.patterns)
    if rule.format is RecordFormat.JSON:
        return rule.multiline is not None or rule.severity.field is not None
    return rule.format is RecordFormat.RAW and rule.multiline is not None


def inside(outer: Rule, inner: Rule) -> Rule:
    """Return *outer*, a container's rule, with what *inner* says of a message."""
    return msgspec.structs.replace(
        outer, patterns=inner.patterns, stamp=inner.stamp, severity=inner.severity, multiline=inner.multiline,
        ansi=outer.ansi or inner.ansi,
    )  # fmt: skip


def as_pattern(rule: Rule) -> Rule:
    """Return the rule by which the messages of *rule*, a container's with patterns, would be read in a file."""
    return msgspec.structs.replace(rule, format=RecordFormat.PATTERN)
