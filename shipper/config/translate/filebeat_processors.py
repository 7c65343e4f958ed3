"""Filebeat's processors that have an equivalent: dropping, fields, tags, dissect, decoding JSON, times."""

from __future__ import annotations

import re
from typing import Final

from shipper.config.patterns import group_names
from shipper.config.translate.common import Draft, Given
from shipper.config.translate.patterns import group_identifier
from shipper.config.translate.promtail import stamp_format
from shipper.config.translate.steps import add_pattern
from shipper.core.timestamps import check_format, check_zone

_KEY: Final = re.compile(r"%\{(?P<mark>[?&+*]?)(?P<name>[^}|/>-]*(?:-(?!>)[^}|/>-]*)*)(?P<pad>->)?(?:\|[a-z_]+)?\}")
_NO_DISSECT: Final = "only a tokenizer of plain keys over message becomes a pattern"


def processors(given: Given | None, draft: Draft) -> None:
    """Take what *given*, a list of processors, does to the events of *draft*; the rest is left to be noted."""
    for one in given.items() if given else []:
        for name, value in one.entries():
            take = _TAKEN.get(name)
            if take is None:
                continue
            if name != "drop_event" and value.get("when") is not None:
                value.leave_rest("a condition (when) has no equivalent; write a source of its own for those files")
                continue
            take(value, draft)


def _drop_event(given: Given, draft: Draft) -> None:
    when = given.get("when")
    either = when.get("or") if when else None
    for condition in either.items() if either else [when] if when else []:
        if len(list(condition.entries())) != 1:
            continue
        add_pattern(draft, "drop", condition.get("regexp.message"))
        contained = condition.get("contains.message")
        if contained and contained.text:
            draft.add("drop", re.escape(contained.became("drop").text))


def _add_fields(given: Given, draft: Draft) -> None:
    target, fields = given.get("target"), given.get("fields")
    prefix = "fields" if target is None else target.text
    if fields:
        draft.attributes(fields, f"{prefix}." if prefix else "")
        if target:
            target.became("attributes")


def _add_labels(given: Given, draft: Draft) -> None:
    if labels := given.get("labels"):
        draft.attributes(labels, "labels.")


def add_tags(given: Given, draft: Draft) -> None:
    """Take the list of tags *given*."""
    tags = [one.text for one in given.items() if one.text]
    if not tags:
        return
    before = str(draft.part("attributes").get("tags", ""))
    draft.part("attributes")["tags"] = ",".join([*before.split(","), *tags]) if before else ",".join(tags)
    given.note("differs", "attributes.tags: one text with commas")


def _add_tags(given: Given, draft: Draft) -> None:
    target, tags = given.get("target"), given.get("tags")
    if tags and (target is None or target.text == "tags"):
        add_tags(tags, draft)
        if target:
            target.became("attributes.tags")


def _decode_json(given: Given, draft: Draft) -> None:
    fields = given.get("fields")
    if fields and [one.text for one in fields.items()] == ["message"] and not {"format", "pattern"} & set(draft.keys):
        draft.keys["format"] = "json"
        given.note("differs", "format: json; all keys become flat attributes, under their own names")


def _dissect(given: Given, draft: Draft) -> None:
    tokenizer, field, prefix = given.get("tokenizer"), given.get("field"), given.get("target_prefix")
    if tokenizer is None or (field and field.text != "message") or {"format", "pattern"} & set(draft.keys):
        given.leave_rest(_NO_DISSECT)
        return
    pattern = dissect_pattern(tokenizer.text, "dissect" if prefix is None else prefix.text)
    if pattern is None:
        given.leave_rest(_NO_DISSECT)
        return
    if add_pattern(draft, "pattern", tokenizer, text=pattern):
        for one in (field, prefix):
            if one:
                one.became("pattern")


def dissect_pattern(tokenizer: str, prefix: str) -> str | None:
    """Return a tokenizer of `dissect` as a pattern whose groups are named with *prefix*; None where it is no pattern.

    Source: Filebeat's reference, "Dissect strings": a key reaches to the next delimiter, the last to the end.
    """
    pieces, at = ["^"], 0
    names: list[str] = []
    for match in _KEY.finditer(tokenizer):
        literal = tokenizer[at : match.start()]
        if (at and not literal) or match["mark"] in tuple("&+*") or "%{" in literal:
            return None
        pieces.append(re.escape(literal))
        at = match.end()
        body = ".*?" if at < len(tokenizer) else ".*"
        name = group_identifier(f"{prefix}.{match['name']}" if prefix else match["name"])
        if not match["name"] or match["mark"] == "?":
            pieces.append(body)
        elif not name.isidentifier() or name in names:
            return None
        else:
            names.append(name)
            pieces.append(f"(?P<{name}>{body})")
        if match["pad"]:
            pieces.append(" *")
    rest = tokenizer[at:]
    return None if not names or "%{" in rest else "".join([*pieces, re.escape(rest)])


def _timestamp(given: Given, draft: Draft) -> None:
    field, layouts, zone = given.get("field"), given.get("layouts"), given.get("timezone")
    name = group_identifier(field.text) if field else ""
    pattern = draft.keys.get("pattern")
    in_pattern = isinstance(pattern, str) and name in group_names(pattern)
    if field is None or layouts is None or not (in_pattern or draft.keys.get("format") == "json"):
        given.leave_rest("no group of the pattern and no JSON key has that name; times are found by themselves")
        return
    formats = []
    for one in layouts.items():
        problem = check_format(stamp_format(one.text))
        if problem is None:
            formats.append(stamp_format(one.became("timestamp.formats").text))
        else:
            one.leave_rest(problem)
    if not formats:
        return
    part = draft.part("timestamp")
    part["field"] = name if in_pattern else field.text
    field.became("timestamp.field")
    part["formats"] = formats
    if zone and check_zone(zone.text) is None:
        part["timezone"] = zone.became("timestamp.timezone").text


_TAKEN: Final = {
    "drop_event": _drop_event, "add_fields": _add_fields, "add_labels": _add_labels, "add_tags": _add_tags,
    "decode_json_fields": _decode_json, "dissect": _dissect, "timestamp": _timestamp,
}  # fmt: skip
