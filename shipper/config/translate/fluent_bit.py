"""Fluent Bit's tail inputs, with their parsers and the filters that match them."""

from __future__ import annotations

from typing import Final

from shipper.config.translate.common import Draft, Given
from shipper.config.translate.fluent_bit_files import gather, one
from shipper.config.translate.fluent_bit_filters import Tailed, apply
from shipper.config.translate.fluent_bit_parsers import Named, by_name, first_line, joined_by, leave_unused, read_by
from shipper.config.translate.steps import ignore_older, set_timeout

_NEEDLESS: Final = {
    "db": "offsets are always kept, in state_dir",
    "skip_long_lines": "long lines are split, never skipped",
    "tag": "tags route within Fluent Bit; the source's name is sent as log.source",
    "mem_buf_limit": "limits.memory bounds the whole agent",
}


def sources(root: Given) -> list[Draft]:
    """Return a source for each tail input."""
    sections, files = gather(root)
    parsers, multiline_parsers = by_name(sections["parsers"]), by_name(sections["multiline_parsers"])
    tailed = list[Tailed]()
    for number, given in enumerate(sections["inputs"]):
        plugin = one(given, "name")
        if plugin is None or plugin.text.lower() != "tail":
            given.leave_rest("shipper reads files, and only tail is an input of files")
            continue
        plugin.became("sources")
        tag, key = one(given, "tag"), one(given, "key")
        draft = _tail(given, number, parsers, multiline_parsers)
        tailed.append(Tailed(draft, tag.text if tag else f"tail.{number}", key.text if key else "log"))
    for given in sections["filters"]:
        apply(given, tailed, multiline_parsers)
    for given in sections["outputs"]:
        given.leave_rest("the endpoint is shipper's own: set endpoint.url and endpoint.token")
    leave_unused([*sections["parsers"], *sections["multiline_parsers"]])
    for file in files:
        file.leave_rest()
    return [each.draft for each in tailed]


def _tail(given: Given, number: int, parsers: Named, multiline_parsers: Named) -> Draft:
    alias, tag = one(given, "alias"), one(given, "tag")
    plain_tag = tag.text if tag and "*" not in tag.text else ""
    draft = Draft(alias.became("name").text if alias and alias.text.strip() else plain_tag or f"tail-{number + 1}")
    for theirs, ours in (("path", "paths"), ("exclude_path", "exclude")):
        if globs := one(given, theirs):
            draft.add(ours, *(text.strip() for text in globs.became(ours).text.split(",") if text.strip()))
    head = one(given, "read_from_head")
    draft.keys["start_at"] = "beginning" if head and head.is_on else "end"
    if head:
        head.became("start_at")
    ignore_older(draft, one(given, "ignore_older"))
    _reading(given, draft, parsers, multiline_parsers)
    for key, why in _NEEDLESS.items():
        if value := one(given, key):
            value.leave_rest(why)
    return draft


def _reading(given: Given, draft: Draft, parsers: Named, multiline_parsers: Named) -> None:
    if joined := one(given, "multiline.parser"):
        joined_by(joined, draft, multiline_parsers)
    is_old, first = one(given, "multiline"), one(given, "parser_firstline")
    if is_old and is_old.is_on and first:
        # It decides alone there, too: Parser is not looked at.
        first_line(first, draft, parsers)
        is_old.became("multiline")
        set_timeout(draft, one(given, "multiline_flush"), "s")
    elif parser := one(given, "parser"):
        read_by(parser, draft, parsers)
