"""What became of what was written, in the figures that docs/reliability.md shows: one line a test."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one run.

    Attributes:
        fault: The row of the matrix, and what was done.
        written: By the writer of the test.
        delivered: Distinct ones that the endpoint acknowledged.
        duplicated: Acknowledged once more.
        declared_lost: That the agent said it lost, or set aside among the dead letters.
        missing: Neither delivered nor declared: must be none.
        strange: Delivered and never written: must be none.
    """

    fault: str
    written: int
    delivered: int
    duplicated: int
    declared_lost: int = 0
    missing: int = 0
    strange: int = 0

    @property
    def kept(self) -> bool:
        """Whether nothing is missing without a word, and nothing was made up."""
        return not self.missing and not self.strange


def outcome(fault: str, written: Sequence[str], acknowledged: Iterable[str], *, declared_lost: int = 0) -> Outcome:
    """Hold what was *acknowledged* against what was *written*, distinct lines, and print the figures.

    With SHIPPER_OUTCOMES set to a file, they are appended to it as a line of JSON, with the test's name.
    """
    arrived = Counter(acknowledged)
    wanted = set(written)
    found = Outcome(
        fault=fault,
        written=len(written),
        delivered=len(wanted & arrived.keys()),
        duplicated=sum(count - 1 for count in arrived.values()),
        declared_lost=declared_lost,
        missing=max(len(wanted - arrived.keys()) - declared_lost, 0),
        strange=len(arrived.keys() - wanted),
    )
    text = json.dumps(msgspec.to_builtins(found))
    print(text)  # noqa: T201 -- shown with a failure, and with -rP
    if path := os.environ.get("SHIPPER_OUTCOMES"):
        with Path(path).open("a", encoding="utf-8") as file:
            test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
            file.write(json.dumps({**msgspec.to_builtins(found), "test": test}) + "\n")
    return found
