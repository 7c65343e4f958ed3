"""Text that must not leave the process, replaced before anything else is done with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from shipper.core.model import AttributeValue
from shipper.core.rule import MaskRule

Mask = Callable[[str], str]


def compile_masks(rules: Sequence[MaskRule]) -> Mask | None:
    """Return one function that applies *rules* in order, each on the result of the one before; None for no rules."""
    if not rules:
        return None
    steps = [_compile(rule) for rule in rules]

    def mask(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return mask


def _compile(rule: MaskRule) -> Mask:
    pattern = re.compile(rule.pattern)
    replace = rule.replace
    if pattern.groups != 1:
        return lambda text: pattern.sub(lambda _: replace, text)

    def one_group(match: re.Match[str]) -> str:
        begin, end = match.span(1)
        if begin < 0:
            return match[0]
        offset = match.start()
        return match[0][: begin - offset] + replace + match[0][end - offset :]

    return lambda text: pattern.sub(one_group, text)


def mask_value(mask: Mask, value: AttributeValue) -> AttributeValue:
    """Return an attribute's *value* with its texts masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [mask(item) if isinstance(item, str) else item for item in value]
    return value
