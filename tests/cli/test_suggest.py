"""`shipper suggest`: what it proposes is a configuration, and reads as `format: auto` does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipper.cli.explain import explain
from shipper.cli.suggest import suggest
from shipper.cli.suggest_source import glob_for, name_for, one_pattern, single_byte_encoding
from shipper.config import load
from shipper.errors import ShipperError, UsageError

SAMPLES = Path(__file__).parents[2] / "samples"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent.yaml stands around."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(suggest, [str(one) for one in arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, ShipperError):
        raise result.exception
    return result


def events(path: Path, *arguments: str | Path) -> list[dict[str, object]]:
    """Return what `explain --json` prints, without the source's name and the time of reading."""
    result = CliRunner().invoke(
        explain, ["--json", *map(str, arguments), str(path)], standalone_mode=False, catch_exceptions=False
    )
    found = [json.loads(line) for line in result.stdout.split("\n") if line]
    for one in found:
        del one["event"]["log.source"]
        if one["event"].get("log.timestamp_source") == "read":
            del one["event"]["timestamp"]
    return found


LEARNED = {
    "level_at_a_word": "@ 2026/01/31-10:00:0{n} host{n} <{level}> did {n}",
    "level_right_behind": "2026.01.31 10:00:0{n}|{level}|did {n}",
    "level_in_front": "{level} at 31.01.2026 10:00:0{n} did {n}",
    "no_level": "q{n} [31-Jan-2026 10:00:0{n}] did {n}",
    "dollar_and_quote": "$'s 2026.01.31 10:00:0{n} {level}: did {n}",
}


@pytest.mark.parametrize("shape", LEARNED.values(), ids=LEARNED.keys())
def test_a_learned_layout_becomes_a_pattern_that_reads_the_same(shape: str, tmp_path: Path) -> None:
    levels = ("INFO", "WARN", "ERROR")
    log = tmp_path / "odd.log"
    lines = [shape.format(n=n, level=levels[n % 3]) + ("\n  and more" if n == 4 else "") for n in range(10)]
    log.write_text("\n".join(lines) + "\n")

    suggested = tmp_path / "agent2.yaml"
    suggested.write_text(run(log).stdout)

    assert load(suggested, {}).sources[0].pattern is not None
    assert events(log, "-c", suggested) == events(log)
    assert len(events(log)) == 10


def as_windows_text(found: list[dict[str, object]], suggested: Path) -> list[dict[str, object]]:
    """Return *found* with its bytes that are no UTF-8 as text, where a code page was suggested."""
    if "encoding: cp1252" not in suggested.read_text():
        return found
    text = re.sub(r"\\\\x([0-9a-f]{2})", lambda byte: bytes.fromhex(byte[1]).decode("cp1252"), json.dumps(found))
    decoded: list[dict[str, object]] = json.loads(text)
    return decoded


def samples() -> list[Path]:
    return sorted(SAMPLES.glob("*/*.log"))


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.parent.name + "-" + path.name)
def test_a_sample_is_read_as_auto_reads_it(path: Path, tmp_path: Path) -> None:
    suggested = tmp_path / "agent2.yaml"
    suggested.write_text(run(path).stdout)

    assert events(path, "-c", suggested) == as_windows_text(events(path), suggested)


def sources() -> list[str]:
    found = (path.parent for path in CORPUS.glob("**/sample.log") if path.stat().st_size < 100_000)
    return sorted(path.relative_to(CORPUS).as_posix() for path in found)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus beside the checkout")
@pytest.mark.parametrize("name", sources())
def test_a_file_of_the_corpus_is_read_as_auto_reads_it(name: str, tmp_path: Path) -> None:
    path = CORPUS / name / "sample.log"
    suggested = tmp_path / "agent2.yaml"
    suggested.write_text(run(path).stdout)

    assert events(path, "-c", suggested) == as_windows_text(events(path), suggested)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("grün\n".encode("cp1252"), "cp1252"),
        ("“Preis” 5 €\n".encode("cp1252"), "cp1252"),
        ("grün\n".encode(), ""),
        ("grün ".encode() + "grün\n".encode("cp1252"), ""),
        (b"plain\n", ""),
        (b"\x81\x8d\n", ""),
        ("grün\n".encode("utf-16"), ""),
        (b"\xef\xbb\xbfgr\xfcn\n", ""),
    ],
)
def test_a_code_page_is_suggested_where_the_bytes_are_no_utf_8_and_can_be_of_it(data: bytes, encoding: str) -> None:
    assert single_byte_encoding(data) == encoding


