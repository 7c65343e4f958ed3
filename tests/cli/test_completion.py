"""Shell completion: what the scripts ask and what they are answered; bash itself where it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from shipper.cli import shipper
from shipper.cli.completion import PROGRAM, SHELLS, VARIABLE
from tests.patience import PATIENCE_SECONDS

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "agent.yaml").write_text("sources: [{name: shop, paths: [/a]}, {name: shed, paths: [/b]}]\n")
    (tmp_path / "other.yaml").write_text("sources: [{name: shore, paths: [/a]}]\n")
    (tmp_path / "wrong.yaml").write_text("sourcess: []\n")
    program = tmp_path / "shipper"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -m shipper "$@"\n')
    program.chmod(0o755)
    return tmp_path


def completed(*words: str) -> list[str]:
    """Return what the shell is told for the last of *words*."""
    complete = ShellComplete(shipper, {}, PROGRAM, VARIABLE)
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(("sel",), ["selftest"], id="a_command"),
        pytest.param(("state", "rew"), ["rewind"], id="a_command_of_a_command"),
        pytest.param(("explain", "--source", "sh"), ["shop", "shed"], id="a_source"),
        pytest.param(("explain", "-c", "other.yaml", "--source", ""), ["shore"], id="a_source_of_another_file"),
        pytest.param(("explain", "-c", "wrong.yaml", "--source", ""), [], id="no_source_of_a_wrong_file"),
        pytest.param(("dlq", "list", "--source", "she"), ["shed"], id="a_source_of_dlq"),
        pytest.param(("explain", "--format", "nginx_a"), ["nginx_access"], id="a_format"),
        pytest.param(("formats", "log4j"), ["log4j", "log4j_xml"], id="a_preset"),
        pytest.param(("completion", "f"), ["fish"], id="a_shell"),
        pytest.param(("doctor", "--j"), ["--json"], id="an_option"),
    ],
)
def test_what_is_completed(
    words: tuple[str, ...], expected: list[str], shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)

    assert completed(*words) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_that_calls_us(shell: str) -> None:
    result = CliRunner().invoke(shipper, ["completion", shell])

    assert f"_SHIPPER_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_with_the_script(shop: Path) -> None:
    ask = (
        'source <(shipper completion bash); COMP_WORDS=(shipper explain --source ""); COMP_CWORD=3; '
        '_shipper_completion shipper; echo "${COMPREPLY[*]}"'
    )
    environ = {**os.environ, "PATH": f"{shop}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", ask],
        cwd=shop,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )

    assert done.stdout.split() == ["shop", "shed"]


def commands_with(option: str) -> list[str]:
    context = click.Context(shipper)
    found = [(name, shipper.get_command(context, name)) for name in shipper.list_commands(context)]
    return [name for name, one in found if one is not None and any(option in param.opts for param in one.params)]


@pytest.mark.parametrize("command", commands_with("--source"))
def test_every_command_with_a_source_completes_its_name(
    command: str, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)

    assert completed(command, "--source", "sh") == ["shop", "shed"]
