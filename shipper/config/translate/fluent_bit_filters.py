"""Fluent Bit's filters that have an equivalent, for the inputs whose tags they match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shipper.config.translate.common import Draft, Given
from shipper.config.translate.fluent_bit_files import all_of, one
from shipper.config.translate.fluent_bit_parsers import Named, joined_by
from shipper.config.translate.steps import add_pattern

_HINTS: Final = {
    "parser": "write the parser at the input: its regex is pattern there",
    "lua": "a program: write keep, drop, mask or attributes for what it does",
    "kubernetes": "attributes from the path: ${1} is what its first wildcard stands for",
    "throttle": "rate_limit slows reading and drops nothing",
    "rewrite_tag": "tags route within Fluent Bit; write a source for each",
    "nest": "JSON keys become flat attributes with dotted names by themselves",
}
_CHANGES_RECORDS: Final = frozenset({"lua", "parser", "rewrite_tag", "wasm", "multiline"})
_ELSEWHERE: Final = "write keep, drop or attributes in the source it is for"


@dataclass
class Tailed:
    """A source that is being made, with what a filter sees of it."""

    draft: Draft
    tag: str
    key: str
    is_changed: bool = False

    @property
    def is_whole_line(self) -> bool:
        """Whether its key holds the record's text when filters see it."""
        is_parsed = "pattern" in self.draft.keys or self.draft.keys.get("format", "docker") != "docker"
        return not self.is_changed and not is_parsed


def apply(given: Given, tailed: list[Tailed], multiline_parsers: Named) -> None:
    """Take the filter *given* into the sources that it matches, where it can be said there."""
    name, match = one(given, "name"), one(given, "match")
    kind = name.text.lower() if name else ""
    matched = [each for each in tailed if match and _covers(match.text, each.tag)]
    if match is None or any(_may_meet(match.text, each.tag) for each in tailed if each not in matched):
        given.leave_rest(f"which inputs it is for is decided by tags at run time; {_ELSEWHERE}")
    elif not matched:
        given.leave_rest("it matches no input that reads files")
    elif kind == "grep":
        _grep(given, matched)
    elif kind in {"record_modifier", "modify"} and one(given, "condition") is None:
        for value in (*all_of(given, "record"), *all_of(given, "add"), *all_of(given, "set")):
            _attribute(value, matched)
    elif kind == "multiline" and (parser := one(given, "multiline.parser")):
        for each in matched:
            joined_by(parser, each.draft, multiline_parsers)
    for each in matched:
        each.is_changed |= kind in _CHANGES_RECORDS
    if name and any(value.at in given.notes and value.at != name.at for value in given.leaves()):
        name.became("filters")
        if match:
            match.became("filters")
    given.leave_rest(_HINTS.get(kind, f"no filter of shipper does this; {_ELSEWHERE}"))


def _covers(match: str, tag: str) -> bool:
    """Whether every tag that *tag* stands for matches: a `*` in it is matched by a `*` only."""
    return re.fullmatch(".*".join(map(re.escape, match.split("*"))), tag, re.DOTALL) is not None


def _may_meet(match: str, tag: str) -> bool:
    ours, theirs = tag.partition("*")[0], match.partition("*")[0]
    return "*" in tag and (ours.startswith(theirs) or theirs.startswith(ours))


def _grep(given: Given, matched: list[Tailed]) -> None:
    wanted, unwanted = all_of(given, "regex"), all_of(given, "exclude")
    either = one(given, "logical_op")
    is_or = either is not None and either.text.lower() == "or"
    is_and = either is not None and either.text.lower() == "and"
    if is_or or (is_and and len(wanted) + len(unwanted) == 1):
        either.became("keep or drop") if either else None
    for ours, rules in (("keep", wanted), ("drop", unwanted)):
        # One of keep must match here; there, unless it says otherwise, all of them.
        has_other = ours == "keep" and any(each.draft.texts("keep") for each in matched)
        must_all = (ours == "keep" and not is_or) or (ours == "drop" and is_and)
        for rule in rules:
            key, _, pattern = rule.text.partition(" ")
            if (len(rules) > 1 and must_all) or has_other:
                rule.leave_rest(f"all of them must match there, one of {ours} here: write one pattern for all")
            elif not all(each.is_whole_line and key.lstrip("$") == each.key for each in matched):
                rule.leave_rest(f"{ours} looks at the whole record, this at one key: write a pattern for it")
            else:
                for each in matched:
                    add_pattern(each.draft, ours, rule, dialect="onigmo", text=pattern.strip())


def _attribute(given: Given, matched: list[Tailed]) -> None:
    name, _, value = given.text.strip().partition(" ")
    for each in matched:
        each.draft.attribute(name, given, value.strip())
