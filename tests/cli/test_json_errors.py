"""With `--json` what goes wrong is one object on standard output, and words on standard error as ever."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shipper.cli.json_errors import asks_for_json, error_object
from shipper.errors import ConfigError, FileUnreadable, StateError, StateLocked

WRONG = """\
state_dir: {folder}/state
endpoint: {{max_request_bytes: 20971520}}
sourcs: []
"""
COMMANDS = [
    ["check", "--offline"], ["run", "--once"], ["backfill", "--plan", "x.log"], ["explain", "x.log"], ["status"],
    ["top"], ["tap"], ["where", "some text"], ["verify"], ["doctor"], ["state", "list"], ["dlq", "list"],
]  # fmt: skip


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shipper", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_wrong_configuration_is_one_object_of_every_command_that_has_json(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "agent.yaml").write_text(WRONG.format(folder=tmp_path))
    (tmp_path / "x.log").write_text("one\n")

    ran = run(tmp_path, *command, "--json", "-c", "agent.yaml")

    said = json.loads(ran.stdout)
    assert (ran.returncode, said["exit_code"], said["kind"]) == (78, 78, "configuration")
    assert [(one["place"], one["key"]) for one in said["problems"]] == [
        ("agent.yaml:2", "endpoint.max_request_bytes"), ("agent.yaml:3", "sourcs"),
    ]  # fmt: skip
    assert all(one["rule"] for one in said["problems"])
    assert said["problems"][1]["mend"] == "did you mean 'sources'?"
    assert ran.stderr.strip() == said["error"]


def test_without_json_standard_output_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(WRONG.format(folder=tmp_path))

    ran = run(tmp_path, "check", "-c", "agent.yaml")

    assert (ran.returncode, ran.stdout) == (78, "")
    assert "agent.yaml:3: sourcs: " in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "kind", "rule"),
    [
        pytest.param(["status", "--jsn", "--json"], 2, "usage", "--jsn", id="option"),
        pytest.param(["run", "--json"], 2, "usage", "--give-up-after and --json go with --once", id="usage"),
        pytest.param(["check", "--json", "-c", "none.yaml"], 78, "configuration", "cannot be read", id="no_file"),
    ],
)
def test_other_errors_have_the_same_shape(
    tmp_path: Path, arguments: list[str], exit_code: int, kind: str, rule: str
) -> None:
    ran = run(tmp_path, *arguments)

    said = json.loads(ran.stdout)
    assert (ran.returncode, said["exit_code"], said["kind"]) == (exit_code, exit_code, kind)
    assert rule in said["problems"][0]["rule"]
    assert ran.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "--json"], True), (["check"], False), (["where", "--", "--json"], False),
        (["where", "--json", "--", "text"], True), ([], False),
    ],
)  # fmt: skip
def test_json_is_asked_for_by_an_option_and_not_by_a_text_to_look_for(arguments: list[str], expected: bool) -> None:
    assert asks_for_json(arguments) is expected


@pytest.mark.parametrize(
    ("error", "kind", "rule", "mend"),
    [
        (StateError("state_dir /x: Permission denied; run this as root"), "state",
         "state_dir /x: Permission denied", "run this as root"),
        (StateLocked("held by pid 7"), "state", "held by pid 7", ""),
        (FileUnreadable("a.log: a; b; grant it"), "source", "a.log: a; b", "grant it"),
        (ConfigError(["no configuration; write one"]), "configuration", "no configuration", "write one"),
    ],
)  # fmt: skip
def test_the_mend_is_what_stands_behind_the_last_semicolon(
    error: StateError | FileUnreadable | ConfigError, kind: str, rule: str, mend: str
) -> None:
    said = error_object(error)

    assert said["problems"] == [
        {"place": "", "file": "", "line": 0, "column": 0, "key": "", "rule": rule, "mend": mend}
    ]
    assert (said["kind"], said["exit_code"], said["error"]) == (kind, error.exit_code, str(error))
