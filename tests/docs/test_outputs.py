"""What start.md and rules.md show as output is what the commands print."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from shipper.cli import shipper
from tests.docs.pages import ROOT, blocks

START = {block.heading: block for block in blocks(ROOT / "docs" / "start.md") if block.title == "text"}
LOG = START["1. How is this log read?"].text
RULES = next(block.text for block in blocks(ROOT / "docs" / "rules.md") if block.title == "yaml")


def shown(page: str, command: str) -> list[list[str]]:
    """Return the words of each line that *page* shows below *command*; columns are as wide as the paths are long."""
    texts = [block.text for block in blocks(ROOT / "docs" / page) if block.text.startswith(f"$ {command}")]
    return [line.split() for line in texts[0].splitlines()[1:] if line]


def printed(arguments: list[str], there: Path) -> tuple[int, list[list[str]]]:
    result = CliRunner().invoke(shipper, arguments, catch_exceptions=False, standalone_mode=False)
    text = result.output.replace(f"{there}/", "")
    return result.return_value or 0, [line.split() for line in text.splitlines() if line]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the pages' /var/log/shop, with their log and their rules."""
    there = tmp_path / "log"
    there.mkdir()
    monkeypatch.chdir(there)
    Path("shop.log").write_text(LOG, encoding="utf-8")
    Path("agent.yaml").write_text(RULES.replace("/var/log/shop", str(there)), encoding="utf-8")
    return there


def test_suggest_proposes_what_the_first_page_shows(there: Path) -> None:
    expected = [
        [word.replace("/var/log/shop/", "") for word in line]
        for line in shown("start.md", "shipper suggest")
        if "host's," not in line  # the zone is that of whoever runs it
    ]

    status, lines = printed(["suggest", "shop.log"], there)

    assert status == 0
    assert [line for line in lines if "host's," not in line] == expected


def test_a_failed_test_of_a_rule_is_reported_as_the_page_shows(there: Path) -> None:
    wrong = Path("agent.yaml").read_text(encoding="utf-8").replace("severity: notice", "severity: info")
    Path("wrong.yaml").write_text(wrong, encoding="utf-8")

    status, lines = printed(["check", "--offline", "-c", "wrong.yaml"], there)

    expected = shown("rules.md", "shipper check --offline")
    assert status == 1
    assert lines == [[word.replace("/var/log/shop/", "") for word in line] for line in expected]


def test_a_change_of_rules_is_compared_as_the_page_shows(there: Path) -> None:
    new = Path("agent.yaml").read_text(encoding="utf-8").replace("{AUDIT: notice}", "{AUDIT: notice, WARN: error}")
    Path("new.yaml").write_text(new, encoding="utf-8")

    _, lines = printed(["check", "-c", "agent.yaml", "--diff", "new.yaml", "shop.log"], there)

    assert lines == shown("rules.md", "shipper check -c agent.yaml --diff")
