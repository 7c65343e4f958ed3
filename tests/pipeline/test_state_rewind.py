"""A rewound file goes on at the start of a line, and only the file that was meant."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from shipper.adapters.offsets import Life, LifeState
from shipper.core.identity import NO_GUARD, Guard, guard_of
from shipper.core.model import Carry, OpenPart
from shipper.errors import UsageError
from shipper.pipeline.state_rewind import Target, find, find_one, rewound

NOW_MS = 1_795_464_000_000
CONTENT = b"first line\nsecond\n\nfourth, not ended"


def life(file_id: int = 1, generation: int = 0, path: str = "/var/log/a.log", **changes: object) -> Life:
    base = Life(file_id=file_id, generation=generation, source="shop", path=path, device=1, inode=2)
    return msgspec.structs.replace(base, **changes)


ROWS = [
    life(1, 0, state=LifeState.DONE),
    life(1, 1),
    life(2, 0, "/var/log/b.log", state=LifeState.DRAINING),
    life(3, 0, "/var/log/b.log"),
    life(4, 0, "/var/log/c\udce9.log", state=LifeState.DONE),
    life(5, 0, "/var/log/d.log", state=LifeState.DONE),
    life(6, 0, "/var/log/d.log", state=LifeState.DONE),
]


@pytest.mark.parametrize(
    ("name", "all_of_them", "one"),
    [
        ("1", ["1.0", "1.1"], "1.1"),
        ("1.0", ["1.0"], "1.0"),
        ("/var/log/a.log", ["1.0", "1.1"], "1.1"),
        ("/var/log/b.log", ["2.0", "3.0"], "3.0"),
        ("/var/log/c\\xe9.log", ["4.0"], "4.0"),
        ("/var/log/c\udce9.log", ["4.0"], "4.0"),
    ],
)
def test_a_file_is_found_by_id_life_and_path(name: str, all_of_them: list[str], one: str) -> None:
    assert [id_of(row) for row in find(ROWS, name)] == all_of_them
    assert id_of(find_one(ROWS, name)) == one


def id_of(row: Life) -> str:
    return f"{row.file_id}.{row.generation}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("7", "not in the offset store"),
        ("1.7", "not in the offset store"),
        ("/var/log/x", "not in the offset store"),
        ("/var/log/d.log", r"several files: 5\.0, 6\.0"),
    ],
)
def test_a_name_that_means_none_or_several_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_one(ROWS, name)


@pytest.mark.parametrize(
    ("to", "encoding", "offset"),
    [
        ("start", "", 0), ("end", "", 19), (0, "", 0), (4, "", 0), (10, "", 0), (11, "", 11), (15, "", 11),
        (18, "", 18), (19, "", 19), (len(CONTENT), "", 19), (15, "utf-16-le", 14), (15, "utf-32-be", 12),
    ],
)  # fmt: skip
def test_an_offset_is_moved_back_to_the_start_of_its_line(
    to: Target, encoding: str, offset: int, tmp_path: Path
) -> None:
    row = row_of_file(tmp_path, Carry(encoding=encoding))

    assert rewound(row, to, NOW_MS).offset == offset


def row_of_file(tmp_path: Path, carry: Carry, **changes: object) -> Life:
    path = tmp_path / "a.log"
    path.write_bytes(CONTENT)
    status = path.stat()
    row = life(path=str(path), device=status.st_dev, inode=status.st_ino, carry=msgspec.json.encode(carry))
    return msgspec.structs.replace(row, **changes)


def test_what_belongs_to_the_old_offset_goes_with_it(tmp_path: Path) -> None:
    carry = Carry(
        stamp_ms=5, encoding="latin-1", layout="log4j", header=("date", "time"), part=OpenPart(2, "t", "info")
    )
    row = row_of_file(tmp_path, carry, offset=19, guard_length=9, guard_digest=b"digest", state=LifeState.DONE)

    to_start, to_middle = rewound(row, "start", NOW_MS), rewound(row, 11, NOW_MS)

    assert msgspec.json.decode(to_start.carry, type=Carry) == Carry()
    assert msgspec.json.decode(to_middle.carry, type=Carry) == Carry(
        encoding="latin-1", layout="log4j", header=("date", "time")
    )
    assert Guard(to_start.guard_length, to_start.guard_digest) == NO_GUARD
    assert Guard(to_middle.guard_length, to_middle.guard_digest) == guard_of(b"first line\n")
    assert (to_middle.state, to_middle.changed_ms) == (LifeState.DRAINING, NOW_MS)


def test_a_file_that_cannot_be_read_goes_on_without_a_guard() -> None:
    moved = rewound(life(path="/nowhere/a.log", size=20, guard_length=9, guard_digest=b"digest"), 15, NOW_MS)

    assert Guard(moved.guard_length, moved.guard_digest) == NO_GUARD
    assert NO_GUARD.fits(b"")


def test_bytes_that_are_passed_over_are_counted(tmp_path: Path) -> None:
    row = row_of_file(tmp_path, Carry(), offset=11, counters={"read": 1})

    assert rewound(row, "end", NOW_MS).counters == {"read": 1, "skipped_bytes": 8}
    assert rewound(row, "start", NOW_MS).counters == {"read": 1}


@pytest.mark.parametrize("same_file", [True, False])
def test_an_offset_outside_of_the_file_is_refused(same_file: bool, tmp_path: Path) -> None:
    row = row_of_file(tmp_path, Carry(), size=20)
    row = row if same_file else msgspec.structs.replace(row, inode=row.inode + 1)
    size = len(CONTENT) if same_file else 20

    with pytest.raises(UsageError, match=f"offset {size + 1} is outside of its {size} bytes"):
        rewound(row, size + 1, NOW_MS)


def test_a_named_pipe_in_the_place_of_the_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.log")
    row = life(path=str(tmp_path / "a.log"), size=20)

    assert rewound(row, 15, NOW_MS).offset == 15
