"""`shipper check` run on a configuration, for its tests."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from shipper.cli.check import check
from shipper.errors import ShipperError


def run(folder: Path, text: str, *arguments: str) -> Result:
    path = folder / "agent.yaml"
    path.write_text(f"state_dir: {folder}/state\n{text}")
    result = CliRunner().invoke(check, ["-c", str(path), *arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, ShipperError):
        raise result.exception
    return result


def report(folder: Path, text: str, *arguments: str) -> dict[str, object]:
    result = run(folder, text, "--offline", "--json", *arguments)
    found: dict[str, object] = json.loads(result.stdout)
    assert result.return_value == (1 if found["failed"] else 0)
    return found


def source_of(found: dict[str, object], index: int = 0) -> dict[str, object]:
    sources = found["sources"]
    assert isinstance(sources, list)
    source: dict[str, object] = sources[index]
    return source


def findings(found: dict[str, object], index: int = 0) -> list[tuple[str, str]]:
    listed = source_of(found, index)["findings"]
    assert isinstance(listed, list)
    return [(one["level"], one["text"]) for one in listed]
