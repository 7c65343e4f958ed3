"""docs/endpoint.md names a test for each rule, and each of them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = (HERE.parent.parent / "docs" / "endpoint.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))


@pytest.mark.parametrize("name", sorted({name for name, _ in NAMED}))
def test_each_named_test_exists(name: str) -> None:
    tree = ast.parse((HERE / name).read_text(encoding="utf-8"))
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}

    assert {test for file, test in NAMED if file == name} <= defined


def test_each_rule_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| Rule |")]

    assert [row for row in rows if "::test_" not in row] == []
    assert len(rows) > 80
