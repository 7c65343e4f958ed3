"""The conformance table of docs/endpoint.md names tests that exist, and the pictures it shows are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
PAGE = (DOCS / "endpoint.md").read_text(encoding="utf-8")


def defined_in(name: str) -> set[str]:
    tree = ast.parse((HERE / name).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_the_table_names_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)

    missing = [f"{name}::{test}" for name, test in named if test not in defined_in(name)]

    assert missing == []
    assert len(named) > 90


def test_every_rule_names_a_test() -> None:
    tables = PAGE[PAGE.index("## 1. ") :]
    rows = [line for line in tables.splitlines() if line.startswith("| ") and not line.startswith("| Rule |")]

    assert [row for row in rows if ".py::test_" not in row] == []


def test_the_pictures_are_there() -> None:
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", PAGE)

    assert shown
    assert [name for name in shown if not (DOCS / name).is_file()] == []
