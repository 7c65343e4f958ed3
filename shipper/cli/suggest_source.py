"""A chosen layout as a source of agent.yaml that reads the same: its keys, its globs, its YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from shipper.config.presets import PRETTY_JSON
from shipper.core.detect import Choice, explains
from shipper.core.encodings import find_mark
from shipper.core.general import General
from shipper.core.rotation_names import live_names
from shipper.core.rule import RecordFormat, Rule
from shipper.pipeline.reading import SAMPLE_BYTES, SourceReading

_DATE: Final = re.compile(r"(?<!\d)(?:\d{4}[-_.]?\d\d[-_.]?\d\d(?:[-_T.]?\d\d){0,3}|\d{6,10})(?!\d)")
_SPECIAL: Final = re.compile(r"[*?\[\]{}]")
_UNDEFINED: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # of which Windows' code page makes nothing
_SHORT: Final = 3
_OF_NO_PROGRAM: Final = frozenset(["", "log", "logs", "var", "tmp"])

Keys = dict[str, object]


def reading_keys(choice: Choice) -> tuple[Keys, str]:
    """Return the keys of a source that reads as *choice* does, and why it is `auto` where nothing else would."""
    names, brace, learned = choice.layout.partition("{")
    if choice.rule.ansi:
        return {"format": "auto"}, "the lines have terminal colours, which only auto takes out"
    if not brace and names == PRETTY_JSON:
        return {"format": "json", "multiline": {"start": r"\{"}}, ""
    if not brace and "+" not in names:
        return {"format": names}, ""
    general = msgspec.json.decode("{" + learned, type=General) if brace else General()
    if names and "+" not in names and not general.patterns:
        return _keyed(names, general), ""
    if names:
        return {"format": "auto"}, "the file has several layouts, and only auto keeps more than one"
    return _learned(general, choice.rule), ""


def named_like(path: Path, choice: Choice, auto: SourceReading, data: bytes, mtime_ms: int) -> Choice:
    """Return *choice*, or one whose program *path* names where both read *data* alike: nginx_access under nginx/."""
    folders = str(path).lower()
    if "+" in choice.layout or "{" in choice.layout or choice.layout.partition("_")[0] in folders:
        return choice
    sample = data[:SAMPLE_BYTES].decode("utf-8", "backslashreplace")
    for rule in auto.rule.candidates:
        program = rule.layout.partition("_")[0]
        alike = len(program) > _SHORT and program in folders and _takes(rule) == _takes(choice.rule)
        if alike and explains(rule, sample, mtime_ms) >= choice.explained:
            return choice._replace(layout=rule.layout, rule=rule, evidence=f"{choice.evidence}; so does {rule.layout}")
    return choice


def _takes(rule: Rule) -> set[str]:
    return {name for pattern in rule.patterns for name in re.compile(pattern).groupindex}


def single_byte_encoding(data: bytes) -> str:
    """Return the codec for text of bytes that are no UTF-8 and can be Windows'; empty where they are, or both are."""
    if find_mark(data, "", final=True) not in (None, (0, "utf-8")):
        return ""
    beyond = re.sub(rb"[\x00-\x7f]+", b" ", data).split()
    valid = sum(1 for run in beyond if run.decode("utf-8", "replace").find("\ufffd") < 0)
    if not beyond or valid or b"\0" in data or _UNDEFINED.search(data):
        return ""
    return "cp1252"


def _keyed(layout: str, general: General) -> Keys:
    keys: Keys = {"format": "json", "multiline": {"start": r"\{"}} if layout == PRETTY_JSON else {"format": layout}
    if general.stamp_key is not None:
        keys["timestamp"] = {"field": general.stamp_key}
    if general.level_key is not None:
        keys["severity"] = {"field": general.level_key}
    return keys


def _learned(general: General, rule: Rule) -> Keys:
    keys: Keys = {"format": "raw"} if rule.format is RecordFormat.RAW else {"pattern": one_pattern(general.patterns)}
    if general.formats:
        keys["timestamp"] = {"formats": list(general.formats)}
    if general.continues and general.patterns:
        keys["multiline"] = {"start": "timestamp", "timeout": "500ms"}
    elif general.indented:
        keys["multiline"] = {"continue": r"[ \t]", "timeout": "500ms"}
    return keys


def one_pattern(patterns: Sequence[str]) -> str:
    """Return one pattern for a learned layout's alternatives: all but the last are that with a level somewhere.

    The second level goes by the group `level`, which means the same: a name can stand in a pattern only once.
    """
    *richer, begin = patterns
    if not richer:
        return begin
    bare = begin.removeprefix("^")
    if not richer[0].startswith(begin):  # the level stands before the stamp
        return f"^(?:{richer[0].removeprefix('^').removesuffix(bare)})?{bare}"
    tails = [pattern.removeprefix(begin) for pattern in richer]
    tails[1:] = [tail.replace("(?P<severity>", "(?P<level>") for tail in tails[1:]]
    return f"{begin}(?:{'|'.join(tails)})?"


def glob_for(path: Path) -> str:
    """Return a glob for *path* and those that will follow it: dates in the name stand open, rotated forms do not count.

    The agent finds what was rotated away by itself.
    """
    stems = [name for name in live_names(path.name) if (path.parent / name).exists()]
    shortest = min(stems, key=len) if stems else path.name
    if not stems:
        numbered = re.fullmatch(r"(.*\.log)(?:\.\d{1,3}|-\d{8})", path.name)
        shortest = numbered[1] if numbered else path.name
    dated = "*".join(_SPECIAL.sub("?", piece) for piece in _DATE.split(shortest))
    return f"{_SPECIAL.sub('?', str(path.parent)).rstrip('/')}/{dated}"


def name_for(glob: str, taken: Sequence[str]) -> str:
    """Return a name for the source of *glob* that is not *taken*: the folder's and the file's."""
    folder, _, name = glob.rpartition("/")
    stem = re.sub(r"[^A-Za-z0-9]+", "-", name.partition(".")[0]).strip("-").lower() or "log"
    parent = re.sub(r"[^A-Za-z0-9]+", "-", folder.rpartition("/")[2]).strip("-").lower()
    wanted = stem if parent in _OF_NO_PROGRAM or parent == stem else f"{parent}-{stem}"
    number = 1
    while (name := wanted if number == 1 else f"{wanted}-{number}") in taken:
        number += 1
    return name


def yaml_of(keys: Keys, comments: Sequence[str] = ()) -> str:
    """Return *keys* as an entry of `sources`, with *comments* in front."""
    lines = [f"  # {comment}" for comment in comments]
    for number, (key, value) in enumerate(keys.items()):
        lines.append(f"  {'-' if not number else ' '} {key}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    text = str(value).replace("$", "$$")  # a single one is a reference to the environment
    return text if re.fullmatch(r"[A-Za-z][\w-]*", text) else "'" + text.replace("'", "''") + "'"
