"""`shipper check`: rules are compiled, and the tests beside them run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.checking import findings, report, source_of

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
