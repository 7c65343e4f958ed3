"""Compiles what the sources read by, and runs the tests that stand beside their rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from shipper.cli.check_report import Finding, TestReport
from shipper.config import Config, Source, load_presets, rules
from shipper.config.samples import preset_tests
from shipper.config.source_model import AttributeWords, Expected, RuleTest
from shipper.config.validate_tests import NO_STAMP, instant_ms
from shipper.core.converter import compile_rule
from shipper.core.model import AttributeValue, Carry, Chunk, Event, FileFacts, FileKey, Reading
from shipper.core.rule import Rule
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.rehearsal import is_first_part, rehearse, without_age_limits

# What one of a pattern's compilations can end in; that it is a pattern was checked when the file was loaded.
_REFUSALS = (re.error, ValueError, RecursionError, SyntaxError, OverflowError)
_FACTS = FileFacts(FileKey(0, 0), "/test", "test", 0)


def compile_all(rule: Rule) -> tuple[int, list[Finding]]:
    """Compile *rule*, with each layout that it may choose; return how many that was, and what cannot be."""
    findings = []
    rules = rule.candidates or (rule,)
    for one in rules:
        try:
            # The loop of a rule is made with its first chunk.
            compile_rule(one).convert(Chunk(0, 1, b"\n"), _FACTS, Carry(), 0)
        except _REFUSALS as error:
            findings.append(Finding("failed", f"the rule of {one.layout} cannot be compiled: {error}"))
    return len(rules), findings


def run_tests(rule: Rule, tests: Sequence[RuleTest], now_ms: int, guard: MatchGuard) -> list[TestReport]:
    """Return what became of each test, run on the code that the agent reads by."""
    reading = SourceReading(without_age_limits(rule))
    return [
        TestReport(number, test.line, list(_differences(reading, test, now_ms, guard)))
        for number, test in enumerate(tests)
    ]


def run_preset_tests(config: Config, host_name: str, now_ms: int, guard: MatchGuard) -> list[Finding]:
    """Return which samples of the operator's own presets are not read as they say.

    Raises:
        ConfigError: A sample is wrong by itself.
    """
    findings = []
    presets = load_presets(config.preset_dirs)
    for preset, zone, test, place in preset_tests(config.preset_dirs):
        there = msgspec.structs.replace(config, zone=zone)
        rule = rules(there, Source(name=preset, paths=(), format=preset), presets, host_name)
        differences = run_tests(rule, [test], now_ms, guard)[0].differences
        if differences:
            findings.append(Finding("failed", f"{place}: {'; '.join(differences)}"))
    return findings


def _differences(reading: SourceReading, test: RuleTest, now_ms: int, guard: MatchGuard) -> Iterator[str]:
    text = test.line if test.line.endswith("\n") else test.line + "\n"
    encoding = "utf-8" if reading.rule.encoding == "auto" else reading.rule.encoding
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError as error:
        yield f"the line cannot stand in a file: {text[error.start]!r} is not in {encoding}"
        return
    written_ms = (instant_ms(test.written) if test.written is not None else None) or now_ms
    facts = msgspec.structs.replace(_FACTS, mtime_ms=written_ms)
    readings = [one.reading for one in rehearse(reading, [data], facts, now_ms, guard)]
    events = [one.event for found in readings for one in found.produced if is_first_part(one.event)]
    # A directive (the columns of a W3C log) says how to read the records below it and is none itself.
    left_out = Counter[str]()
    for found in readings:
        left_out.update({reason: count for reason, count in found.filtered.items() if reason != "directive"})
    filtered = list(left_out.elements())
    yield from _compare(test.expect, events, filtered, readings)


def _compare(
    expected: Expected, events: list[Event], filtered: list[str], readings: list[Reading]
) -> Iterator[str]:  # fmt: skip
    refused = [one.reason for found in readings for one in found.refused]
    records = len(events) + len(filtered) + len(refused)
    if records != expected.records:
        yield f"records: expected {expected.records}, got {records}"
    if expected.left_out is not None:
        if expected.left_out not in filtered:
            got = f"left out by {filtered[0]}" if filtered else refused[0] if refused else "it is sent"
            yield f"left_out: expected {expected.left_out}, got: {got}"
        return
    if events:
        yield from _compare_event(expected, events[0])
    elif records:
        yield f"expected an event, got: {f'left out by {filtered[0]}' if filtered else refused[0]}"


def _compare_event(expected: Expected, event: Event) -> Iterator[str]:
    for name, wanted in (("severity", expected.severity), ("content", expected.content)):
        if wanted is not None and wanted.rstrip("\n") != event[name]:
            yield f"{name}: expected {wanted.rstrip()!r}, got {event[name]!r}"
    if expected.timestamp is not None:
        source = event.get("log.timestamp_source")
        stamp = str(event["timestamp"])
        got = NO_STAMP if source is not None else stamp
        same = got == expected.timestamp or (
            NO_STAMP not in (got, expected.timestamp) and instant_ms(got) == instant_ms(expected.timestamp)
        )
        if not same:
            yield f"timestamp: expected {expected.timestamp}, got {got}"
    for name, words in expected.attributes.items():
        found = _words(event.get(name))
        if found != words:
            yield f"attributes.{name}: expected {_or_nothing(words)}, got {_or_nothing(found)}"


def _words(value: AttributeValue) -> AttributeWords | None:
    """Return *value* as a test writes it: a text as it is, else as JSON."""
    if isinstance(value, list):
        return tuple(one if isinstance(one, str) else msgspec.json.encode(one).decode() for one in value)
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _or_nothing(words: AttributeWords | None) -> str:
    return "nothing" if words is None else repr(words) if isinstance(words, str) else repr(list(words))
