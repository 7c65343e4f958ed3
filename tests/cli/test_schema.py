"""`shipper schema` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner
from jsonschema import Draft202012Validator

from shipper.cli.schema import schema
from shipper.config.schema import document_schema
from tests.patience import PATIENCE_SECONDS


def test_the_command_prints_the_schema_and_nothing_else() -> None:
    result = CliRunner().invoke(schema, [], catch_exceptions=False)

    assert json.loads(result.stdout) == document_schema()
    assert result.exit_code == 0


def test_a_file_made_of_it_needs_no_configuration(tmp_path: Path) -> None:
    """It is asked for before there is an agent.yaml."""
    project = str(Path(__file__).parent.parent.parent)

    done = subprocess.run(
        [sys.executable, "-m", "shipper", "schema"],
        cwd=tmp_path, env={"PYTHONPATH": project}, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True,
    )  # fmt: skip

    Draft202012Validator.check_schema(json.loads(done.stdout))
    assert done.stderr == ""
