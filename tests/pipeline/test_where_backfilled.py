"""A line that only a backfill has read: known by the file's inode and the bytes that are settled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipper.core.shipped import Settled, Shipped
from shipper.pipeline.where_backfilled import backfilled_by, places_of, still_there


@pytest.mark.parametrize(
    ("offset", "packing", "grown", "other", "sent"),
    [
        (0, "", False, False, True),
        (9, "gzip", False, False, True),
        (10, "", False, False, False),  # behind what is settled
        (15, "", False, False, False),  # between two settled pieces
        (25, "", False, False, True),
        (0, "", True, False, True),
        (0, "gzip", True, False, False),  # another archive stands there now
        (0, "", False, True, False),
    ],
)
def test_a_line_is_known_where_its_bytes_are_settled_and_the_file_is_that_one(
    offset: int, packing: str, grown: bool, other: bool, sent: bool, tmp_path: Path
) -> None:
    path = tmp_path / "app.log.1"
    path.write_bytes(b"x" * 40)
    status = path.stat()
    row = Shipped(
        file_id=1, source="app", place="/moved/app.log", packing=packing, device=status.st_dev,
        inode=status.st_ino + other, size=40, mtime_ns=status.st_mtime_ns,
        settled=[Settled(0, 10), Settled(20, 30)],
    )  # fmt: skip
    if grown:
        path.write_bytes(b"x" * 50)
        os.utime(path, ns=(0, status.st_mtime_ns + 1))
    renamed = path.rename(tmp_path / "app.log.2")

    found = backfilled_by(str(renamed), offset, [row])

    assert found is (row if sent else None)


def test_a_file_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    assert backfilled_by(str(tmp_path / "gone.log"), 0, []) is None


def shipped(path: Path, *, source: str = "app", inode: int | None = None, settled: int = 5) -> Shipped:
    status = path.stat()
    return Shipped(
        file_id=1, source=source, place=str(path), device=status.st_dev, size=status.st_size,
        inode=status.st_ino if inode is None else inode, settled=[Settled(0, settled)] if settled else [],
    )  # fmt: skip


def test_a_file_is_found_where_a_backfill_met_it_or_by_its_inode_beside(tmp_path: Path) -> None:
    stays, moves, goes = (tmp_path / name for name in ("a.log", "b.log", "c.log"))
    for path in (stays, moves, goes):
        path.write_text("text\n")
    rows = [shipped(stays), shipped(moves), shipped(goes), shipped(stays, inode=0)]
    moved = moves.rename(tmp_path / "b.log.1")
    goes.unlink()

    found, missing = still_there(list(places_of(rows, None)), [str(moved), str(stays)])

    assert sorted(found.values()) == [str(stays), str(moved)]
    assert missing == 2


def test_what_a_backfill_only_met_and_what_is_another_sources_is_not_its(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("text\n")

    places = places_of([shipped(path, settled=0), shipped(path, source="other"), shipped(path)], "app")

    assert [place for place, _ in places] == [str(path)]
