"""Filebeat's inputs and modules as sources."""

from __future__ import annotations

import re
from typing import Final

from shipper.config.translate.common import Draft, Given
from shipper.config.translate.filebeat_processors import add_tags, processors
from shipper.config.translate.steps import add_pattern, ignore_older, set_encoding, set_timeout
from shipper.config.translate.trees import included

MODULES: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("nginx", "access"): ("nginx_access", "/var/log/nginx/access.log*"),
    ("nginx", "error"): ("nginx_error", "/var/log/nginx/error.log*"),
    ("apache", "access"): ("apache_access", "/var/log/apache2/*access.log*"),
    ("apache", "error"): ("apache_error", "/var/log/apache2/error.log*"),
    ("system", "syslog"): ("auto", "/var/log/syslog*"),
    ("system", "auth"): ("auto", "/var/log/auth.log*"),
    ("mysql", "error"): ("mysql_error", "/var/log/mysql/error.log*"),
    ("mysql", "slowlog"): ("mysql_slow", "/var/log/mysql/*slow.log*"),
    ("postgresql", "log"): ("postgresql", "/var/log/postgresql/postgresql-*.log*"),
    ("redis", "log"): ("redis", "/var/log/redis/redis-server.log*"),
    ("haproxy", "log"): ("haproxy", "/var/log/haproxy.log"),
    ("kafka", "log"): ("kafka", "/opt/kafka*/logs/server.log*"),
}
_BEFORE: Final = "shipper joins lines to the record above, never to the one below; look at multiline.start"
_OUTPUT: Final = "the endpoint is shipper's own: set endpoint.url and endpoint.token"


def sources(root: Given) -> list[Draft]:
    """Return a source for each input that reads files and each fileset of a module that is known."""
    drafts = list[Draft]()
    for key in ("filebeat.inputs", "filebeat.prospectors", "inputs"):
        given = root.get(key)
        for number, one in enumerate(given.items() if given else []):
            draft = _input(one, number)
            drafts += [draft] if draft else []
    for file in _configured(root, "inputs"):
        drafts += [draft for number, one in enumerate(file.items()) if (draft := _input(one, number))]
        file.leave_rest()
    bare = root if any(one.path for one in root.items()) else None  # a file of modules.d, or of inputs.d
    modules = [root.get("filebeat.modules"), bare, *_configured(root, "modules")]
    for number, one in enumerate(one for given in modules if given for one in given.items()):
        if one.get("module"):
            drafts += _module(one)
        elif one.get("type") and (draft := _input(one, number)):
            drafts.append(draft)
    for draft in drafts:  # what stands at the top holds for every input
        own = dict(draft.part("attributes"))
        _fields(root, draft)
        draft.part("attributes").update({name: value for name, value in own.items() if name != "tags"})
        processors(root.get("processors"), draft)
    for key, value in root.entries():
        if key.partition(".")[0] == "output":
            value.leave_rest(_OUTPUT)
    return drafts


def _configured(root: Given, kind: str) -> list[Given]:
    """Return the files that `filebeat.config.inputs` or `.modules` names."""
    path, enabled = root.get(f"filebeat.config.{kind}.path"), root.get(f"filebeat.config.{kind}.enabled")
    if path is None or (enabled and enabled.text.lower() == "false"):
        return []
    if enabled:
        enabled.became("sources")
    return included(path, path.text.replace("${path.config}/", "").replace("${path.config}", "."), what="sources")


