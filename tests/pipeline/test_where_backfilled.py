"""A line that only a backfill has read: known by the file's inode and the bytes that are settled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipper.core.shipped import Settled, Shipped
from shipper.pipeline.where_backfilled import backfilled


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

    said = backfilled(str(renamed), offset, [row])

    assert bool(said) == sent


def test_a_file_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    assert backfilled(str(tmp_path / "gone.log"), 0, []) == ""
