"""The examples of docs/migrate.md are what the translation says, and load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shipper.config import load
from shipper.config.translate import translate

PAGE = Path(__file__).parents[3] / "docs" / "migrate.md"
BLOCKS = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
EXAMPLES = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))


def test_the_page_has_an_example_of_every_peer() -> None:
    assert [name for (name, _), _ in EXAMPLES] == ["filebeat.yml", "fluent-bit.conf", "promtail.yaml", "vector.toml"]


@pytest.mark.parametrize(("before", "after"), EXAMPLES, ids=lambda block: str(block[0]))
def test_an_example_becomes_what_the_page_shows(
    tmp_path: Path, before: tuple[str, str], after: tuple[str, str]
) -> None:
    path = tmp_path / before[0]
    path.write_text(before[1], encoding="utf-8")
    agent = tmp_path / after[0]

    made = translate(path).yaml
    agent.write_text(made, encoding="utf-8")

    assert made.partition("\n")[2] == after[1]
    assert load(agent, {}).sources