def test_presets_of_the_operator_are_suggested_too(tmp_path: Path) -> None:
    (tmp_path / "formats.d").mkdir()
    (tmp_path / "formats.d" / "shop.yaml").write_text(
        "name: shop\npattern: 'SHOP (?P<timestamp>\\S+ \\S+) (?P<severity>\\w+) (?P<shop__till>\\d+) '\n"
    )
    (tmp_path / "agent.yaml").write_text("state_dir: state\nsources:\n- {name: a, paths: [/nowhere/*.log]}\n")
    log = tmp_path / "till.log"
    log.write_text("".join(f"SHOP 2026-01-31 10:00:0{n} INFO {n} sold\n" for n in range(5)))

    assert "format: shop\n" in run(log).stdout


def test_of_two_formats_that_read_a_file_alike_the_one_that_its_path_names_is_suggested(tmp_path: Path) -> None:
    line = '127.0.0.1 - - [31/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8.5.0"\n'
    found = {}
    for folder in ("nginx", "httpd", "apache2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "access.log").write_text(line * 20)
        found[folder] = json.loads(run("--json", tmp_path / folder / "access.log").stdout)[0]["keys"]["format"]

    assert found == {"nginx": "nginx_access", "httpd": "apache_access", "apache2": "apache_access"}


def test_lines_that_are_not_explained_are_named(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    lines = [f'127.0.0.1 - - [31/Jan/2026:10:00:{n:02} +0000] "GET / HTTP/1.1" 200 5' for n in range(30)]
    log.write_text("\n".join([*lines[:10], "what is this", *lines[10:]]) + "\n")

    found = json.loads(run("--json", log).stdout)[0]

    assert [(one["line"], one["text"]) for one in found["counter_examples"]] == [(11, "what is this")]
    assert (found["explained"], found["lines"]) == (30, 31)
    assert "app.log:11: what is this" in found["yaml"]


@pytest.mark.parametrize(
    ("name", "beside", "expected"),
    [
        ("app.log", [], "app.log"),
        ("app.log.1", ["app.log"], "app.log"),
        ("app.log.2", [], "app.log"),
        ("app-2026-01-31.log", [], "app-*.log"),
        ("u_ex240514.log", [], "u_ex*.log"),
        ("a[1].log", [], "a?1?.log"),
    ],
)
def test_paths_hold_for_the_files_to_come(name: str, beside: list[str], expected: str, tmp_path: Path) -> None:
    for one in beside:
        (tmp_path / one).touch()

    assert glob_for(tmp_path / name) == f"{tmp_path}/{expected}"


def test_files_of_one_rotation_are_one_source(tmp_path: Path) -> None:
    for name in ("app.log", "app.log.1"):
        (tmp_path / name).write_text("2026-01-31 10:00:00,000 INFO [a] x.Y - go\n" * 5)

    found = json.loads(run("--json", tmp_path / "app.log", tmp_path / "app.log.1").stdout)

    assert [(one["keys"]["paths"], len(one["files"])) for one in found] == [([f"{tmp_path}/app.log"], 2)]


def test_a_name_is_given_once() -> None:
    assert name_for("/var/log/nginx/error.log", []) == "nginx-error"
    assert name_for("/var/log/app.log", ["app"]) == "app-2"


def test_a_level_in_two_places_needs_two_groups() -> None:
    assert one_pattern(["^a(?P<severity>b)", "^a(?P<severity>c)", "^a"]) == "^a(?:(?P<severity>b)|(?P<level>c))?"


def test_what_is_no_log_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.log.gz"
    path.write_bytes(b"\x1f\x8b123")

    result = run(path)

    assert isinstance(result.exception, UsageError)
    assert "compressed (gzip)" in str(result.exception)
