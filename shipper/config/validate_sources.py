"""What the sources of agent.yaml must be, each by itself and together."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping as Lookup
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shipper.config.model import Document
from shipper.config.patterns import group_names
from shipper.config.place import Place
from shipper.config.presets import BUILT_IN_FORMATS, Preset
from shipper.config.problems import known_words
from shipper.config.source_model import Source
from shipper.config.templates import parts_named, wildcards
from shipper.config.validate import check_attributes
from shipper.config.validate_rules import (
    check_field,
    check_masks,
    check_multiline,
    check_pattern,
    check_patterns,
    check_severity,
    check_timestamp,
)
from shipper.config.validate_tests import check_tests
from shipper.core.patterns import Excludes

_WITH_INNER_PATTERN: Final = frozenset({"cri", "docker"})
# These encode text to text of another meaning, and a line end is not where they say it is.
_NO_FILE_ENCODINGS: Final = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})


@dataclass(frozen=True, slots=True)
class SourceAt:
    """A source, its paths resolved, and where it is written."""

    source: Source
    place: Place


def check_sources(sources: Sequence[SourceAt], document: Document, presets: Lookup[str, Preset]) -> None:
    """Note, in the places of *sources*, what is wrong with each and between them."""
    names: dict[str, Place] = {}
    patterns: dict[str, Place] = {}
    for source, place in ((one.source, one.place) for one in sources):
        _check_name(source.name, names, place.at("name"))
        _check_paths(source, patterns, place)
        for number, pattern in enumerate(source.exclude):
            _check_glob(pattern, place.at("exclude", number))
        _check_encoding(source.encoding, place.at("encoding"))
        _check_reading(source, presets, place)
        _check_multiline(source, document.limits.memory_bytes, presets, place)
        check_patterns(source.keep, place.at("keep"))
        check_patterns(source.drop, place.at("drop"))
        check_masks(source.mask, place.at("mask"))
        check_attributes(source.attributes, document.endpoint.event_limits, place.at("attributes"))
        _check_path_parts(source, place)
        check_tests(source.tests, place.at("tests"))


def _check_name(name: str, taken: dict[str, Place], place: Place) -> None:
    if not name.strip():
        place.wrong("a source needs a name: it is sent as log.source")
        return
    first = taken.setdefault(name, place)
    if first is not place:
        place.wrong(f"{name!r} is the name of another source ({first}); choose another")


def _check_paths(source: Source, taken: dict[str, Place], place: Place) -> None:
    if not source.paths and not place.at("paths").has_problem:
        place.at("paths").wrong("no path is given; write [/var/log/app/*.log]")
    own = set[str]()
    for number, pattern in enumerate(source.paths):
        at = place.at("paths", number)
        _check_glob(pattern, at)
        first = taken.setdefault(pattern, at)
        if first is not at and pattern not in own:
            at.wrong(
                f"{pattern!r} is a path of another source ({first}); a file belongs to one source, keep one of them"
            )
        own.add(pattern)


def _check_glob(pattern: str, place: Place) -> None:
    # What discovery compiles; a relative exclude with a slash is absolute by now, a bare name stands in any folder.
    if "\0" in pattern:
        place.wrong("a path holds no NUL")
        return
    try:
        Excludes([pattern])
    except ValueError as error:
        place.wrong(f"{error}; close it")
    except re.error as error:
        place.wrong(f"{pattern!r} is no pattern of paths: {error.msg}")


def _check_encoding(encoding: str, place: Place) -> None:
    if encoding == "auto":
        return
    try:
        codec = codecs.lookup(encoding)
        # Only codecs between text and bytes pass here: rot13 and base64 raise.
        line_end = "\n".encode(encoding)
    except LookupError:
        place.wrong(f"unknown encoding {encoding!r}; write auto or the name of a Python text codec such as latin-1")
        return
    except (UnicodeError, ValueError):
        place.wrong(f"{encoding!r} is no encoding of files; write auto or the name of a Python text codec")
        return
    if codec.name.replace("-", "_") in _NO_FILE_ENCODINGS:
        place.wrong(f"{encoding!r} is no encoding of files; write auto or the name of a Python text codec")
    elif b"\n" not in line_end:
        place.wrong(f"lines do not end with a line feed in {encoding!r}; only encodings where they do can be read")


def _check_reading(source: Source, presets: Lookup[str, Preset], place: Place) -> None:
    named = sorted({*BUILT_IN_FORMATS, *presets})
    if source.format not in named:
        place.at("format").wrong(f"unknown format {source.format!r}; {known_words(source.format, named)}")
    if source.pattern is not None:
        if source.format != "auto" and source.format not in _WITH_INNER_PATTERN:
            place.at("pattern").wrong(f"format: {source.format} is given too; keep one of them")
        if source.pattern == "":
            place.at("pattern").wrong("is empty; take it away, or write what a record looks like")
        check_pattern(source.pattern, place.at("pattern"))
    check_timestamp(source.timestamp, place.at("timestamp"))
    check_severity(source.severity, place.at("severity"))
    if place.at("pattern").has_problem or place.at("format").has_problem:
        return
    groups = _groups(source, presets)
    check_field(source.timestamp.field, groups, place.at("timestamp", "field"))
    check_field(source.severity.field, groups, place.at("severity", "field"))


def _groups(source: Source, presets: Lookup[str, Preset]) -> frozenset[str] | None:
    if source.pattern is not None:
        return group_names(source.pattern)
    if source.format == "raw":
        return frozenset()
    preset = presets.get(source.format)
    if preset is None or preset.format != "pattern":
        return None
    return frozenset().union(*(group_names(pattern) for pattern in preset.all_patterns))


def _check_multiline(source: Source, memory_bytes: int, presets: Lookup[str, Preset], place: Place) -> None:
    keys, at = source.multiline, place.at("multiline")
    if keys is None or at.has_problem:
        return
    check_multiline(keys, at, most_bytes=memory_bytes)
    preset = presets.get(source.format)
    may_have_own = source.format == "auto" and source.pattern is None
    if keys.start is None and keys.continue_ is None and not may_have_own and not (preset and preset.multiline):
        at.wrong("says nothing about where a record begins; write start: timestamp, a start or a continue pattern")


def _check_path_parts(source: Source, place: Place) -> None:
    if place.at("paths").has_problem:
        return
    for key, text in source.attributes.items():
        for number in sorted(parts_named(text)):
            poorest = min(source.paths, key=wildcards, default="")
            if poorest and number > wildcards(poorest):
                place.at("attributes", key).wrong(
                    f"${{{number}}} is not there in {poorest!r}, which has {wildcards(poorest)} wildcards"
                )
