"""`shipper formats` as an operator runs it, and the page that is made of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipper.cli.formats import BUILT_IN, formats, listed
from shipper.config.presets import BUILT_IN_FORMATS
from shipper.errors import ConfigError, UsageError
from tests.formats.page import PAGE, table
from tests.formats.reading import presets
from tests.formats.samples import names


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(formats, arguments)
    if result.exception and not isinstance(result.exception, UsageError | ConfigError):
        raise result.exception
    return result


def test_the_list_names_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    table_rows = [line.split()[0] for line in run().stdout.splitlines()[1:]]
    rows = json.loads(run("--json").stdout)

    assert table_rows == [row["name"] for row in rows] == [*BUILT_IN, *names()]
    assert tuple(BUILT_IN) == BUILT_IN_FORMATS


def test_a_preset_is_shown_with_its_pattern_as_written() -> None:
    shown = run("redis").stdout
    in_json = json.loads(run("redis", "--json").stdout)

    assert re.sub(r"\s", "", presets()["redis"].all_patterns[1]) in re.sub(r"\s", "", shown)
    assert in_json["patterns"] == list(presets()["redis"].all_patterns)
    assert in_json["attributes"] == ["process.pid", "redis.role"]


def test_a_format_that_is_code_is_explained() -> None:
    assert run("cri").stdout == f"cri: {BUILT_IN['cri']}\n"


def test_an_unknown_format_is_refused_with_the_nearest_one() -> None:
    result = run("ngnix_access")

    assert str(result.exception) == "unknown format 'ngnix_access'; did you mean 'nginx_access'?"


def test_presets_beside_the_configuration_are_listed_too(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("sources: []\n")
    (tmp_path / "formats.d").mkdir()
    (tmp_path / "formats.d" / "shop.yaml").write_text(
        "name: shop\ndescription: our own\npattern: '(?P<level>[A-Z]+) '\n"
    )

    rows = json.loads(run("-c", str(tmp_path / "agent.yaml"), "--json").stdout)

    assert {"name": "shop", "kind": "pattern", "lines": False, "severity": True, "description": "our own"} in rows


def test_a_wrong_preset_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("sources: []\n")
    (tmp_path / "formats.d").mkdir()
    wrong = tmp_path / "formats.d" / "shop.yaml"
    wrong.write_text("name: shop\npattern: 'a('\n")

    result = run("-c", str(tmp_path / "agent.yaml"))

    assert str(result.exception).startswith(f"{wrong}:2: pattern: missing ), unterminated subpattern at column 2")


def test_the_page_of_formats_lists_what_there_is() -> None:
    """Made anew by `python -m tests.formats.page`."""
    assert table(listed(presets())) in PAGE.read_text(encoding="utf-8")
