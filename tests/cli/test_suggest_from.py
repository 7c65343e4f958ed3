"""What `shipper suggest --from` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shipper.cli.suggest import suggest
from shipper.cli.suggest_from import print_translation

TEXT = "filebeat.inputs: [{type: log, id: a, paths: [/a.log]}]\noutput.console: {pretty: true}\n"


def test_the_configuration_and_the_notes_are_kept_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "filebeat.yml"
    path.write_text(TEXT, encoding="utf-8")

    print_translation(path, as_json=False)

    out, err = capsys.readouterr()
    assert out.endswith("sources:\n- name: a\n  paths:\n  - /a.log\n")
    assert "3 translated, 0 differs, 1 untranslated" in err


def test_json_has_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "filebeat.yml"
    path.write_text(TEXT, encoding="utf-8")

    print_translation(path, as_json=True)

    printed = json.loads(capsys.readouterr().out)
    assert printed["peer"] == "filebeat"
    assert [note["key"] for note in printed["notes"]][-1] == "output.console.pretty"


def test_the_command_prints_the_translation(tmp_path: Path) -> None:
    path = tmp_path / "filebeat.yml"
    path.write_text(TEXT, encoding="utf-8")

    result = CliRunner().invoke(suggest, ["--from", str(path)], catch_exceptions=False)

    assert result.exit_code == 0
    assert result.stdout.endswith("sources:\n- name: a\n  paths:\n  - /a.log\n")


@pytest.mark.parametrize("arguments", [[], ["--from", "CONFIG", "CONFIG"]], ids=["neither", "both"])
def test_files_or_a_configuration_are_given(tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "filebeat.yml"
    path.write_text(TEXT, encoding="utf-8")

    result = CliRunner().invoke(suggest, [one.replace("CONFIG", str(path)) for one in arguments])

    assert result.exit_code == 2
    assert "--from" in result.output
