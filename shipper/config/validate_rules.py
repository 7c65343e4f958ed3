"""What a source's or a preset's reading rules must be: patterns, stamps, levels, multi-line, masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shipper.config.mask_presets import MASK_PRESETS
from shipper.config.patterns import broken_at, group_count, matches_nothing_at_all, pattern_problem
from shipper.config.place import Place
from shipper.config.problems import known_words
from shipper.config.source_model import MaskKeys, MultilineKeys, SeverityKeys, TimestampKeys
from shipper.core.severity import SEVERITIES
from shipper.core.timestamps import check_format, check_zone

AT_STAMP: Final = "timestamp"
"""The word that stands for a pattern in `multiline.start`."""


def check_pattern(pattern: str | None, place: Place) -> bool:
    """Note in *place* why *pattern* cannot be compiled; return whether it can."""
    problem = pattern_problem(pattern) if pattern is not None else None
    if problem is not None:
        place.wrong(problem, at=broken_at(pattern or ""))
    return problem is None


def check_patterns(patterns: Sequence[str], place: Place) -> None:
    """Note in *place* which of *patterns* cannot be compiled."""
    for number, pattern in enumerate(patterns):
        check_pattern(pattern, place.at(number))


def check_timestamp(keys: TimestampKeys, place: Place) -> None:
    """Note in *place* which formats and zones are unknown."""
    for number, text in enumerate(keys.formats):
        problem = check_format(text)
        if problem is not None:
            place.at("formats", number).wrong(problem)
    problem = check_zone(keys.timezone) if keys.timezone is not None else None
    if problem is not None:
        place.at("timezone").wrong(problem)


def check_severity(keys: SeverityKeys, place: Place) -> None:
    """Note in *place* which levels are unknown, and which patterns are wrong."""
    seen: dict[str, str] = {}
    for word, severity in keys.map.items():
        at = place.at("map", word)
        _check_level(severity, at)
        twin = seen.setdefault(word.strip().lower(), word)
        if twin != word:
            at.wrong(f"is the same word as {twin!r}, case aside; keep one of them")
    for number, rule in enumerate(keys.rules):
        check_pattern(rule.match, place.at("rules", number, "match"))
        _check_level(rule.severity, place.at("rules", number, "severity"))
    if keys.default is not None:
        _check_level(keys.default, place.at("default"))


def check_multiline(keys: MultilineKeys, place: Place, *, most_bytes: int | None = None) -> None:
    """Note in *place* what contradicts itself in *keys*."""
    if keys.start is not None and keys.continue_ is not None:
        place.at("continue").wrong("start is given too; keep one of them")
    if keys.start is not None and keys.start != AT_STAMP:
        check_pattern(keys.start, place.at("start"))
    check_pattern(keys.continue_, place.at("continue"))
    check_pattern(keys.heading, place.at("heading"))
    if keys.heading is not None and keys.start is None:
        place.at("heading").wrong("stands above what start matches; give start too")
    if most_bytes is not None and keys.max_bytes is not None and keys.max_bytes > most_bytes:
        place.at("max_bytes").wrong(f"{keys.max_bytes} is over limits.memory, {most_bytes}; lower it")


def check_field(field: str | None, groups: frozenset[str] | None, place: Place) -> None:
    """Note in *place* that *field* names none of *groups*; None means that the fields are not known before reading."""
    if field is None or groups is None or field in groups:
        return
    if groups:
        place.wrong(f"the pattern has no group {field!r}; {known_words(field, sorted(groups))}")
    else:
        place.wrong(f"the pattern has no named group, so there is no {field!r}; write (?P<{field}>...) in it")


def check_masks(masks: Sequence[MaskKeys], place: Place) -> None:
    """Note in *place* which masks cannot do what they are there for."""
    for number, mask in enumerate(masks):
        at = place.at(number)
        if mask.pattern is None and mask.preset is None:
            at.wrong("neither a pattern nor a preset is given; write one of them")
        elif mask.pattern is not None and mask.preset is not None:
            at.wrong("a pattern and a preset are given; keep one of them")
        if mask.preset is not None and mask.preset not in MASK_PRESETS:
            at.at("preset").wrong(f"unknown preset {mask.preset!r}; {known_words(mask.preset, MASK_PRESETS)}")
        if mask.pattern is not None and check_pattern(mask.pattern, at.at("pattern")):
            _check_mask_pattern(mask.pattern, at.at("pattern"))


def _check_mask_pattern(pattern: str, place: Place) -> None:
    groups = group_count(pattern)
    if groups > 1:
        place.wrong(
            f"a mask replaces the whole match or one group, and here are {groups}; write (?:...) for the others"
        )
    elif matches_nothing_at_all(pattern):
        place.wrong("matches an empty text, and so between any two characters; ask for one character at least")


def _check_level(severity: str, place: Place) -> None:
    if severity.lower() not in SEVERITIES:
        place.wrong(f"unknown severity {severity!r}; {known_words(severity, SEVERITIES)}")