def _input(given: Given, number: int) -> Draft | None:
    kind = given.get("type") or given.get("input_type")
    enabled = given.get("enabled")
    if enabled is not None and enabled.text.lower() == "false":
        given.leave_rest("the input is disabled (enabled: false)")
        return None
    word = kind.text if kind else "log"
    if word not in {"log", "filestream", "container", "docker"}:
        given.leave_rest(f"shipper reads files, and {word} is no input of files")
        return None
    if kind:
        kind.became("sources")
    name = given.get("id")
    draft = Draft(name.became("name").text if name and name.text else f"{word}-{number + 1}")
    if enabled is not None:
        enabled.became("sources")
    if word == "container":
        draft.keys["format"] = "cri"
    _paths(given, draft)
    for theirs, ours in (("include_lines", "keep"), ("exclude_lines", "drop")):
        add_pattern(draft, ours, given.get(theirs))
    ignore_older(draft, given.get("ignore_older"))
    set_encoding(draft, given.get("encoding"))
    _multiline(given.get("multiline"), draft)
    for key in ("json", "format"):
        if key == "json" and (json := given.get("json")):
            draft.keys["format"] = "json"
            json.note(
                "differs", "format: json; keys become flat attributes, and a line that is no JSON is sent as it is"
            )
    _parsers(given, draft)
    _fields(given, draft)
    processors(given.get("processors"), draft)
    return draft


def _paths(given: Given, draft: Draft) -> None:
    for one in ((paths := given.get("paths")) and paths.items()) or []:
        draft.add("paths", one.became("paths").text)
    for key in ("exclude_files", "prospector.scanner.exclude_files"):
        for one in ((excluded := given.get(key)) and excluded.items()) or []:
            # A pattern over the path there, a glob here: endings are what people write.
            match = re.fullmatch(r"(?:\.\*)?(\\?\.[\w.\\]+)\$?", one.text)
            if match:
                draft.add("exclude", "*" + match[1].replace("\\", "") + ("" if one.text.endswith("$") else "*"))
                one.became("exclude")
            else:
                one.leave_rest("exclude holds globs, not patterns: write one by hand")


def _parsers(given: Given, draft: Draft) -> None:
    for parser in ((parsers := given.get("parsers")) and parsers.items()) or []:
        for key, value in parser.entries():
            if key == "multiline":
                _multiline(value, draft)
            elif key == "ndjson":
                draft.keys["format"] = "json"
                value.note("differs", "format: json; all keys become flat attributes")
            elif key == "container":
                kind = value.get("format")
                draft.keys["format"] = "docker" if kind and kind.text == "docker" else "cri"
                value.note("differs", f"format: {draft.keys['format']}; both streams are read")


def _multiline(given: Given | None, draft: Draft) -> None:
    if given is None:
        return
    pattern, negate, match = given.get("pattern"), given.get("negate"), given.get("match")
    kind = given.get("type")
    if pattern is None or (kind and kind.text != "pattern") or (match and match.text in {"before", "previous"}):
        given.leave_rest(_BEFORE)
        return
    key = "start" if negate and negate.is_on else "continue"
    if add_pattern(draft, f"multiline.{key}", pattern):
        for one in (negate, match, kind):
            if one:
                one.became(f"multiline.{key}")
        set_timeout(draft, given.get("timeout"))
        lines = given.get("max_lines")
        if lines and lines.text.isdigit() and int(lines.text):
            draft.part("multiline")["max_lines"] = int(lines.became("multiline.max_lines").text)


def _fields(given: Given, draft: Draft) -> None:
    fields, at_root, tags = given.get("fields"), given.get("fields_under_root"), given.get("tags")
    if fields:
        draft.attributes(fields, "" if at_root and at_root.is_on else "fields.")
    if at_root:
        at_root.became("attributes")
    if tags:
        add_tags(tags, draft)


def _module(given: Given) -> list[Draft]:
    module = given.get("module")
    drafts = list[Draft]()
    for fileset, keys in given.entries():
        enabled = keys.get("enabled")
        known = MODULES.get((module.text, fileset)) if module else None
        if known is None or (enabled and not enabled.is_on):
            continue
        draft = Draft(f"{module.text if module else ''}-{fileset}", {"format": known[0]})
        paths = keys.get("var.paths")
        draft.add("paths", *([one.became("paths").text for one in paths.items()] if paths else [known[1]]))
        keys.note("translated", f"sources: {draft.name}")
        drafts.append(draft)
    if module and drafts:
        module.became("format")
    given.leave_rest("disabled, or shipper has no preset for it: `shipper formats` lists them")
    return drafts
