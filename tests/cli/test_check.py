"""`shipper check` as an operator runs it: files, permissions, overlaps, and what is shown of them."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.errors import ConfigError
from tests.cli.checking import findings, report, run, source_of
from tests.patience import PATIENCE_SECONDS

PROJECT = str(Path(__file__).parent.parent.parent)
NOBODY = 65_534


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    (folder / "shop").mkdir(parents=True)
    for name in ("a.log", "b.log", "shop/c.log"):
        (folder / name).write_text("2026-01-31 23:59:59 INFO hello\n")
    return folder


def test_each_pattern_says_how_many_files_it_matches(logs: Path, tmp_path: Path) -> None:
    paths = f"['{logs}/*.log', '{logs}/shop/*.log', '{logs}/*.txt']"
    text = f"sources:\n- {{name: all, format: raw, paths: {paths}, exclude: [b.log]}}\n"

    source = source_of(report(tmp_path, text))

    assert source["patterns"] == [
        {"pattern": f"{logs}/*.log", "files": 1},
        {"pattern": f"{logs}/shop/*.log", "files": 1},
        {"pattern": f"{logs}/*.txt", "files": 0},
    ]
    assert source["files"] == 2


def test_a_file_of_two_sources_belongs_to_the_first(logs: Path, tmp_path: Path) -> None:
    text = (
        f"sources:\n- {{name: one, format: raw, paths: ['{logs}/a.log']}}\n"
        f"- {{name: two, format: raw, paths: ['{logs}/**/*.log']}}\n- {{name: three, paths: ['{logs}/?.log']}}\n"
    )

    found = report(tmp_path, text)

    assert found["overlaps"] == [
        {"path": f"{logs}/a.log", "owner": "one", "others": ["two", "three"]},
        {"path": f"{logs}/b.log", "owner": "two", "others": ["three"]},
    ]
    assert [source_of(found, index)["files"] for index in range(3)] == [1, 2, 0]
    assert [source_of(found, index)["patterns"][0]["files"] for index in range(3)] == [1, 3, 2]  # type: ignore[index] # JSON


def test_what_is_not_read_is_named_with_the_reason(logs: Path, tmp_path: Path) -> None:
    (logs / "old.log").write_bytes(b"\x1f\x8b" + b"x" * 50)
    (logs / "core.log").write_bytes(b"\0\1" * 500)
    os.mkfifo(logs / "pipe.log")
    os.utime(logs / "b.log", (1, 1))

    found = report(tmp_path, f"sources: [{{name: a, format: raw, paths: ['{logs}/*.log'], ignore_older: 1d}}]\n")

    assert source_of(found)["skipped"] == [
        {"path": f"{logs}/b.log", "reason": "older than ignore_older"},
        {"path": f"{logs}/core.log", "reason": "binary (NUL bytes)"},
        {"path": f"{logs}/old.log", "reason": "compressed (gzip)"},
        {"path": f"{logs}/pipe.log", "reason": "a FIFO"},
    ]
    assert not found["failed"]


def test_the_agents_own_files_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "dead.log").write_text("x\n")

    found = report(tmp_path, f"sources: [{{name: a, format: raw, paths: ['{tmp_path}/**/*.log']}}]\n")

    assert source_of(found)["skipped"] == [{"path": f"{tmp_path}/state/dead.log", "reason": "shipper's own"}]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [("{logs}/*.txt", "nothing of that name in {logs}"), ("{logs}/no/*.log", "there is no folder {logs}/no")],
)
def test_a_source_without_files_is_a_warning(pattern: str, why: str, logs: Path, tmp_path: Path) -> None:
    found = report(tmp_path, f"sources: [{{name: a, format: raw, paths: ['{pattern.format(logs=logs)}']}}]\n")

    assert findings(found) == [("warning", f"no file matches yet: {why.format(logs=logs)}")]
    assert not found["failed"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter: pytest's own are the owner's alone."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def ordinary_user() -> Iterator[str]:
    """Root may read everything; for as long as this lasts it is nobody."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            yield "nobody"
        finally:
            os.seteuid(0)
    else:
        yield subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def test_a_file_that_may_not_be_read_comes_with_the_command_that_mends_it(open_folder: Path) -> None:
    logs = open_folder / "logs"
    for folder, name in ((logs, "open.log"), (logs, "it's shut.log"), (logs / "shut", "x.log")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("hello\n")
    (logs / "it's shut.log").chmod(0)
    (logs / "shut").chmod(0)
    (open_folder / "agent.yaml").touch(0o666)
    (open_folder / "agent.yaml").chmod(0o666)
    (open_folder / "state").mkdir()
    (open_folder / "state").chmod(0o777)

    with ordinary_user() as user:
        found = report(open_folder, f"sources: [{{name: a, format: raw, paths: ['{logs}/**/*.log']}}]\n")
    (logs / "shut").chmod(0o755)

    listed = source_of(found)["findings"]
    assert listed == [
        {
            "level": "failed",
            "text": f"{logs}/it's shut.log: permission denied: it is not read",
            "mend": f"setfacl -m u:{user}:r '{logs}/it'\"'\"'s shut.log'",
        },
        {
            "level": "failed",
            "text": f"{logs}/shut/: permission denied: it is not read",
            "mend": f"setfacl -m u:{user}:rx {logs}/shut",
        },
    ]
    assert found["failed"]


def test_folders_on_the_way_are_mended_too(open_folder: Path) -> None:
    deep = open_folder / "one" / "two"
    deep.mkdir(parents=True)
    (open_folder / "one").chmod(0)
    (open_folder / "agent.yaml").touch()
    (open_folder / "agent.yaml").chmod(0o666)
    (open_folder / "state").mkdir(mode=0o700)
    (open_folder / "state").chmod(0o777)

    with ordinary_user() as user:
        found = report(open_folder, f"sources: [{{name: a, format: raw, paths: ['{deep}/*.log']}}]\n")
    (open_folder / "one").chmod(0o755)

    listed = source_of(found)["findings"]
    assert isinstance(listed, list)
    assert [one["mend"] for one in listed] == [
        f"setfacl -m u:{user}:x {open_folder}/one && setfacl -m u:{user}:rx {deep}"
    ]


def test_the_tables_say_what_the_json_says(logs: Path, tmp_path: Path) -> None:
    text = (
        f"sources:\n- {{name: '[one]', paths: ['{logs}/a.log']}}\n"
        f"- name: two\n  paths: ['{logs}/*.log']\n  format: raw\n"
        "  tests: [{line: hello, expect: {severity: error}}, {line: hello, expect: {severity: none}}]\n"
    )

    result = run(tmp_path, text, "--offline")

    assert result.return_value == 1
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        f"{tmp_path}/agent.yaml: 2 sources",
        "",
        result.stdout.splitlines()[2].rstrip(),
        "  pattern" + " " * (len(f"{logs}/a.log") - 5) + "matches",
        f"  {logs}/a.log        1",
        "",
        "two: 1 file, format raw",
        "  pattern" + " " * (len(f"{logs}/*.log") - 5) + "matches",
        f"  {logs}/*.log        2",
        "  1 of 2 tests passed",
        "  failed tests[0] 'hello': severity: expected 'error', got 'none'",
        "",
        "files that several sources match belong to the first:",
        f"  {logs}/a.log: [one], not two",
        "",
        "failed checks: 1, warnings: 0",
    ]
    assert result.stdout.splitlines()[2].startswith("[one]: 1 file, format auto (")


