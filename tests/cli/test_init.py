"""`shipper init`: what it finds on a host, what it asks, and that what it writes is a configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipper.adapters.host_processes import PROC
from shipper.cli.init import init
from shipper.cli.init_look import Places, look_around
from shipper.cli.init_propose import propose
from shipper.config import load
from shipper.errors import ConfigError, ShipperError, UsageError
from shipper.pipeline.guard import MatchGuard

JSON = '{{"time":"2026-01-31T10:00:0{n}Z","level":"info","msg":"did {n}"}}\n'
DPKG = "2026-01-31 10:00:0{n} status installed libc6:amd64 2.36-9\n"
CRI = "2026-01-31T10:00:00.{n}00000000Z stdout F hello\n"


def lines(shape: str, count: int = 9) -> str:
    return "".join(shape.format(n=n) for n in range(count))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "host" / "log"
    for name, text in {
        "shop/access.log": lines(JSON), "shop/access.log.1": lines(JSON), "dpkg.log": lines(DPKG),
        "empty.log": "", "shop/old.log": lines(JSON),
    }.items():  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "wtmp").write_bytes(b"\0\1\2" * 100)
    (folder / "dpkg.log.2.gz").write_bytes(b"\x1f\x8b" + b"x" * 50)
    os.utime(folder / "shop" / "old.log", (1, 1))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def run(*arguments: str | Path, answers: str = "") -> Result:
    result = CliRunner().invoke(init, [str(one) for one in arguments], input=answers, standalone_mode=False)
    if result.exception and not isinstance(result.exception, ShipperError):
        raise result.exception
    return result


def names(path: Path) -> list[tuple[str, tuple[str, ...], str]]:
    return [(source.name, source.paths, source.format) for source in load(path, {}).sources]


def places(tmp_path: Path, folder: Path) -> Places:
    """Return a host that has nothing but this folder, and no process."""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir(exist_ok=True)
    return Places((folder,), nowhere / "pods", nowhere / "docker", (nowhere / "journal",), nowhere)


def test_live_text_that_was_written_lately_is_a_log(logs: Path, tmp_path: Path) -> None:
    sights = look_around(places(tmp_path, logs))

    assert sights.files == {logs / "dpkg.log": "written lately", logs / "shop/access.log": "written lately"}
    assert "no systemd journal here: nothing is missed beside the files" in sights.notes


def test_what_a_program_writes_to_is_a_log_wherever_it_lies(tmp_path: Path) -> None:
    log, table = tmp_path / "opt" / "shop.log", tmp_path / "opt" / "table.dat"
    log.parent.mkdir()
    code = "import sys; a = [open(name, 'a') for name in sys.argv[1:]]; print(flush=True); sys.stdin.read()"
    log.write_text("hello\n")
    with subprocess.Popen(
        ["/opt/shop/shopd", "-c", code, str(log), str(table)], executable=sys.executable,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        found = look_around(places(tmp_path, tmp_path / "none")._replace(proc=PROC)).files
        child.communicate(b"")

    assert found[log] == f"open in shopd (process {child.pid})"
    assert table not in found


def test_containers_are_one_source_a_kind(tmp_path: Path) -> None:
    here = places(tmp_path, tmp_path / "none")
    for path in (here.kubernetes / "a_b_c.log", here.docker / "1" / "1-json.log", here.docker / "2" / "2-json.log"):
        path.parent.mkdir(parents=True)
        path.write_text(lines(CRI))
    guard = MatchGuard()

    found = propose(look_around(here), guard)

    guard.close()
    assert [(one.keys, one.files) for one in found] == [
        ({"name": "containers", "paths": [f"{here.kubernetes}/*.log"], "format": "cri"}, 1),
        ({"name": "docker", "paths": [f"{here.docker}/*/*-json.log"], "format": "docker"}, 2),
    ]


def test_a_journal_is_said_to_be_out_of_reach(tmp_path: Path) -> None:
    here = places(tmp_path, tmp_path / "none")
    here.journal[0].mkdir()

    assert any("shipper reads files only" in note for note in look_around(here).notes)


def test_without_asking_every_log_becomes_a_source_that_loads(logs: Path, tmp_path: Path) -> None:
    result = run("--yes", "--look-in", logs, "--url", "http://127.0.0.1:4318")

    assert result.return_value == 0
    assert names(tmp_path / "agent.yaml") == [
        ("dpkg", (f"{logs}/dpkg.log",), "dpkg"),
        ("shop-access", (f"{logs}/shop/access.log",), "json"),
    ]
    assert load(tmp_path / "agent.yaml", {}).endpoint.url == "http://127.0.0.1:4318/v2/logs/ingest"


def test_files_of_one_glob_with_several_layouts_are_left_to_auto(tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    (folder / "app-2026-01-30.log").write_text(lines(JSON))
    (folder / "app-2026-01-31.log").write_text(lines(DPKG))

    run("--yes", "--look-in", folder, "--url", "http://127.0.0.1:1")

    assert names(tmp_path / "agent.yaml") == [("days-app", (f"{folder}/app-*.log",), "auto")]


def test_logs_of_one_folder_that_read_alike_are_one_source(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    for name in ("a.log", "b.log"):
        (folder / name).write_text(lines(JSON))

    run("--yes", "--look-in", folder, "--url", "http://127.0.0.1:1")

    assert names(tmp_path / "agent.yaml") == [("web-a", (f"{folder}/a.log", f"{folder}/b.log"), "json")]


@pytest.mark.parametrize(
    ("answers", "sources"),
    [
        pytest.param("y\ny\n", ["dpkg", "shop-access"], id="both"),
        pytest.param("n\ny\n", ["shop-access"], id="the_second"),
        pytest.param("r\nshop-access\npackages\ny\n", ["packages", "shop-access"], id="renamed_to_a_free_name"),
        pytest.param("a\n", ["dpkg", "shop-access"], id="all"),
        pytest.param("y\nq\n", ["dpkg"], id="the_first_and_no_more"),
    ],
)
def test_each_source_is_asked_about(answers: str, sources: list[str], logs: Path, tmp_path: Path) -> None:
    result = run("--look-in", logs, "--url", "http://127.0.0.1:1", answers=answers)

    assert result.return_value == 0
    assert [name for name, _, _ in names(tmp_path / "agent.yaml")] == sources


def test_where_to_is_asked_and_a_token_is_kept_apart(logs: Path, tmp_path: Path) -> None:
    token = tmp_path / "secrets" / "token"

    result = run("--look-in", logs, "--token-file", token,
                 answers="a\n3\nftp://x\nhttps://abc.live.dynatrace.com\ndt0c01.SECRET\n")  # fmt: skip

    endpoint = load(tmp_path / "agent.yaml", {}).endpoint
    assert endpoint.authorization == "Api-Token dt0c01.SECRET"
    assert endpoint.url == "https://abc.live.dynatrace.com/api/v2/logs/ingest"
    assert token.stat().st_mode & 0o777 == 0o600
    assert "SECRET" not in result.output + (tmp_path / "agent.yaml").read_text()


@pytest.mark.parametrize(("answer", "keys"), [("1", (False, 14499)), ("2", (True, 14499))])
def test_the_local_endpoint_is_the_oneagents_or_our_own(
    answer: str, keys: tuple[bool, int], logs: Path, tmp_path: Path
) -> None:
    run("--look-in", logs, answers=f"a\n{answer}\n")

    endpoint = load(tmp_path / "agent.yaml", {}).endpoint
    assert (endpoint.embedded, endpoint.port) == keys


@pytest.mark.parametrize("answers", ["n\nn\n", "y\n", "a\n3\n", ""], ids=["none", "end_of_input", "no_url", "nothing"])
def test_who_stops_answering_gets_no_file(answers: str, logs: Path, tmp_path: Path) -> None:
    result = run("--look-in", logs, answers=answers)

    assert result.return_value == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["host"]


def test_a_file_that_exists_is_never_overwritten_unasked(logs: Path, tmp_path: Path) -> None:
    written = tmp_path / "agent.yaml"
    written.write_text("mine\n")

    refused = run("--yes", "--look-in", logs)
    declined = run("--look-in", logs, "--url", "http://127.0.0.1:1", answers="a\nn\n")

    assert isinstance(refused.exception, UsageError)
    assert declined.return_value == 1
    assert written.read_text() == "mine\n"
    assert run("--look-in", logs, "--url", "http://127.0.0.1:1", answers="a\ny\n").return_value == 0
    assert written.read_text() != "mine\n"


def test_what_the_loader_refuses_is_not_written(logs: Path, tmp_path: Path) -> None:
    result = run("--yes", "--look-in", logs, "--url", "https://abc.live.dynatrace.com", "--token-file", "/none/token")

    assert isinstance(result.exception, ConfigError)
    assert result.exception.problems[0].startswith("agent.yaml:")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["host"]


def test_standard_output_gets_the_configuration_and_nothing_else(logs: Path, tmp_path: Path) -> None:
    result = run("--yes", "--look-in", logs, "-o", "-", "--url", "http://127.0.0.1:1")

    (tmp_path / "piped.yaml").write_text(result.stdout)
    assert len(names(tmp_path / "piped.yaml")) == 2
