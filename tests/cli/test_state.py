"""`shipper state` and `shipper dlq` as an operator runs them: with and without an agent."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.offsets import Life, OffsetStore
from shipper.cli.state import state
from shipper.core.model import FileKey
from shipper.errors import ShipperError, StateDamaged, StateLocked, UsageError
from tests.cli.running_agent import running_agent

NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z
ROWS = [
    Life(
        file_id=number, generation=0, source="shop", path=path, device=1, inode=number, offset=40, size=100,
        born_ms=NOW_MS, changed_ms=NOW_MS, counters={"read": 3},
    )
    for number, path in enumerate(["/nowhere/a.log", "/nowhere/[b].log", "/nowhere/caf\udce9.log"], start=1)
]  # fmt: skip


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    store = OffsetStore.open(directory, now_ms=NOW_MS)
    store.commit(ROWS)
    store.decide(FileKey(1, 0), "new", "head of 12 bytes", NOW_MS)
    store.backup()
    store.close()
    return directory


def run(state_dir: Path, *args: str) -> Result:
    result = CliRunner().invoke(state, [*args, "--state-dir", str(state_dir)])
    if result.exception and not isinstance(result.exception, ShipperError | SystemExit):
        raise result.exception
    return result


def offsets(state_dir: Path) -> dict[int, int]:
    connection = sqlite3.connect(state_dir / "offsets.db")
    rows = dict(connection.execute('SELECT file_id, "offset" FROM lives').fetchall())
    connection.close()
    return rows


@pytest.mark.parametrize("agent", [False, True], ids=["no_agent", "agent"])
def test_list_shows_every_file(agent: bool, state_dir: Path) -> None:
    with running_agent(state_dir, agent):
        table = run(state_dir, "list").stdout
        listed = json.loads(run(state_dir, "list", "--json").stdout)

    assert [line.split() for line in table.splitlines()] == [
        ["id", "source", "path", "offset/size", "state", "changed"],
        ["1.0", "shop", "/nowhere/a.log", "40/100", "following", "2026-11-23T20:00:00.000Z"],
        ["2.0", "shop", "/nowhere/[b].log", "40/100", "following", "2026-11-23T20:00:00.000Z"],
        ["3.0", "shop", "/nowhere/caf\\xe9.log", "40/100", "following", "2026-11-23T20:00:00.000Z"],
    ]
    assert [row["path"] for row in listed] == [row.path for row in ROWS]


@pytest.mark.parametrize("agent", [False, True], ids=["no_agent", "agent"])
@pytest.mark.parametrize("key", ["1", "1.0", "/nowhere/a.log", "/nowhere/../nowhere/a.log"])
def test_show_tells_one_file_and_what_was_made_of_it(key: str, agent: bool, state_dir: Path) -> None:
    with running_agent(state_dir, agent):
        text = run(state_dir, "show", key).stdout
        shown = json.loads(run(state_dir, "show", key, "--json").stdout)

    assert "/nowhere/a.log" in text
    assert "head of 12 bytes" in text
    assert shown["lives"][0]["counters"] == {"read": 3}
    assert [entry["what"] for entry in shown["decisions"]] == ["new"]


@pytest.mark.parametrize("agent", [False, True], ids=["no_agent", "agent"])
@pytest.mark.parametrize(
    ("options", "offset"),
    [([], 0), (["--to-start"], 0), (["--to", "70"], 70), (["--to-end"], 100)],
    ids=["default", "start", "offset", "end"],
)
def test_rewind_moves_the_offset(options: list[str], offset: int, agent: bool, state_dir: Path) -> None:
    with running_agent(state_dir, agent):
        result = run(state_dir, "rewind", "2", *options)

    assert result.stdout == f"2.0 /nowhere/[b].log: offset 40 -> {offset}\n"
    assert offsets(state_dir) == {1: 40, 2: offset, 3: 40}


@pytest.mark.parametrize("agent", [False, True], ids=["no_agent", "agent"])
def test_forget_removes_the_row(agent: bool, state_dir: Path) -> None:
    with running_agent(state_dir, agent):
        result = run(state_dir, "forget", "/nowhere/caf\\xe9.log")

    assert result.stdout == "forgotten: 3.0\n"
    assert offsets(state_dir) == {1: 40, 2: 40}


@pytest.mark.parametrize("agent", [False, True], ids=["no_agent", "agent"])
def test_an_export_can_be_restored_elsewhere(agent: bool, state_dir: Path, tmp_path: Path) -> None:
    with running_agent(state_dir, agent):
        run(state_dir, "export", "-o", str(tmp_path / "export.json"))
        printed = run(state_dir, "export").stdout

    result = run(tmp_path / "other", "restore", str(tmp_path / "export.json"))

    assert "offsets restored; what" in result.stdout
    assert json.loads(printed)["lives"] == json.loads((tmp_path / "export.json").read_text())["lives"]
    assert offsets(tmp_path / "other") == {1: 40, 2: 40, 3: 40}


def test_restore_goes_back_to_the_good_copy(state_dir: Path) -> None:
    run(state_dir, "rewind", "1")
    assert offsets(state_dir)[1] == 0

    result = run(state_dir, "restore", "--json")

    replaced = json.loads(result.stdout)["replaced"]
    assert (state_dir / replaced).exists()
    assert offsets(state_dir)[1] == 40


def test_restore_is_refused_while_an_agent_runs(state_dir: Path) -> None:
    with running_agent(state_dir, True):
        result = run(state_dir, "restore")

    assert isinstance(result.exception, StateLocked)
    assert result.exception.exit_code == 75


def test_an_agent_that_does_not_answer_keeps_its_state(state_dir: Path) -> None:
    holder = OffsetStore.open(state_dir, now_ms=NOW_MS)

    result = run(state_dir, "rewind", "1")

    holder.close()
    assert isinstance(result.exception, StateLocked)
    assert offsets(state_dir)[1] == 40


@pytest.mark.parametrize("agent", [False, True], ids=["no_agent", "agent"])
@pytest.mark.parametrize(
    "args",
    [["show", "9"], ["forget", "/nowhere/x.log"], ["rewind", "1", "--to", "101"],
     ["rewind", "1", "--to-end", "--to-start"]],
    ids=["unknown_id", "unknown_path", "outside", "two_targets"],
)  # fmt: skip
def test_a_wrong_command_is_exit_2(args: list[str], agent: bool, state_dir: Path) -> None:
    with running_agent(state_dir, agent):
        result = run(state_dir, *args)

    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2


def test_a_directory_without_state_is_said_and_left_alone(tmp_path: Path) -> None:
    result = run(tmp_path / "missing", "list")

    assert isinstance(result.exception, UsageError)
    assert "no agent has run" in str(result.exception)
    assert not (tmp_path / "missing").exists()


def test_a_damaged_database_is_said_and_the_good_copy_listed(state_dir: Path) -> None:
    (state_dir / "offsets.db").write_bytes(b"nonsense")

    result = run(state_dir, "list", "--json")

    assert "set aside as offsets.db.damaged-" in result.stderr
    assert len(json.loads(result.stdout)) == 3


def test_a_damaged_database_without_a_good_copy_is_exit_74(state_dir: Path) -> None:
    (state_dir / "offsets.db").write_bytes(b"nonsense")
    (state_dir / "offsets.db.good").unlink()

    result = run(state_dir, "list")

    assert isinstance(result.exception, StateDamaged)
    assert result.exception.exit_code == 74


def test_the_state_dir_comes_from_the_configuration(state_dir: Path, tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(f"state_dir: {state_dir}\nsources: [{{name: shop, paths: [/nowhere/*.log]}}]\n")

    result = CliRunner().invoke(state, ["list", "--json", "-c", str(config)], catch_exceptions=False)

    assert len(json.loads(result.stdout)) == 3
    assert DeadLetters.open(state_dir, 1, "stop").count == 0
