"""Vector's file sources; of transforms, which are VRL programs, only those that do nothing but parse the message."""

from __future__ import annotations

import re
from typing import Final

from shipper.config.translate.common import Draft, Given
from shipper.config.translate.steps import add_pattern, ignore_older, set_encoding, set_timeout

_HINTS = {
    "remap": "VRL: parsing is found by itself (format: auto) or written as pattern; redact is mask",
    "filter": "write the condition as keep or drop, patterns over the record",
    "reduce": "write multiline.start or multiline.continue",
    "dedupe": "nothing is sent twice but after a crash: see record_id",
    "throttle": "rate_limit slows reading and drops nothing",
}

_FORMATS: Final = {
    "parse_json": "json", "parse_logfmt": "logfmt", "parse_klog": "klog", "parse_syslog": "auto",
    "parse_linux_authorization": "syslog_rfc3164", "parse_apache_log": "auto", "parse_common_log": "apache_access",
    "parse_nginx_log": "auto", "parse_glog": "klog", "parse_cri": "cri",
}  # fmt: skip
# One assignment of a function of the message: `. = parse_json!(.message)`, `.a |= parse_klog(string!(.message)) ?? {}`.
_PARSE: Final = re.compile(
    r"\s*\.\w*\s*\|?=\s*(?P<function>parse_\w+)!?\(\s*(?:to_string!?|string!?)?\(?\s*(?:value:\s*)?\.message\s*\)?"
    r"\s*(?:,\s*(?:pattern:\s*)?(?:r'(?P<regex>[^']*)'|(?:\w+:\s*)?\"(?P<word>[^\"]*)\"))?\s*\)\s*(?:\?\?\s*(?:\.|\{\s*\}))?\s*"
)


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
        if kind and kind.text == "remap":
            _remap(given, [draft for draft in drafts if draft.name in _names(given.get("inputs"))])
        given.leave_rest(_HINTS.get(kind.text if kind else "", "shipper has no such transform"))
    if sinks := root.get("sinks"):
        sinks.leave_rest("the endpoint is shipper's own: set endpoint.url and endpoint.token")
    return drafts


def _names(given: Given | None) -> set[str]:
    return {one.text for one in given.items()} if given else set()


def _remap(given: Given, drafts: list[Draft]) -> None:
    """Take a program that only parses the message, for the sources that it has as its inputs."""
    program = given.get("source")
    match = _PARSE.fullmatch(program.text) if program else None
    if program is None or match is None or not drafts:
        return
    for draft in drafts:
        if match["regex"] is not None and match["function"] == "parse_regex":
            add_pattern(draft, "pattern", program, dialect="rust", text=match["regex"])
        elif match["function"] in _FORMATS and match["regex"] is None:
            known = _FORMATS[match["function"]]
            server = re.fullmatch(r"parse_(nginx|apache)_log", match["function"])
            draft.keys["format"] = f"{server[1]}_error" if server and match["word"] == "error" else known
            program.note("differs", f"format: {draft.keys['format']}; what is read becomes flat attributes")


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
