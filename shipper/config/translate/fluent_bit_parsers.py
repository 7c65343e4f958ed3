"""Fluent Bit's parsers, for one line and for several."""

from __future__ import annotations

import re
from typing import Final

from shipper.config.patterns import group_names, matches_nothing_at_all
from shipper.config.translate.common import Draft, Given
from shipper.config.translate.fluent_bit_files import all_of, one
from shipper.config.translate.patterns import python_pattern
from shipper.config.translate.steps import add_pattern, set_timeout
from shipper.core.timestamps import check_format

PRESETS: Final = {
    "nginx": "nginx_access", "apache": "apache_access", "apache2": "apache_access", "apache_error": "apache_error",
    "json": "json", "logfmt": "logfmt", "docker": "docker", "cri": "cri", "mongodb": "mongodb", "envoy": "envoy",
    "syslog-rfc5424": "syslog_rfc5424", "syslog-rfc3164": "syslog_rfc3164", "syslog-rfc3164-local": "syslog_rfc3164",
    "k8s-nginx-ingress": "nginx_access",
}  # fmt: skip
_CONTAINERS: Final = frozenset({"docker", "cri"})
_STACK_TRACES: Final = frozenset({"java", "go", "python", "ruby"})
_NOT_THERE: Final = "the parser is not in these files; write its regex as pattern, or leave format: auto to find it"
_END: Final = re.compile(r"(?<!\\)\$$")
Named = dict[str, Given]


def by_name(definitions: list[Given]) -> Named:
    """Return *definitions* under their names."""
    return {name.text: given for given in definitions if (name := one(given, "name"))}


def leave_unused(definitions: list[Given]) -> None:
    """Note of every value without one that nothing is lost with it: no input uses the parser."""
    for given in definitions:
        name = one(given, "name")
        used = name is not None and name.at in given.notes
        given.leave_rest() if used else given.note("translated", "nothing: no input uses this parser")


def read_by(given: Given, draft: Draft, parsers: Named) -> None:
    """Take the parser that *given* names as the format or the pattern of *draft*."""
    name = given.text
    definition = parsers.get(name)
    regex = one(definition, "regex") if definition else None
    kind = one(definition, "format") if definition else None
    inner = {key: value for key, value in draft.keys.items() if key == "format" and value in _CONTAINERS}
    if name in _CONTAINERS:
        draft.keys["format"] = name
        given.became(f"format: {name}")
    elif definition and regex and add_pattern(draft, "pattern", regex, dialect="onigmo"):
        given.became("pattern")
        if kind:
            kind.became("pattern")
        _stamp(definition, draft)
    elif not inner and definition and kind and kind.text.lower() in {"json", "logfmt"}:
        draft.keys["format"] = kind.became("format").text.lower()
        given.became("format")
        _stamp(definition, draft)
    elif not inner and name in PRESETS:
        draft.keys["format"] = PRESETS[name]
        given.note("differs", f"format: {PRESETS[name]}; attributes have that preset's names")
    else:
        given.leave_rest(_NOT_THERE)


def joined_by(given: Given, draft: Draft, parsers: Named) -> None:
    """Take the multi-line parsers that *given* names."""
    names = [name.strip() for name in given.text.split(",")]
    containers = [name for name in names if name in _CONTAINERS]
    if len(containers) == 1:
        draft.keys["format"] = containers[0]
    own = next((name for name in names if name in parsers), None)
    if own is not None:
        if _rules(parsers[own], draft):
            given.note("differs" if len(names) > 1 else "translated", f"multiline, as {own} says")
        given.leave_rest("its rules could not be translated: look there")
    elif set(names) <= _CONTAINERS:
        given.note("translated", f"format: {draft.keys.get('format', 'auto')}")
    elif set(names) <= _CONTAINERS | _STACK_TRACES:
        given.note("differs", "format: auto joins the lines of stack traces by itself")
    else:
        given.leave_rest(_NOT_THERE)


def first_line(given: Given, draft: Draft, parsers: Named) -> None:
    """Take the parser of a record's first line, of the multi-line of old."""
    definition = parsers.get(given.text)
    regex = one(definition, "regex") if definition else None
    if definition is None or regex is None or not add_pattern(draft, "multiline.start", regex, dialect="onigmo"):
        given.leave_rest(_NOT_THERE)
        return
    start = draft.part("multiline")["start"]
    # What a first line looks like to its end says nothing about the lines below it.
    draft.part("multiline")["start"] = draft.keys["pattern"] = _END.sub("", str(start))
    given.became("multiline.start and pattern")
    _stamp(definition, draft)


def _rules(definition: Given, draft: Draft) -> bool:
    rules = [rule for given in all_of(definition, "rule" if one(definition, "rule") else "rules")
             if (rule := _rule(given)) is not None]  # fmt: skip
    starts = [rule for rule in rules if rule[0] == "start_state"]
    others = [rule for rule in rules if rule[0] != "start_state"]
    key, chosen = ("continue", others) if starts and _is_anything(starts[0][1]) else ("start", starts)
    try:
        patterns = [python_pattern(text, dialect="onigmo", whole_record=True) for _, text, _ in chosen]
    except ValueError as error:
        definition.leave_rest(str(error))
        return False
    if not patterns:
        definition.leave_rest("no rule of it begins in start_state, or what follows it is not said")
        return False
    draft.part("multiline")[key] = patterns[0] if len(patterns) == 1 else "|".join(f"(?:{one})" for one in patterns)
    for _, text, given in rules:
        is_same = any(given is rule[2] for rule in chosen) or (key == "start" and _is_anything(text))
        given.note(
            "translated" if is_same else "differs",
            f"multiline.{key}" if is_same else f"multiline.{key} alone decides where a record begins",
        )
    set_timeout(draft, one(definition, "flush_timeout"), "ms")
    for name in ("name", "type"):
        if value := one(definition, name):
            value.became("multiline")
    return True


def _rule(given: Given) -> tuple[str, str, Given] | None:
    """Return the state, the pattern and the place of a rule, in either syntax."""
    state, regex = one(given, "state"), one(given, "regex")
    if state and regex:
        name, text = state.text, regex.text
    elif match := re.fullmatch(r'"([^"]*)"\s+"(.*)"\s+"[^"]*"', given.text):
        name, text = match[1], match[2]
    else:
        return None
    within = re.fullmatch(r"/(.*)/", text, re.DOTALL)
    return name.strip(), within[1] if within else text, given


def _is_anything(pattern: str) -> bool:
    return pattern.strip("^$()") in {".*", ".+", ""} or pattern == "." or matches_nothing_at_all(pattern)


def _stamp(definition: Given, draft: Draft) -> None:
    if name := one(definition, "name"):
        name.became("pattern" if "pattern" in draft.keys else "format")
    key, layout, offset = (one(definition, name) for name in ("time_key", "time_format", "time_offset"))
    pattern = draft.keys.get("pattern")
    if key is None or (isinstance(pattern, str) and key.text not in group_names(pattern)):
        return
    written = layout.text.replace("%L", "%f") if layout else ""
    if layout and (problem := check_format(written)):
        layout.leave_rest(problem)
        layout = None
    part = draft.part("timestamp")
    part["field"] = key.became("timestamp.field").text
    if layout:
        layout.became("timestamp.formats")
        part["formats"] = [written]
    if offset and re.fullmatch(r"[+-]\d{4}", offset.text):
        part["timezone"] = offset.became("timestamp.timezone").text