def test_a_wrong_configuration_is_exit_78(tmp_path: Path) -> None:
    result = run(tmp_path, "sources: [{name: a, path: [/x]}]\n")

    assert isinstance(result.exception, ConfigError)
    assert result.exception.exit_code == 78


def test_a_command_to_copy_is_never_broken_over_lines(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    log = open_folder / f"{'x' * 200}.log"
    log.touch(0)
    log.chmod(0)
    (open_folder / "agent.yaml").touch()
    (open_folder / "agent.yaml").chmod(0o666)

    with ordinary_user() as user:
        shown = run(open_folder, f"sources: [{{name: a, paths: ['{log}'], format: raw}}]\n", "--offline").stdout

    assert f"    mend it with: setfacl -m u:{user}:r {log}\n" in shown


@pytest.mark.parametrize("no_color", [False, True], ids=["colours", "no_color"])
def test_a_terminal_is_shown_the_line_with_a_caret(no_color: bool, tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("sources:\n- name: a\n  paths: [/x]\n  keep: ['ab(']\n")
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    master, terminal = pty.openpty()
    try:
        status = subprocess.run(
            [sys.executable, "-m", "shipper", "check"], cwd=tmp_path, stderr=terminal, stdin=terminal,
            env={**environ, **({"NO_COLOR": "1"} if no_color else {}), "PYTHONPATH": PROJECT, "COLUMNS": "80"},
            timeout=PATIENCE_SECONDS, check=False,
        ).returncode  # fmt: skip
        said = os.read(master, 4096).decode().replace("\r\n", "\n")
    finally:
        os.close(master)
        os.close(terminal)

    assert status == 78
    caret = "      |             ^" if no_color else "\x1b[31m\x1b[1m      |             ^\x1b[0m"
    assert said == (
        "agent.yaml:4: sources[0].keep[0]: missing ), unterminated subpattern at column\n3: 'ab('\n"
        f"    4 |   keep: ['ab(']\n{caret}\n"
    )


def test_what_is_piped_is_one_line_a_problem(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("sources:\n- name: a\n  paths: [/x]\n  keep: ['ab(']\nlimit: 1\n")

    done = subprocess.run(
        [sys.executable, "-m", "shipper", "check"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": PROJECT},
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "agent.yaml:4: sources[0].keep[0]: missing ), unterminated subpattern at column 3: 'ab('\n"
        "agent.yaml:5: limit: unknown key 'limit'; did you mean 'limits'?\n"
    )
