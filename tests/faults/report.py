"""Runs the tests of the fault matrix and prints the table of docs/reliability.md: `python -m tests.faults.report`.

With a file of outcomes and one of JUnit XML as arguments, prints what they say instead of running anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from tests.faults.matrix import ROWS, Row

HEAD = (
    "| group | fault | test | written | delivered | duplicated | declared lost |\n|---|---|---|---:|---:|---:|---:|\n"
)
FIGURES = ("written", "delivered", "duplicated", "declared_lost")


def run(folder: Path) -> None:
    """Run every test that a row names, and leave outcomes.ndjson and junit.xml in *folder*."""
    tests = sorted({test for row in ROWS for test in row.tests})
    subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal",
            "--junitxml", str(folder / "junit.xml"), *tests,
        ],
        env={**os.environ, "SHIPPER_OUTCOMES": str(folder / "outcomes.ndjson")}, stdout=sys.stderr, check=False,
    )  # fmt: skip


def outcomes_of(path: Path) -> list[dict[str, object]]:
    """Return the outcomes, the test of each with them."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def results_of(path: Path) -> dict[str, str]:
    """Return the worst result of each test function, by `path::name`, and of each file."""
    order = ("passed", "skipped", "failed")
    results: dict[str, str] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        file = str(case.get("classname")).replace(".", "/").partition("/Test")[0] + ".py"
        name = str(case.get("name")).partition("[")[0]
        result = "passed" if len(case) == 0 else "skipped" if case.find("skipped") is not None else "failed"
        for key in (f"{file}::{name}", file):
            results[key] = max(results.get(key, "passed"), result, key=order.index)
    return results


def line_of(row: Row, outcomes: Sequence[dict[str, object]], results: dict[str, str]) -> str:
    """Return the row of the table."""
    names = " ".join(f"`{test.removeprefix('tests/')}`" for test in row.tests)
    if row.reason:
        return f"| {row.group} | {row.fault} | not tested: {row.reason} | | | | |"
    result = " ".join(sorted({results.get(test, "not run") for test in row.tests} - {"passed"}))
    told = [one for one in outcomes if _is_of(one, row)]
    sums = [f"{sum(int(str(one[figure])) for one in told):,}" if told else "" for figure in FIGURES]
    return f"| {row.group} | {row.fault} | {f'**{result}** ' if result else ''}{names} | {' | '.join(sums)} |"


def _is_of(outcome: dict[str, object], row: Row) -> bool:
    if row.told:
        return str(outcome["fault"]).startswith(row.told)
    return any(str(outcome["test"]).partition("[")[0] == test for test in row.tests)


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="faults-") as made:
        folder = Path(made)
        if not arguments:
            run(folder)
        outcomes = outcomes_of(Path(arguments[0]) if arguments else folder / "outcomes.ndjson")
        results = results_of(Path(arguments[1]) if arguments else folder / "junit.xml")
    sys.stdout.write(HEAD + "".join(line_of(row, outcomes, results) + "\n" for row in ROWS))


if __name__ == "__main__":
    main(sys.argv[1:])
