"""Presets: named ways to read a well-known format, as data in `shipper/formats/` and in `formats.d` folders.

Owns the shape of a preset's file. What it means for a source is merged in
rules.py; its samples are run by the tests of the formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

import shipper.formats
from shipper.config.decode import decode
from shipper.config.patterns import group_names
from shipper.config.place import Place
from shipper.config.problems import Problems, raise_any
from shipper.config.source_model import MultilineKeys, SeverityKeys, TimestampKeys
from shipper.config.validate_rules import (
    check_field,
    check_multiline,
    check_pattern,
    check_patterns,
    check_severity,
    check_timestamp,
)
from shipper.config.yaml_tree import Mapping, Node, parse

BUILT_IN_FORMATS: Final = ("auto", "raw", "json", "logfmt", "cri", "docker")
PRETTY_JSON: Final = "json_pretty"


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to read a format.

    Attributes:
        name: What `format:` calls it.
        description: One line for `shipper formats`.
        format: pattern; json or logfmt for a known set of keys; w3c for columns that the file itself names.
        rank: How much it asks of a line: a format of one program, a family that many programs write, or a general
            shape. Of two that fit a file alike, `format: auto` takes the one that asks more.
        sign: What stands in every record of the format, for json and logfmt, where keys alone do not tell; only
            `format: auto` looks at it.
        pattern: How a record is taken apart; named groups become attributes.
        patterns: Alternatives, tried in order, instead of one pattern.
        fronts: Tried before them: plain ways to say what they say of the commonest records, since Python's matcher
            takes three times as long over what is optional. Where one matches, the patterns match alike.
        timestamp: As in a source.
        severity: As in a source.
        multiline: As in a source.
    """

    name: str
    description: str = ""
    format: Literal["pattern", "json", "logfmt", "w3c"] = "pattern"
    rank: Literal["program", "family", "general"] = "program"
    sign: str | None = None
    pattern: str | None = None
    patterns: tuple[str, ...] = ()
    fronts: tuple[str, ...] = ()
    timestamp: TimestampKeys = TimestampKeys()
    severity: SeverityKeys = SeverityKeys()
    multiline: MultilineKeys | None = None

    @property
    def all_patterns(self) -> tuple[str, ...]:
        """The patterns in the order in which they are tried."""
        return (*self.fronts, *((self.pattern,) if self.pattern is not None else ()), *self.patterns)


def load_presets(extra_dirs: Sequence[Path] = ()) -> dict[str, Preset]:
    """Return every preset by name; one in *extra_dirs* stands in for a built-in one of its name.

    Raises:
        ConfigError: a file of *extra_dirs* is wrong; one line for each problem.
    """
    presets = dict(_built_in())
    found, files = [], []
    for folder in extra_dirs:
        for path in sorted(folder.glob("*.yaml")):
            problems = Problems(str(path))
            files.append(problems)
            found.append(read_preset(path, problems))
    raise_any(*files)
    presets.update((preset.name, preset) for preset in found if preset is not None)
    return presets


def built_in_files() -> list[Path]:
    """Return the files of the built-in presets."""
    return sorted(file for folder in shipper.formats.__path__ for file in Path(folder).glob("*.yaml"))


def read_preset(path: Path, problems: Problems) -> Preset | None:
    """Return the preset in *path*, with all that is wrong with it noted in *problems*."""
    try:
        root = parse(path.read_text(encoding="utf-8"), problems)
    except (OSError, UnicodeDecodeError) as error:
        problems.add((), f"cannot be read: {error}", line=1)
        return None
    if root is None:
        return None
    preset = decode(_without_samples(root), Preset, problems)
    if preset is not None:
        _check(preset, Place(problems, root))
    return preset


@cache
def _built_in() -> dict[str, Preset]:
    """Read what the tests of the formats have checked: no pattern is compiled here before it is used."""
    presets = {}
    for path in built_in_files():
        problems = Problems(f"formats/{path.name}")
        root = parse(path.read_text(encoding="utf-8").partition("\nsamples:")[0] + "\n", problems)
        preset = decode(root, Preset, problems) if root is not None else None
        raise_any(problems)
        if preset is not None:
            presets[preset.name] = preset
    return presets


def _without_samples(root: Node) -> Node:
    # What a sample must become is for the tests of the formats: nothing here depends on it.
    if not isinstance(root, Mapping):
        return root
    return Mapping(root.line, tuple(entry for entry in root.entries if entry.key != "samples"))


def _check(preset: Preset, place: Place) -> None:
    if preset.name in BUILT_IN_FORMATS or preset.name == PRETTY_JSON:
        place.at("name").wrong(f"{preset.name!r} is a format of its own; choose another name")
    if (preset.format == "pattern") != bool(preset.all_patterns):
        place.at("format").wrong("format: pattern needs a pattern, and no other format has one")
    check_pattern(preset.pattern, place.at("pattern"))
    check_patterns(preset.patterns, place.at("patterns"))
    check_patterns(preset.fronts, place.at("fronts"))
    check_pattern(preset.sign, place.at("sign"))
    check_timestamp(preset.timestamp, place.at("timestamp"))
    check_severity(preset.severity, place.at("severity"))
    if preset.multiline is not None:
        check_multiline(preset.multiline, place.at("multiline"))
    if preset.format == "pattern":
        groups = frozenset[str]().union(*(group_names(pattern) for pattern in preset.all_patterns))
        check_field(preset.timestamp.field, groups, place.at("timestamp", "field"))
        check_field(preset.severity.field, groups, place.at("severity", "field"))
