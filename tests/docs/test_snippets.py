"""Every piece of agent.yaml that README.md and docs/ show loads, and the tests beside its rules pass."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
import yaml

from shipper.cli.check_rules import run_tests
from shipper.config import load, load_presets, rules
from shipper.config.model import Document
from shipper.pipeline.guard import MatchGuard
from tests.docs.pages import PAGES, Block, blocks

_KEYS: Final = frozenset(Document.__struct_fields__)
_NOW_MS: Final = 1_798_761_600_000  # the end of 2026: stamps of the pages lie before it
# What the pages take from the environment and from files of the reader's host.
_ENVIRON: Final = {"NAME": "value", "HOME": "/root", "SITE": "vienna"}
_TOKEN: Final = "/etc/shipper/token"


def is_agent_yaml(block: Block) -> bool:
    """Return whether *block* is a configuration that shall work: all its keys are those of agent.yaml."""
    is_shown_to_be_wrong = block.page == "doctor.md" and block.heading == "Wrong configurations"
    if block.title.partition(" ")[0] != "yaml" or is_shown_to_be_wrong:
        return False
    tree = yaml.safe_load(block.text)
    return isinstance(tree, dict) and bool(tree) and set(tree) <= _KEYS


SNIPPETS: Final = [block for page in PAGES for block in blocks(page) if is_agent_yaml(block)]


def test_pages_show_configurations() -> None:
    assert len(SNIPPETS) >= 12
    assert {block.page for block in SNIPPETS} >= {"README.md", "configure.md", "rules.md", "deliver.md", "migrate.md"}


@pytest.mark.parametrize("block", SNIPPETS, ids=lambda block: f"{block.page}-{block.line}")
def test_a_configuration_that_is_shown_loads_and_its_tests_pass(block: Block, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("dt0c01.example\n", encoding="utf-8")
    text = block.text.replace(_TOKEN, str(token))
    path = tmp_path / "agent.yaml"
    # A page shows the part that it speaks of; the loader wants a source as well.
    rest = "" if "sources" in yaml.safe_load(text) else "\nsources: [{name: any, paths: [/var/log/any.log]}]\n"
    path.write_text(text + rest, encoding="utf-8")

    config = load(path, _ENVIRON)

    for source in config.sources:
        rule = rules(config, source, load_presets(config.preset_dirs), "web1")
        with closing(MatchGuard()) as guard:
            reports = run_tests(rule, source.tests, _NOW_MS, guard)
        assert [report.differences for report in reports] == [[]] * len(source.tests)
