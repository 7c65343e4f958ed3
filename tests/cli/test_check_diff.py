"""`shipper check --diff`: what would become of a file's records under another configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipper.cli.check import check
from shipper.errors import ShipperError, UsageError

LINES = [
    "2026-01-31 10:00:00 INFO [a] start",
    "2026-01-31 10:00:01 WARN [a] slow",
    "  at x.y.z",
    "2026-01-31 10:00:02 ERROR [b] OutOfMemoryError of bob@shop.example",
    "2026-01-31 10:00:03 INFO [a] GET /healthz",
]
BASE = r"""
  pattern: '^(?P<timestamp>\S+ \S+) (?P<severity>[A-Z]+)'
  timestamp: {timezone: UTC}
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "shop.log"
    path.write_text("\n".join(LINES) + "\n")
    return path


def config(path: Path, log: Path, keys: str, name: str = "shop") -> Path:
    path.write_text(f"sources:\n- name: {name}\n  paths: ['{log.parent}/*.log']{BASE}{keys}")
    return path


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(check, [str(one) for one in arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, ShipperError):
        raise result.exception
    return result


START = "  multiline: {start: timestamp}\n"


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("", "", []),
        ("", "  severity: {map: {WARN: error}}\n", [(2, "severity", "warn", "error")]),
        ("", "  severity: {rules: [{match: OutOfMem, severity: alert}]}\n", [(4, "severity", "error", "alert")]),
        ("", "  drop: [healthz]\n", [(5, "dropped", LINES[4], "")]),
        ("  drop: [healthz]\n", "", [(5, "no longer dropped", "", LINES[4])]),
        ("  keep: [start]\n", "  keep: [slow]\n",
         [(1, "dropped", LINES[0], ""), (2, "no longer dropped", "", LINES[1])]),
        ("", START, [(2, "boundary", "lines 2, 3", "lines 2-3")]),
        (START, "", [(2, "boundary", "lines 2-3", "lines 2, 3")]),
        ("", "  mask: [{preset: email}]\n",
         [(4, "content", LINES[3], LINES[3].replace("bob@shop.example", "<masked-email>"))]),
        ("", START + "  drop: [healthz]\n  severity: {default: info}\n",
         [(2, "boundary", "lines 2, 3", "lines 2-3"), (5, "dropped", LINES[4], "")]),
    ],
)  # fmt: skip
def test_what_changes_is_named_by_its_line(
    before: str, after: str, changes: list[tuple[int, str, str, str]], log: Path, tmp_path: Path
) -> None:
    one, two = config(tmp_path / "one.yaml", log, before), config(tmp_path / "two.yaml", log, after)

    result = run("-c", one, "--diff", two, "--json", log)

    found = json.loads(result.stdout)["changes"]
    assert [(one["line"], one["what"], one["before"], one["after"]) for one in found] == changes
    assert result.return_value == 0


def test_records_that_overlap_in_a_chain_are_one_change(log: Path, tmp_path: Path) -> None:
    log.write_text("A\nB\nA\nB\nC\n")
    one = config(tmp_path / "one.yaml", log, "  multiline: {start: '[AC]'}\n")
    two = config(tmp_path / "two.yaml", log, "  multiline: {start: '[BC]'}\n")

    found = json.loads(run("-c", one, "--diff", two, "--json", log).stdout)

    assert found["changes"] == [
        {"line": 1, "what": "boundary", "before": "lines 1-2, 3-4", "after": "lines 1, 2-3, 4"}
    ]  # fmt: skip


def test_another_zone_changes_every_time(log: Path, tmp_path: Path) -> None:
    one, two = config(tmp_path / "one.yaml", log, ""), tmp_path / "two.yaml"
    two.write_text(one.read_text().replace("timezone: UTC", "timezone: '+01:00'"))

    found = json.loads(run("-c", one, "--diff", two, "--json", log).stdout)

    assert [(change["line"], change["what"]) for change in found["changes"]] == [(n, "timestamp") for n in range(1, 6)]
    assert found["changes"][0]["before"] == "2026-01-31T10:00:00.000Z"
    assert found["changes"][0]["after"] == "2026-01-31T09:00:00.000Z"
    assert found["changes"][2]["after"] == "2026-01-31T09:00:01.000Z (inherited)"


def test_a_record_that_is_split_is_one_record(log: Path, tmp_path: Path) -> None:
    log.write_text("x" * 200_000 + "\nshort\n")
    one, two = config(tmp_path / "one.yaml", log, ""), config(tmp_path / "two.yaml", log, "  drop: [short]\n")

    found = json.loads(run("-c", one, "--diff", two, "--json", log).stdout)

    assert (found["records"], found["other_records"]) == (2, 1)
    assert [(change["line"], change["what"]) for change in found["changes"]] == [(2, "dropped")]


def test_what_goes_on_in_a_large_file_is_found(log: Path, tmp_path: Path) -> None:
    """Lines are counted over all the pieces in which the file is read."""
    log.write_text("".join(f"2026-01-31 10:00:00 INFO line {n}\n" for n in range(60_000)))
    one, two = config(tmp_path / "one.yaml", log, ""), config(tmp_path / "two.yaml", log, "  drop: [line 59998]\n")

    found = json.loads(run("-c", one, "--diff", two, "--json", log).stdout)

    assert [(change["line"], change["what"]) for change in found["changes"]] == [(59_999, "dropped")]


def test_the_table_ends_with_the_counts(log: Path, tmp_path: Path) -> None:
    one = config(tmp_path / "one.yaml", log, "")
    two = config(
        tmp_path / "two.yaml", log, "  drop: [healthz, '\\[a\\] s']\n  severity: {map: {ERROR: alert}}\n", "web"
    )

    shown = run("-c", one, "--diff", two, log).stdout.splitlines()

    assert shown[0] == f"{log} (source shop, then web): 5 records, then 2"
    assert shown[-1] == "dropped: 3, severity: 1, timestamp: 1"
    assert [line.split()[:2] for line in shown[2:-1]] == [
        ["1", "dropped"], ["2", "dropped"], ["3", "timestamp"], ["4", "severity"], ["5", "dropped"]]  # fmt: skip


def test_where_nothing_changes_that_is_said(log: Path, tmp_path: Path) -> None:
    one = config(tmp_path / "one.yaml", log, "")

    assert run("-c", one, "--diff", one, log).stdout.splitlines()[1:] == ["nothing changes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--diff", "{config}"], "--diff OTHER.yaml and FILE go together"),
        (["{log}"], "--diff OTHER.yaml and FILE go together"),
        (["--source", "shop"], "--source goes with --diff"),
        (["--diff", "{config}", "--source", "web", "{log}"], "{config} has no source 'web'; it has shop"),
        (["--diff", "{config}", "{config}"], "{config}: no source of {config} matches it; name one with --source"),
    ],
)
def test_what_cannot_be_compared_is_wrong_usage(arguments: list[str], message: str, log: Path, tmp_path: Path) -> None:
    path = config(tmp_path / "one.yaml", log, "")

    result = run("-c", path, *(text.format(config=path, log=log) for text in arguments))

    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == message.format(config=path, log=log)


def test_a_source_can_be_named_for_a_file_that_none_matches(log: Path, tmp_path: Path) -> None:
    path = config(tmp_path / "one.yaml", log, "")
    other = tmp_path / "copy.txt"
    other.write_text(log.read_text())

    assert "5 records, then 5" in run("-c", path, "--diff", path, "--source", "shop", other).stdout
