"""`shipper explain`: lines, events and reasons, on real files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from shipper.cli.explain import explain
from shipper.cli.explain_patterns import atoms
from shipper.core.model import Encoded
from shipper.errors import ShipperError, UsageError
from shipper.pipeline.guard import MatchGuard

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
PRESETLESS = "2026-01-31 10:00:0{} {} shop - text {}"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent.yaml stands around."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")


def run(*arguments: str | Path, text: bytes | None = None) -> Result:
    result = CliRunner().invoke(explain, [str(one) for one in arguments], input=text, standalone_mode=False)
    if result.exception and not isinstance(result.exception, ShipperError):
        raise result.exception
    return result


def objects(*arguments: str | Path, text: bytes | None = None) -> list[dict[str, object]]:
    result = run("--json", *arguments, text=text)
    assert result.exception is None, result.exception
    return [json.loads(line) for line in result.stdout.split("\n") if line]


def spans(found: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(one["line"], one["lines"]) for one in found]


TRACE = "2026-01-31 10:00:00 ERROR [a] x.Y - no\n\tat x.y.z\n\n\tat x.y.w\n\n2026-01-31 10:00:01 INFO [a] x.Y - go\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(TRACE.encode(), [(1, 4), (6, 1)], id="blank_inside_counts_trailing_does_not"),
        pytest.param(TRACE.encode("utf-16"), [(1, 4), (6, 1)], id="utf16_with_mark"),
        pytest.param(("\ufeff" + TRACE).encode(), [(1, 4), (6, 1)], id="utf8_with_mark"),
        pytest.param(b"\0" * 5000 + TRACE.encode(), [(1, 4), (6, 1)], id="nul_hole"),
        pytest.param(TRACE.replace("\n", "\r\n").encode(), [(1, 4), (6, 1)], id="crlf"),
        pytest.param(b"one\n\n\ntwo", [(1, 1), (4, 1)], id="no_newline_at_end"),
        pytest.param(b"x" * 3_000_000 + b"\nshort\n", [(1, 1), (2, 1)], id="a_line_too_long_to_hold_is_one_record"),
        pytest.param(b"", [], id="empty"),
    ],
)  # fmt: skip
def test_lines_are_counted_in_the_bytes(data: bytes, expected: list[tuple[int, int]], tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(data)

    assert spans(objects(path)) == expected


def test_a_file_and_a_pipe_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text(TRACE)

    assert spans(objects(path)) == spans(objects("-", text=TRACE.encode()))


def test_an_old_event_keeps_its_own_time(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("2001-02-03 04:05:06,789 WARN [a] x.Y - old\n")

    event = objects("--timezone", "+02:00", path)[0]["event"]

    assert isinstance(event, dict)
    assert (event["timestamp"], event["severity"]) == ("2001-02-03T02:05:06.789Z", "warn")
    assert "log.original_timestamp" not in event


def test_a_layout_that_changes_in_mid_file_is_seen(tmp_path: Path) -> None:
    """Lines are still counted rightly over the bytes that are read once more."""
    path = tmp_path / "app.log"
    path.write_text(
        "".join(f"2026-01-31 10:00:00 INFO [a] x.Y - {n}\n" for n in range(3000))
        + "".join(f'{{"ts":"2026-01-31T10:00:01Z","level":"error","msg":"{n}"}}\n' for n in range(9000))
    )

    found = objects(path)

    assert spans(found) == [(n, 1) for n in range(1, 12_001)]
    last = found[-1]["event"]
    assert isinstance(last, dict)
    assert (last["severity"], last["msg"]) == ("error", "8999")


def test_auto_says_what_else_was_tried(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(f'{{"ts":"2026-01-31T10:00:0{n}Z","level":"error","msg":"no"}}\n' for n in range(3)))

    shown = run(path).stdout

    tried = [line for line in shown.splitlines() if line.startswith("  tried")]
    assert len(tried) == 1
    assert re.search(r"\bjson 100\.0 %.* \d+ explain nothing$", tried[0])
    assert "tried" not in run("--format", "json", path).stdout


def test_of_each_record_the_nearest_other_formats_are_named_and_why_they_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(f"2026-01-31 10:00:0{n},114 INFO  [main] com.example.Boot - started\n" for n in range(4)))

    shown = run(path).stdout

    assert shown.count("  not       logback: fits this record too\n") == 4
    assert re.search(r"^  not       \w+: matched up to column \d+ and not at ", shown, re.MULTILINE)


def test_the_severity_names_the_group_or_key_that_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text('{"ts":"2026-01-31T10:00:00Z","log":{"level":"error"}}\n')

    assert "error: from 'error' in the key log.level\n" in run("--format", "json", path).stdout


def test_formats_that_failed_before_are_named(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("31.01.2026 10:00:00 go\n")
    keys = "  pattern: '(?P<timestamp>\\S+ \\S+) '\n  timestamp: {formats: [rfc3339, '%d.%m.%Y %H:%M:%S']}\n"

    assert "; not as rfc3339\n" in run("-c", config(tmp_path, keys), log).stdout


def test_a_converter_that_sends_something_else_is_called_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app.log"
    path.write_text(TRACE)
    convert = MatchGuard.convert

    def otherwise(*arguments: Any) -> Encoded:
        encoded = convert(*arguments)
        encoded.json = bytes(encoded.json).replace(b'"severity":"error"', b'"severity":"info"')
        return encoded

    assert run(path).stderr == ""
    monkeypatch.setattr(MatchGuard, "convert", otherwise)

    assert "are sent otherwise than explained: event 1 in severity" in run("--json", path).stderr


def config(folder: Path, keys: str) -> Path:
    path = folder / "shop.yaml"
    path.write_text(f"sources:\n- name: shop\n  paths: ['{folder}/*.log']\n{keys}")
    return path


def test_reasons_stand_under_each_record(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("2026-01-31 10:00:00 W slow for bob@shop.example\n2026-01-31 10:00:01 INFO GET /healthz\nnothing\n")
    path = config(tmp_path, r"""
  pattern: '(?P<timestamp>\S+ \S+) (?P<severity>[A-Z]+) '
  timestamp: {timezone: '+01:00'}
  mask: [{preset: email}]
  drop: [healthz]
