"""`shipper check`: rules are compiled, and the tests beside them run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import shipper.formats
from shipper.config.samples import preset_tests
from shipper.errors import ConfigError
from tests.cli.checking import findings, report, run, source_of

RULE = r"""sources:
- name: shop
  paths: [/nowhere/*.log]
  pattern: '^(?P<timestamp>\S+ \S+) (?P<severity>[A-Z]+) \[(?P<thread>[^\]]+)\] (?P<n>\d+)?'
  timestamp: {timezone: Europe/Vienna}
  severity: {map: {W: warn}, rules: [{match: OutOfMemory, severity: critical}]}
  multiline: {start: timestamp}
  keep: ['\[']
  drop: [healthz]
  mask: [{preset: email}]
  tests:
"""


def differences(folder: Path, test: str, rule: str = RULE) -> list[str]:
    found = report(folder, rule + "  - " + test.strip().replace("\n", "\n    ") + "\n")
    tests = source_of(found)["tests"]
    assert isinstance(tests, list)
    listed: list[str] = tests[0]["differences"]
    assert any(level == "failed" for level, _ in findings(found)) == bool(listed)
    return listed


TWO_RECORDS = "line: |\n  2026-01-31 23:59:59 E [a] boom\n    at x\n  2026-01-31 23:59:59 E [a] again"
LINE = "line: '2026-01-31 23:59:59,123 W [main] 17 from a@b.example'"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (f"{LINE}\nexpect: {{severity: warn, timestamp: '2026-01-31T22:59:59.123Z', "
         "attributes: {{thread: main, n: 17}}}}".replace("{{", "{").replace("}}", "}"), []),
        (f"{LINE}\nexpect: {{timestamp: '2026-01-31T23:59:59.123+01:00', attributes: {{log.raw_level: W, x: }}}}", []),
        (f"{LINE}\nexpect: {{content: '2026-01-31 23:59:59,123 W [main] 17 from <masked-email>'}}", []),
        (f"{LINE}\nexpect: {{severity: error}}", ["severity: expected 'error', got 'warn'"]),
        (f"{LINE}\nexpect: {{timestamp: '2026-01-31T23:59:59Z'}}",
         ["timestamp: expected 2026-01-31T23:59:59Z, got 2026-01-31T22:59:59.123Z"]),
        (f"{LINE}\nexpect: {{timestamp: none}}", ["timestamp: expected none, got 2026-01-31T22:59:59.123Z"]),
        (f"{LINE}\nexpect: {{attributes: {{thread: Main, nothing: x, n: }}}}",
         ["attributes.thread: expected 'Main', got 'main'", "attributes.nothing: expected 'x', got nothing",
          "attributes.n: expected nothing, got '17'"]),
        (f"{LINE}\nexpect: {{left_out: drop}}", ["left_out: expected drop, got: it is sent"]),
        ("line: '2026-01-31 23:59:59 I [a] GET /healthz'\nexpect: {left_out: drop}", []),
        ("line: '2026-01-31 23:59:59 I [a] GET /healthz'\nexpect: {left_out: keep}",
         ["left_out: expected keep, got: left out by drop"]),
        ("line: '2026-01-31 23:59:59 I [a] GET /healthz'\nexpect: {severity: info}",
         ["expected an event, got: left out by drop"]),
        ("line: '[no stamp] OutOfMemory'\nexpect: {severity: critical, timestamp: none}", []),
        (f"{TWO_RECORDS}\nexpect: {{records: 2}}", []),
        (f"{TWO_RECORDS}\nexpect: {{severity: error}}", ["records: expected 1, got 2"]),
    ],
)  # fmt: skip
def test_a_test_beside_a_rule_says_what_differs(test: str, expected: list[str], tmp_path: Path) -> None:
    assert differences(tmp_path, test) == expected


@pytest.mark.parametrize(
    ("written", "year"), [("2026-03-01T00:00:00Z", "2026"), ("2025-03-01T00:00:00Z", "2025")]
)  # fmt: skip
def test_a_stamp_without_a_year_is_read_against_the_tests_own_time(written: str, year: str, tmp_path: Path) -> None:
    rule = "sources:\n- name: s\n  paths: [/x]\n  format: syslog_rfc3164\n  timestamp: {timezone: UTC}\n  tests:\n"
    test = (
        f"line: 'Feb 14 06:15:16 web01 sshd[7]: hello'\nwritten: {written}\n"
        f"expect: {{timestamp: '{year}-02-14T06:15:16.000Z'}}"
    )

    assert differences(tmp_path, test, rule) == []


def test_a_line_that_the_encoding_cannot_hold_fails(tmp_path: Path) -> None:
    rule = "sources:\n- name: s\n  paths: [/x]\n  encoding: latin-1\n  tests:\n"

    assert differences(tmp_path, "line: 'price 5 €'\nexpect: {severity: none}", rule) == [
        "the line cannot stand in a file: '€' is not in iso8859-1"
    ]


def test_a_pattern_that_runs_away_does_not_hang_the_check(tmp_path: Path) -> None:
    rule = "sources:\n- name: s\n  paths: [/x]\n  pattern: '^(?P<x>(a+)+)$'\n  tests:\n"

    text = f"line: '{'a' * 40}!'\nexpect: {{attributes: {{log.unparsed: no}}}}"
    assert differences(tmp_path, text, rule) == ["attributes.log.unparsed: expected 'no', got 'timeout'"]


def test_every_layout_of_an_automatic_source_is_compiled(tmp_path: Path) -> None:
    found = report(tmp_path, "sources: [{name: a, paths: [/nowhere/x]}, {name: b, paths: [/nowhere/y], format: raw}]\n")

    rules = [source_of(found, index)["rules"] for index in range(2)]
    assert isinstance(rules[0], int)
    assert rules[0] > 20
    assert rules[1] == 1


OWN = r"""name: mine
pattern: '(?P<timestamp>\S+ \S+ \S+) (?P<level>\S+) (?P<n>\d+)'
timestamp: {formats: ['%b %d %H:%M:%S']}
samples:
  - text: 'Feb 14 06:15:16 WARN 7'
    timezone: Europe/Vienna
    modified: 2026-03-01T00:00:00Z
    timestamp: 2026-02-14T05:15:16.000Z
    severity: warn
    attributes: {n: 7}
  - text: 'no time here'
    severity: none
"""


def with_preset(folder: Path, text: str) -> list[object]:
    (folder / "formats.d").mkdir()
    (folder / "formats.d" / "mine.yaml").write_text(text)
    found = report(folder, "sources: [{name: a, format: mine, paths: [/nowhere/x]}]\n")["findings"]
    assert isinstance(found, list)
    return [one["text"].replace(f"{folder}/", "") for one in found]


def test_the_samples_of_the_operators_own_presets_are_run(tmp_path: Path) -> None:
    assert with_preset(tmp_path, OWN) == []


def test_a_sample_that_is_read_otherwise_is_named(tmp_path: Path) -> None:
    assert with_preset(tmp_path, OWN.replace("severity: warn", "severity: error").replace("n: 7", "n: [7]")) == [
        "formats.d/mine.yaml:5: samples[0]: severity: expected 'error', got 'warn'; "
        "attributes.n: expected ['7'], got '7'"
    ]


def test_a_wrong_sample_is_a_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "formats.d").mkdir()
    (tmp_path / "formats.d" / "mine.yaml").write_text(OWN.replace("    severity: warn\n", ""))

    result = run(tmp_path, "sources: [{name: a, format: mine, paths: [/nowhere/x]}]\n", "--offline")

    assert isinstance(result.exception, ConfigError)
    assert result.exception.problems == [
        f"{tmp_path}/formats.d/mine.yaml:5: samples[0].severity: is missing; every entry needs one"
    ]


def test_a_copy_of_every_preset_of_the_project_passes_as_it_stands(tmp_path: Path) -> None:
    """What its own tests ask of a preset is what `check` asks of an operator's."""
    shutil.copytree(Path(shipper.formats.__path__[0]), tmp_path / "formats.d", ignore=shutil.ignore_patterns("*.py*"))

    found = report(tmp_path, "sources: [{name: a, format: raw, paths: [/nowhere/x]}]\n")

    assert found["findings"] == []
    assert len(preset_tests([tmp_path / "formats.d"])) > 100
