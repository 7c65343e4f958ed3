"""Promtail's scrape_configs: files, labels and the stages of a pipeline that have an equivalent.

`match` is promtail_match.py's, `template` promtail_template.py's.
"""

from __future__ import annotations

from shipper.config.patterns import group_count, group_names
from shipper.config.translate.common import Draft, Given
from shipper.config.translate.patterns import python_pattern
from shipper.config.translate.promtail_match import Labels, match
from shipper.config.translate.promtail_template import template
from shipper.config.translate.steps import add_pattern, set_timeout
from shipper.core.stamp_dialects import go_layout
from shipper.core.timestamps import check_format, check_zone

_FORMATS = {
    "RFC3339": "rfc3339", "RFC3339Nano": "rfc3339", "Unix": "epoch_s", "UnixMs": "epoch_ms", "UnixUs": "epoch_us",
    "UnixNs": "epoch_ns", "ANSIC": "%a %b %d %H:%M:%S %Y",
}  # fmt: skip


def sources(root: Given) -> list[Draft]:
    """Return a source for each static target that names files."""
    drafts = list[Draft]()
    for job in ((jobs := root.get("scrape_configs")) and jobs.items()) or []:
        name = job.get("job_name")
        stages = ((given := job.get("pipeline_stages")) and given.items()) or []
        for target in ((statics := job.get("static_configs")) and statics.items()) or []:
            draft = _target(target, name.text if name else "promtail")
            drafts += [draft] if draft else []
            if draft:
                labels = _labels(target, relabelled=job.get("relabel_configs") is not None)
                for stage in stages:
                    _stage(stage, draft, labels)
                if name:
                    name.became("name")
        for stage in stages:
            _leave_matches(stage)
    if clients := root.get("clients") or root.get("client"):
        clients.leave_rest("the endpoint is shipper's own: set endpoint.url and endpoint.token")
    if positions := root.get("positions"):
        positions.leave_rest("offsets are always kept, in state_dir")
    return drafts


def stamp_format(layout: str) -> str:
    """Return a layout of Go's time package, or the name of one, for `timestamp.formats`."""
    return _FORMATS.get(layout) or go_layout(layout)


def _target(given: Given, name: str) -> Draft | None:
    labels = given.get("labels")
    path = labels.get("__path__") if labels else None
    if labels is None or path is None:
        return None
    draft = Draft(name)
    draft.add("paths", path.became("paths").text)
    for key, value in labels.entries():
        if key == "__path_exclude__":
            draft.add("exclude", value.became("exclude").text)
        elif not key.startswith("__"):
            draft.attribute(key, value)
    return draft


def _labels(target: Given, *, relabelled: bool) -> Labels:
    given = target.get("labels")
    labels = Labels({key: value.text for key, value in given.entries()} if given else {}, relabelled=relabelled)
    if "job" not in labels.known:
        labels.made.add("job")
    return labels


def _leave_matches(stage: Given) -> None:
    for kind, given in stage.entries():
        if kind == "match":
            given.leave_rest("no source here has the labels that its selector asks for")


def _stage(stage: Given, draft: Draft, labels: Labels) -> None:
    for kind, given in stage.entries():
        if kind == "match":
            match(given, draft, labels, _stage)
        elif kind == "template":
            template(given, draft)
        elif kind in {"labels", "static_labels", "labeldrop"}:
            _relabel(kind, given, draft, labels)
        elif kind in {"cri", "docker"}:
            labels.made |= {"stream", "flags"}
            draft.keys["format"] = kind
            given.became(f"format: {kind}")
        elif kind == "json" and given.get("source") is None and "format" not in draft.keys:
            draft.keys["format"] = "json"
            draft.keys.pop("pattern", None)
            given.note("differs", "format: json; all keys become flat attributes, under their own names")
        elif kind == "regex" and given.get("source") is None and draft.keys.get("format", "cri") in {"cri", "docker"}:
            add_pattern(draft, "pattern", given.get("expression"))
        elif kind == "multiline":
            if add_pattern(draft, "multiline.start", given.get("firstline")):
                set_timeout(draft, given.get("max_wait_time"))
        elif kind == "drop" and given.get("source") is None and given.get("older_than") is None:
            add_pattern(draft, "drop", given.get("expression"))
        elif kind == "replace" and given.get("source") is None:
            _mask(given, draft)
        elif kind == "timestamp":
            _timestamp(given, draft)


def _relabel(kind: str, given: Given, draft: Draft, labels: Labels) -> None:
    if kind == "labels":
        labels.made.update(name for name, _ in given.entries())
    elif kind == "labeldrop":
        for one in given.items():
            labels.known.pop(one.text, None)
            labels.made.discard(one.text)
    else:
        for name, value in given.entries():
            labels.known[name] = value.text
            draft.attribute(name, value)


def _mask(given: Given, draft: Draft) -> None:
    expression, replacement = given.get("expression"), given.get("replace")
    try:
        pattern = python_pattern(expression.text) if expression else ""
    except ValueError as error:
        given.leave_rest(str(error))
        return
    if group_count(pattern) != 1 or replacement is None or "{{" in replacement.text:
        given.leave_rest("a mask replaces one group by a fixed text; write mask by hand")
        return
    masks = draft.keys.setdefault("mask", [])
    if isinstance(masks, list):
        draft.keys["mask"] = [*(one for one in masks if isinstance(one, dict)),
                              {"pattern": pattern, "replace": replacement.text}]  # fmt: skip
    given.became("mask")


def _timestamp(given: Given, draft: Draft) -> None:
    source, layout, zone = given.get("source"), given.get("format"), given.get("location")
    pattern = draft.keys.get("pattern")
    known = draft.keys.get("format") == "json" or (
        isinstance(pattern, str) and source is not None and source.text in group_names(pattern)
    )
    if source is None or layout is None or not known:
        given.leave_rest("no group of the pattern and no JSON key has that name; times are found by themselves")
        return
    if problem := check_format(stamp_format(layout.text)):
        given.leave_rest(problem)
        return
    part = draft.part("timestamp")
    part["field"] = source.became("timestamp.field").text
    part["formats"] = [stamp_format(layout.became("timestamp.formats").text)]
    if zone and check_zone(zone.text) is None:
        part["timezone"] = zone.became("timestamp.timezone").text
