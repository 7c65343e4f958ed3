"""Vector's file sources; transforms are VRL programs and only noted."""

from __future__ import annotations

from shipper.config.translate.common import Draft, Given
from shipper.config.translate.steps import add_pattern, ignore_older, set_encoding, set_timeout

_HINTS = {
    "remap": "VRL: parsing is found by itself (format: auto) or written as pattern; redact is mask",
    "filter": "write the condition as keep or drop, patterns over the record",
    "reduce": "write multiline.start or multiline.continue",
    "dedupe": "nothing is sent twice but after a crash: see record_id",
    "throttle": "rate_limit slows reading and drops nothing",
}


def sources(root: Given) -> list[Draft]:
    """Return a source for each of `sources` that reads files."""
    drafts = list[Draft]()
    for name, given in ((found := root.get("sources")) and found.entries()) or []:
        kind = given.get("type")
        if kind is None or kind.text != "file":
            given.leave_rest("shipper reads files, and this is no source of files")
            continue
        kind.became("sources")
        drafts.append(_source(name, given))
    for _, given in ((found := root.get("transforms")) and found.entries()) or []:
        kind = given.get("type")
        given.leave_rest(_HINTS.get(kind.text if kind else "", "shipper has no such transform"))
    if sinks := root.get("sinks"):
        sinks.leave_rest("the endpoint is shipper's own: set endpoint.url and endpoint.token")
    return drafts


def _source(name: str, given: Given) -> Draft:
    draft = Draft(name)
    for theirs, ours in (("include", "paths"), ("exclude", "exclude")):
        for one in ((globs := given.get(theirs)) and globs.items()) or []:
            draft.add(ours, one.became(ours).text)
    read_from, begin = given.get("read_from"), given.get("ignore_checkpoints")
    if read_from and read_from.text in {"beginning", "end"}:
        draft.keys["start_at"] = read_from.became("start_at").text
    if begin:
        begin.leave_rest("offsets are always kept: `shipper state rewind` reads again")
    ignore_older(draft, given.get("ignore_older_secs"), "s")
    set_encoding(draft, given.get("encoding.charset"))
    if multiline := given.get("multiline"):
        _multiline(multiline, draft)
    return draft


def _multiline(given: Given, draft: Draft) -> None:
    mode, start, condition = given.get("mode"), given.get("start_pattern"), given.get("condition_pattern")
    key = {"halt_before": "start", "continue_through": "continue"}.get(mode.text if mode else "")
    if key is None or not add_pattern(draft, f"multiline.{key}", condition, dialect="rust"):
        given.leave_rest("shipper knows where a record begins, not where it ends; write multiline.start")
        return
    if mode:
        mode.became(f"multiline.{key}")
    if start:
        start.note("differs", f"multiline.{key} alone decides where a record begins")
    set_timeout(draft, given.get("timeout_ms"), "ms")