""")  # fmt: skip

    shown = run("-c", path, log).stdout

    assert "'2026-01-31 10:00:00' as rfc3339 -> 2026-01-31T09:00:00.000Z; the source's zone +01:00" in shown
    assert "warn: from 'W'" in shown
    assert "masks     email" in shown
    assert "bob@" not in shown
    assert "left out by healthz" in shown
    assert "the record has none: that of the record above" in shown
    assert "2 records, 1 left out" in shown
    assert spans(objects("-c", path, log)) == [(1, 1), (3, 1)]


@pytest.mark.parametrize(
    ("pattern", "text", "said"),
    [
        (r"(?P<timestamp>\d+) (?P<severity>[A-Z]+) x", "12 WARN y", r"column 8 and not at x"),
        (r"\[(?P<timestamp>[^]]+)\] (?P<severity>\w+)", "[1] -", r"column 4 and not at (?P<severity>\w+)"),
    ],
)
def test_a_pattern_that_fails_says_where(pattern: str, text: str, said: str, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text(text + "\n")

    assert f"matched up to {said}" in run("-c", config(tmp_path, f"  pattern: '{pattern}'\n"), log).stdout


def test_a_pattern_that_runs_away_is_named_and_stopped(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("a" * 64 + "!\nnext\n")

    shown = run("-c", config(tmp_path, "  pattern: '^(a+)+$'\n"), log).stdout

    assert "ran out of time on this text" in shown
    assert "2 records" in shown


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        (r"a\(b[)(]+(c(d)?){2,3}?\s*", ["a", r"\(", "b", "[)(]+", "(c(d)?){2,3}?", r"\s*"]),
        (r"[]\]x]y", [r"[]\]x]", "y"]),
        (r"a|b", ["a|b"]),
    ],
)
def test_a_pattern_is_cut_at_its_top_level(pattern: str, pieces: list[str]) -> None:
    assert atoms(pattern) == pieces


def test_only_the_records_that_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text(TRACE)

    assert spans(objects("--line", "3", path)) == [(1, 4)]
    assert spans(objects("--records", "1", path)) == [(1, 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "nginx_acess"], "unknown format 'nginx_acess'; did you mean 'nginx_access'?"),
        (["--source", "a", "--format", "raw"], "--source and --format exclude one another"),
        (["--timezone", "Mars/Base"], "--timezone: unknown time zone 'Mars/Base'"),
    ],
)
def test_what_cannot_be_read_by_is_wrong_usage(arguments: list[str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("x\n")

    result = run(*arguments, path)

    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def sources() -> list[str]:
    return sorted(path.parent.relative_to(CORPUS).as_posix() for path in CORPUS.glob("**/truth.ndjson"))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus beside the checkout")
@pytest.mark.parametrize("name", sources())
def test_lines_equal_the_truth_of_the_corpus(name: str) -> None:
    truth = [json.loads(line) for line in (CORPUS / name / "truth.ndjson").read_text().splitlines()]

    found = objects(CORPUS / name / "sample.log")

    assert set(spans(truth)) - set(spans(found)) == set()
