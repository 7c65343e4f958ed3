"""A source with its preset into the `Rule` that core reads by.

Owns what overrides what: the source's own keys over its preset's, those over
the defaults. Everything was checked before (validate_sources.py); nothing here
can be wrong any more.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from collections.abc import Mapping as Lookup
from typing import Final

import msgspec

from shipper.config.mask_presets import mask_rules
from shipper.config.model import Config
from shipper.config.patterns import group_names
from shipper.config.presets import PRETTY_JSON, Preset
from shipper.config.source_model import MultilineKeys, SeverityKeys, Source, TimestampKeys
from shipper.config.validate_rules import AT_STAMP
from shipper.core.detect import QUIET_MS
from shipper.core.rule import MultilineRule, RecordFormat, Rule, SeverityRule, StampRule, TooOld

INGEST_ORIGIN: Final = "shipper"

_STAMP_AT_START: Final = (
    r"\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
    r"(?: ?(?:Z\b|UTC\b|GMT\b|[+-]\d\d(?::?\d\d)?\b))?\]?"
)
_RANKS: Final = ("program", "family", "general")
_WRITTEN_OUT: Final = {
    "raw": RecordFormat.RAW,
    "json": RecordFormat.JSON,
    "logfmt": RecordFormat.LOGFMT,
    "cri": RecordFormat.CRI,
    "docker": RecordFormat.DOCKER,
}


def rules(config: Config, source: Source, presets: Lookup[str, Preset], host_name: str) -> Rule:
    """Return the rule that *source*'s files are read by; under `format: auto` with its candidates, best known first."""
    if source.pattern is not None and source.format == "auto":
        return _rule(config, source, Preset(name="pattern", pattern=source.pattern), host_name)
    if source.format in presets:
        return _rule(config, source, presets[source.format], host_name)
    if source.format != "auto":
        return _built_in(config, source, source.format, host_name)
    candidates = tuple(_prompt(rule, source) for rule in _candidates(config, source, presets, host_name))
    plain = _built_in(config, source, "raw", host_name)
    return msgspec.structs.replace(plain, layout="auto", format=RecordFormat.AUTO, candidates=candidates)


def _candidates(config: Config, source: Source, presets: Lookup[str, Preset], host_name: str) -> Iterator[Rule]:
    for preset in sorted(presets.values(), key=lambda preset: (_RANKS.index(preset.rank), preset.name)):
        yield _rule(config, source, preset, host_name)
    for name in ("cri", "docker"):
        yield _built_in(config, source, name, host_name)
    for rank, name in enumerate(("json", "logfmt"), len(_RANKS)):
        yield msgspec.structs.replace(_built_in(config, source, name, host_name), rank=rank)
    pretty = Preset(name=PRETTY_JSON, format="json", multiline=MultilineKeys(start=r"\{"))
    yield msgspec.structs.replace(_rule(config, source, pretty, host_name), rank=len(_RANKS) + 2)
    yield _built_in(config, source, "raw", host_name)


def _prompt(rule: Rule, source: Source) -> Rule:
    """Close the last record of a quiet file soon: nobody has said that its program pauses in the middle of one."""
    if rule.multiline is None or (source.multiline is not None and source.multiline.timeout_seconds is not None):
        return rule
    return msgspec.structs.replace(rule, multiline=msgspec.structs.replace(rule.multiline, timeout_ms=QUIET_MS))


def _built_in(config: Config, source: Source, name: str, host_name: str) -> Rule:
    inner = (source.pattern,) if source.pattern is not None else ()
    rule = _rule(config, source, Preset(name=name, patterns=inner), host_name)
    return msgspec.structs.replace(rule, format=_WRITTEN_OUT[name])


def _rule(config: Config, source: Source, preset: Preset, host_name: str) -> Rule:
    patterns = preset.all_patterns
    groups = frozenset[str]().union(*(group_names(pattern) for pattern in patterns)) if patterns else None
    multiline = _multiline(source.multiline, preset.multiline, has_pattern=bool(patterns))
    timeout = source.multiline.timeout_seconds if source.multiline is not None else None
    return Rule(
        source=source.name,
        layout=preset.name,
        sign=preset.sign,
        rank=_RANKS.index(preset.rank),
        format=RecordFormat(preset.format),
        patterns=patterns,
        stamp=_stamp(source.timestamp, preset.timestamp, groups, config.zone),
        severity=_severity(source.severity, preset.severity, groups),
        multiline=multiline,
        keep=source.keep,
        drop=source.drop,
        masks=tuple(rule for mask in source.mask for rule in mask_rules(mask)),
        attributes=_attributes(config, source, host_name),
        limits=config.endpoint.event_limits,
        record_id=source.record_id,
        encoding=source.encoding if source.encoding == "auto" else codecs.lookup(source.encoding).name,
        too_old=TooOld(config.endpoint.too_old),
        open_line_timeout_ms=_DEFAULT_MULTILINE.timeout_ms if timeout is None else round(timeout * 1000),
    )


def _stamp(own: TimestampKeys, preset: TimestampKeys, groups: frozenset[str] | None, host_zone: str) -> StampRule:
    return StampRule(
        field=_known_field(own.field, groups) or preset.field,
        formats=own.formats or preset.formats,
        zone=own.timezone or preset.timezone or host_zone,
    )


def _severity(own: SeverityKeys, preset: SeverityKeys, groups: frozenset[str] | None) -> SeverityRule:
    words = {word.strip().lower(): severity.lower() for word, severity in (preset.map | own.map).items()}
    return SeverityRule(
        field=_known_field(own.field, groups) or preset.field,
        words=words,
        rules=tuple((rule.match, rule.severity.lower()) for rule in (*own.rules, *preset.rules)),
        default=(own.default or preset.default or "none").lower(),
    )


def _known_field(field: str | None, groups: frozenset[str] | None) -> str | None:
    # A candidate of `format: auto` need not have the field that the source names.
    return field if groups is None or field in groups else None


_DEFAULT_MULTILINE: Final = MultilineRule()


def _multiline(own: MultilineKeys | None, preset: MultilineKeys | None, *, has_pattern: bool) -> MultilineRule | None:
    own, preset = own or MultilineKeys(), preset or MultilineKeys()
    border = own if own.start is not None or own.continue_ is not None else preset
    if border.start is None and border.continue_ is None:
        return None
    at_stamp = border.start == AT_STAMP
    # Without a pattern of its own that shows where a stamp stands, a stamp at the line's start is one.
    start = (None if has_pattern else _STAMP_AT_START) if at_stamp else border.start
    max_lines = own.max_lines or preset.max_lines or _DEFAULT_MULTILINE.max_lines
    max_bytes = own.max_bytes or preset.max_bytes or _DEFAULT_MULTILINE.max_bytes
    timeouts = (own.timeout_seconds, preset.timeout_seconds)
    timeout_seconds = next((seconds for seconds in timeouts if seconds is not None), None)
    return MultilineRule(
        start=start,
        start_at_stamp=at_stamp and has_pattern,
        continue_=border.continue_,
        heading=border.heading,
        max_lines=max_lines,
        max_bytes=max_bytes,
        timeout_ms=_DEFAULT_MULTILINE.timeout_ms if timeout_seconds is None else round(timeout_seconds * 1000),
    )


def _attributes(config: Config, source: Source, host_name: str) -> dict[str, str]:
    given = {**config.attributes, **source.static_attributes}
    own = {"host.name": host_name, "dt.ingest.origin": INGEST_ORIGIN}
    return {**{key: text for key, text in own.items() if key not in source.path_attributes}, **given}
