"""Fluent Bit's tail inputs, in its own syntax and in YAML; parsers of the same file are taken along."""

from __future__ import annotations

import re
from typing import Final

from shipper.config.patterns import group_names
from shipper.config.translate.common import Draft, Given
from shipper.config.translate.steps import add_pattern, ignore_older
from shipper.core.timestamps import check_format

_PRESETS: Final = {
    "nginx": "nginx_access", "apache": "apache_access", "apache2": "apache_access", "apache_error": "apache_error",
    "json": "json", "logfmt": "logfmt", "docker": "docker", "cri": "cri", "mongodb": "mongodb", "envoy": "envoy",
    "syslog-rfc5424": "syslog_rfc5424", "syslog-rfc3164": "syslog_rfc3164", "syslog-rfc3164-local": "syslog_rfc3164",
    "k8s-nginx-ingress": "nginx_access",
}  # fmt: skip
_NEEDLESS: Final = {
    "db": "offsets are always kept, in state_dir",
    "skip_long_lines": "long lines are split, never skipped",
    "tag": "tags route within Fluent Bit; the source's name is sent as log.source",
    "mem_buf_limit": "limits.memory bounds the whole agent",
}


def sources(root: Given) -> list[Draft]:
    """Return a source for each tail input."""
    drafts = list[Draft]()
    inputs = root.get("INPUT") or root.get("pipeline.inputs")
    parsers = root.get("PARSER") or root.get("parsers")
    known = {name.text: one for one in (parsers.items() if parsers else []) if (name := _get(one, "name"))}
    for number, given in enumerate(inputs.items() if inputs else []):
        plugin = _get(given, "name")
        if plugin is None or plugin.text.lower() != "tail":
            given.leave_rest("shipper reads files, and only tail is an input of files")
            continue
        plugin.became("sources")
        drafts.append(_tail(given, number, known))
    for key in ("FILTER", "pipeline.filters"):
        if filters := root.get(key):
            filters.leave_rest("filters are chosen by tags; write keep, drop or attributes in the source they are for")
    for key in ("OUTPUT", "pipeline.outputs"):
        if outputs := root.get(key):
            outputs.leave_rest("the endpoint is shipper's own: set endpoint.url and endpoint.token")
    return drafts


def _get(given: Given, key: str) -> Given | None:
    return next((value for name, value in given.entries() if name.lower() == key), None)


def _tail(given: Given, number: int, known: dict[str, Given]) -> Draft:
    alias, tag = _get(given, "alias"), _get(given, "tag")
    plain_tag = tag.text if tag and "*" not in tag.text else ""
    draft = Draft(alias.became("name").text if alias else plain_tag or f"tail-{number + 1}")
    for theirs, ours in (("path", "paths"), ("exclude_path", "exclude")):
        if globs := _get(given, theirs):
            draft.add(ours, *(text.strip() for text in globs.became(ours).text.split(",") if text.strip()))
    head = _get(given, "read_from_head")
    draft.keys["start_at"] = "beginning" if head and head.is_on else "end"
    if head:
        head.became("start_at")
    ignore_older(draft, _get(given, "ignore_older"))
    for key in ("parser", "multiline.parser"):
        if parser := _get(given, key):
            _parser(parser, draft, known)
    for key, why in _NEEDLESS.items():
        if value := _get(given, key):
            value.leave_rest(why)
    return draft


def _parser(given: Given, draft: Draft, known: dict[str, Given]) -> None:
    names = [name.strip() for name in given.text.split(",")]
    definition = known.get(names[0])
    regex = _get(definition, "regex") if definition else None
    kind = _get(definition, "format") if definition else None
    if definition and regex and add_pattern(draft, "pattern", regex, dialect="onigmo"):
        given.became("pattern")
        _stamp(definition, draft)
    elif kind and kind.text.lower() in {"json", "logfmt"}:
        draft.keys["format"] = kind.became("format").text.lower()
        given.became("format")
        _stamp(definition or given, draft)
    elif names[0] in _PRESETS:
        draft.keys["format"] = _PRESETS[names[0]]
        given.note("differs", f"format: {_PRESETS[names[0]]}; attributes have that preset's names")
    elif set(names) <= {"java", "go", "python", "ruby"}:
        given.note("differs", "format: auto joins the lines of stack traces by itself")
    else:
        given.leave_rest("the parser is not in this file; write its regex as pattern, or leave format: auto to find it")


def _stamp(definition: Given, draft: Draft) -> None:
    key, layout, offset = (_get(definition, name) for name in ("time_key", "time_format", "time_offset"))
    pattern = draft.keys.get("pattern")
    if key is None or (isinstance(pattern, str) and key.text not in group_names(pattern)):
        return
    if layout and (problem := check_format(layout.text.replace("%L", "%f"))):
        layout.leave_rest(problem)
        layout = None
    part = draft.part("timestamp")
    part["field"] = key.became("timestamp.field").text
    if layout:
        part["formats"] = [layout.became("timestamp.formats").text.replace("%L", "%f")]
    if offset and re.fullmatch(r"[+-]\d{4}", offset.text):
        part["timezone"] = offset.became("timestamp.timezone").text
    if name := _get(definition, "name"):
        name.became("pattern")
