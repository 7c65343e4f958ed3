"""The matrix names tests that there are, or says why there is none; the page has every row of it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.faults.matrix import ROWS, Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"


@cache
def defined_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.group}: {row.fault}")
def test_each_fault_has_a_test_that_exists_or_a_reason(row: Row) -> None:
    assert bool(row.tests) != bool(row.reason)
    for test in row.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), path
        assert not name or name in defined_in(path), test


def test_the_page_has_every_row() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [row.fault for row in ROWS if f"| {row.group} | {row.fault} |" not in page] == []
