"""First steps that go wrong: each message names the place and what helps."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from shipper.adapters.backfill_store import BackfillStore
from shipper.adapters.files import effective_user
from shipper.adapters.offsets import OffsetStore
from shipper.cli import shipper
from shipper.cli.backfill import backfill as backfill_command
from shipper.cli.check import check
from shipper.cli.explain import explain
from shipper.cli.suggest import suggest
from shipper.config import find
from shipper.errors import ConfigError, FileUnreadable, StateError, UsageError
from tests.cli.test_check import ordinary_user


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter: pytest's own are the owner's alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_explain_names_the_user_who_may_not_read(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.chdir(open_folder)
    shut = open_folder / "shut.log"
    shut.touch()
    shut.chmod(0)

    with ordinary_user() as user:
        result = CliRunner().invoke(explain, [str(shut)], standalone_mode=False)

    assert isinstance(result.exception, FileUnreadable)
    assert str(result.exception) == f"{shut}: Permission denied; grant it with: setfacl -m u:{user}:r {shut}"


def test_a_state_folder_without_permission_says_what_helps(open_folder: Path) -> None:
    place = open_folder / "state's"

    open_folder.chmod(0o555)
    with ordinary_user() as user, pytest.raises(StateError) as refused:
        OffsetStore.open(place, now_ms=0)
    open_folder.chmod(0o755)

    quoted = f"'{open_folder}/state'\"'\"'s'"
    assert refused.value.exit_code == 74
    assert str(refused.value) == (
        f"state_dir {place}: Permission denied; name another folder in state_dir, or let root run: "
        f"install -d -o {user} -m 0700 {quoted}"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a folder that it shuts to others")
@pytest.mark.parametrize("place", ["shut", "shut/deeper"])
def test_a_state_folder_of_somebody_else_says_whose_it_is(open_folder: Path, place: str) -> None:
    """To take it from its owner, as the advice for a missing one would, is no mend."""
    (open_folder / "shut").mkdir(mode=0o700)

    with ordinary_user(), pytest.raises(StateError) as refused:
        OffsetStore.open(open_folder / place, now_ms=0)
    with ordinary_user(), pytest.raises(StateError) as backfill:
        BackfillStore.open(open_folder / place)

    said = f"state_dir {open_folder}/{place}: Permission denied; name another folder in state_dir, or run this as root"
    assert str(refused.value) == f"{said}, who has this one"
    assert str(backfill.value) == str(refused.value)


def test_a_plan_without_the_right_to_look_is_an_error_with_a_hint(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(open_folder)
    (open_folder / "app.log").write_text("one\n")
    (open_folder / "app.log").chmod(0o644)
    (open_folder / "state").mkdir(mode=0o700)
    text = f"state_dir: {open_folder}/state\nsources: [{{name: a, paths: ['{open_folder}/*.log']}}]\n"
    (open_folder / "agent.yaml").write_text(text)
    (open_folder / "agent.yaml").chmod(0o644)

    with ordinary_user():
        result = CliRunner().invoke(backfill_command, ["--plan", "app.log"], standalone_mode=False)

    assert isinstance(result.exception, StateError)
    assert str(result.exception) == f"state_dir {open_folder}/state: Permission denied; run this as root"


@pytest.mark.parametrize(
    ("name", "said"), [("none.yml", "no such file or directory"), ("folder", "is a directory"), ("latin", "not UTF-8")]
)
def test_suggest_from_what_cannot_be_read_is_said_in_words(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"\xe4\xf6\xfc")

    result = CliRunner().invoke(suggest, ["--from", str(tmp_path / name)], standalone_mode=False)

    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(f"{tmp_path / name}: cannot be read: ")
    assert said in str(result.exception)
    assert "Errno" not in str(result.exception)


@pytest.mark.parametrize(("sources", "heading"), [(1, "1 source\n"), (2, "2 sources\n")])
def test_check_counts_its_sources_in_words(sources: int, heading: str, tmp_path: Path) -> None:
    names = ", ".join(f"{{name: s{number}, paths: [/none/{number}]}}" for number in range(sources))
    path = tmp_path / "agent.yaml"
    path.write_text(f"state_dir: {tmp_path}/state\nsources: [{names}]\n")

    result = CliRunner().invoke(check, ["-c", str(path), "--offline"], standalone_mode=False)

    assert result.stdout.startswith(f"{path}: {heading}")


def test_without_a_configuration_init_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if Path("/etc/shipper/agent.yaml").exists():
        pytest.skip("this host has a configuration")

    with pytest.raises(ConfigError, match="make one with 'shipper init'"):
        find(None)


def test_the_user_is_the_one_whom_the_system_asks() -> None:
    with ordinary_user() as user:
        assert effective_user() == user
    assert os.geteuid() != 0 or effective_user() == "root"


@pytest.mark.parametrize("shut", ["state", "."])
@pytest.mark.parametrize(
    "command",
    [["status"], ["where", "x"], ["verify"], ["state", "list"], ["dlq", "list"], ["reload"], ["tap"], ["top"]],
)
def test_a_state_that_is_shut_to_this_user_is_said_with_who_may_look(
    command: list[str], shut: str, open_folder: Path
) -> None:
    OffsetStore.open(open_folder / "state", now_ms=0).close()
    importlib.import_module(f"shipper.cli.{command[0]}")  # while the interpreter's own folders can be read
    (open_folder / shut).chmod(0)

    with ordinary_user():
        result = CliRunner().invoke(
            shipper, [*command, "--state-dir", str(open_folder / "state")], standalone_mode=False
        )
    open_folder.chmod(0o755)

    assert isinstance(result.exception, StateError), result.output
    assert str(result.exception).startswith(f"state_dir {open_folder}/state: Permission denied; run this as root")


def test_a_configuration_in_a_folder_that_is_shut_is_said(open_folder: Path) -> None:
    folder = open_folder / "etc"
    folder.mkdir()
    folder.chmod(0)

    with ordinary_user():
        result = CliRunner().invoke(shipper, ["check", "-c", str(folder / "agent.yaml")], standalone_mode=False)

    assert isinstance(result.exception, ConfigError), result.exception
    assert "it cannot be read: Permission denied; run this as root, or as a user who may read it" in str(
        result.exception
    )


def test_init_into_a_folder_that_is_shut_says_so_at_once(open_folder: Path) -> None:
    (open_folder / "etc").mkdir(mode=0)
    importlib.import_module("shipper.cli.init")

    with ordinary_user():
        result = CliRunner().invoke(
            shipper, ["init", "--yes", "-o", f"{open_folder}/etc/agent.yaml"], standalone_mode=False
        )

    assert isinstance(result.exception, UsageError), result.exception
    assert str(result.exception) == f"{open_folder}/etc/agent.yaml: Permission denied; name another place with -o FILE"


@pytest.mark.parametrize(("typed", "meant"), [("stauts", "status"), ("chekc", "check"), ("reloed", "reload")])
def test_a_misspelt_command_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    result = CliRunner().invoke(shipper, [typed])

    assert result.exit_code == 2
    assert f"No such command {typed!r}; did you mean {meant!r}?" in result.output


def test_a_command_that_is_like_no_other_is_refused() -> None:
    assert "No such command 'xyzzy'" in CliRunner().invoke(shipper, ["xyzzy"]).output
