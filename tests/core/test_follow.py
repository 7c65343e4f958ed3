"""What a scan means: every combination of evidence about a file that is known is decided."""

from __future__ import annotations

import itertools

import pytest

from shipper.core.evidence import Do, Seen
from shipper.core.follow import decide, missing_name, questions
from shipper.core.model import FileKey
from tests.core.scans import LOG, NEW, OLD, READ, OnDisk, known, scan, verdicts

# (open, suspect, length, head, guard, name) -> what; "-" stands for any. The first row that fits counts.
LENGTHS = ("shorter", "same", "longer")
TABLE: list[tuple[tuple[str, str, str, str, str, str], Do]] = [
    (("closed", "-", "shorter", "-", "-", "moved"), Do.GONE),
    (("-", "-", "shorter", "-", "-", "-"), Do.TRUNCATED),
    (("open", "trusted", "longer", "-", "-", "same_name"), Do.CONTINUE),
    (("open", "trusted", "longer", "-", "-", "moved"), Do.RENAMED),
    (("closed", "-", "-", "other_head", "-", "moved"), Do.GONE),  # the inode was used again
    (("closed", "-", "-", "-", "other_guard", "moved"), Do.GONE),
    (("-", "-", "-", "other_head", "-", "-"), Do.TRUNCATED),
    (("-", "-", "-", "-", "other_guard", "-"), Do.TRUNCATED),
    (("-", "-", "-", "same_head", "same_guard", "same_name"), Do.CONTINUE),
    (("-", "-", "-", "same_head", "same_guard", "moved"), Do.RENAMED),
]
CELLS = list(
    itertools.product(
        ("open", "closed"), ("trusted", "suspect"), LENGTHS, ("same_head", "other_head"),
        ("same_guard", "other_guard"), ("same_name", "moved"),
    )
)  # fmt: skip


def expected(cell: tuple[str, ...]) -> Do:
    return next(do for row, do in TABLE if all(want in ("-", have) for want, have in zip(row, cell, strict=True)))


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_every_cell_is_decided(cell: tuple[str, str, str, str, str, str]) -> None:
    """The file was written since the last look, and everything that was there then had been read."""
    opened, trust, length, head, guard, name = cell
    before = known(LOG, len(OLD), open=opened == "open", suspect=trust == "suspect")
    text = bytearray(OLD)
    if head == "other_head":
        text[5] ^= 1
    if guard == "other_guard":
        text[-5] ^= 1
    text = {"shorter": text[:-1], "same": text, "longer": text + b"more\n"}[length]
    path = LOG.path if name == "same_name" else "/log/app.log.1"

    decisions = scan([before], [OnDisk(path, 10, bytes(text), 200, live=name == "same_name")])

    (decision,) = [d for d in decisions if d.known is before]
    assert decision.do is expected(cell)
    assert decision.evidence


@pytest.mark.parametrize("opened", [True, False])
def test_an_unchanged_file_costs_no_question(opened: bool) -> None:
    before = known(LOG, READ, open=opened)
    seen = [Seen(LOG.path, 1, 10, len(OLD), LOG.mtime, 0)]

    assert questions([before], seen) == []
    assert verdicts(decide([before], seen, {}, {})) == [("continue", 1, LOG.path)]


def test_what_cannot_be_read_just_now_waits() -> None:
    assert verdicts(scan([known(LOG, READ)], [LOG._replace(mtime=200)], unreadable=True)) == [("wait", 1, LOG.path)]


def test_a_new_file_is_read_from_its_first_byte() -> None:
    (decision,) = scan([], [LOG])

    assert (decision.do, decision.begin_at, decision.live) == (Do.START, 0, True)


def test_a_file_that_is_gone_is_drained_while_it_is_open() -> None:
    assert verdicts(scan([known(LOG, READ, open=True)], [])) == [("drain", 1, None)]


def test_a_file_that_is_gone_and_not_open_is_gone() -> None:
    assert verdicts(scan([known(LOG, READ)], [])) == [("gone", 1, None)]


def test_a_file_that_one_scan_has_not_met_is_not_gone_yet() -> None:
    """While names are shifted, a listing can miss a file, or find it under the name of another."""
    decisions = scan([known(LOG, READ)], [OnDisk(LOG.path, 11, NEW, 200)], {missing_name(FileKey(1, 0)): 0})

    assert verdicts(decisions) == [("wait", 1, None), ("start", None, LOG.path)]


def test_an_orphan_is_gone_already() -> None:
    assert scan([known(LOG, READ, orphan=True, live=False)], []) == []
