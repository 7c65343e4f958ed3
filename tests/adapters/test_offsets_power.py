"""A power cut keeps what was synced and any part of what was not: the store opens on a committed state, or says no.

Between two commits everything is tried that a disk may make of the write-ahead
log: cut at every frame and inside of frames, zeros or old bytes in place of the
tail; then page writes of a checkpoint that came in part, and renames that were
lost.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from shipper.adapters.offsets import Life, OffsetStore
from shipper.core.ledger import Entry, is_balanced, total
from shipper.core.ledger_audit import audit
from shipper.core.model import FileKey
from shipper.errors import StateDamaged

NOW_MS = 1_795_464_000_000
FILES = 3
FRAME_HEADER_BYTES = 24
WAL_HEADER_BYTES = 32
State = dict[FileKey, tuple[int, list[Entry]]]


class Disk(NamedTuple):
    """The two files of a store as they stand on disk."""

    database: bytes
    log: bytes


def commit(store: OffsetStore, turn: int) -> None:
    """Move every file on by ten bytes and ten records."""
    keys = [FileKey(number, 0) for number in range(1, FILES + 1)]
    lives = [
        Life(
            file_id=key.file_id, generation=0, source="s", path=f"/log/{key.file_id}", device=1, inode=1,
            offset=10 * turn, counters={"read": 10 * turn, "acked": 10 * turn},
        )
        for key in keys
    ]  # fmt: skip
    start = 10 * (turn - 1)
    entry = Entry(start, start + 10, read=10, acked=10, batch=turn, batch_last=turn, layout=f"rule{turn % 3}")
    store.commit(lives, spans=[(key, entry) for key in keys])


def disk_of(state_dir: Path) -> Disk:
    log = state_dir / "offsets.db-wal"
    return Disk((state_dir / "offsets.db").read_bytes(), log.read_bytes() if log.exists() else b"")


def lay_out(state_dir: Path, disk: Disk) -> Path:
    """Make a state directory in which just these bytes stand."""
    shutil.rmtree(state_dir, ignore_errors=True)
    state_dir.mkdir()
    (state_dir / "lock").touch()
    (state_dir / "offsets.db").write_bytes(disk.database)
    (state_dir / "offsets.db-wal").write_bytes(disk.log)
    return state_dir


def opened(state_dir: Path) -> State:
    """Return what a store of this directory knows; each file's ledger must tile it and balance."""
    store = OffsetStore.open(state_dir, now_ms=NOW_MS)
    try:
        state = {life.key: (life.offset, store.spans(life.key)) for life in store.load()}
        for life in store.load():
            assert audit(state[life.key][1], life.offset) == []
            assert is_balanced(total(state[life.key][1]))
            assert total(state[life.key][1]) == life.counters
        return state
    finally:
        store.close()


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Disk, State]]:
    """The disk, and what was known, after each of some commits that follow on one another."""
    folder = tmp_path_factory.mktemp("commits")
    store = OffsetStore.open(folder / "state", now_ms=NOW_MS)
    found = []
    for turn in range(1, 6):
        commit(store, turn)
        disk = disk_of(folder / "state")
        found.append((disk, opened(lay_out(folder / "copy", disk))))
    store.close()
    return found


def cuts(before: Disk, after: Disk) -> Iterator[int]:
    """Give lengths of the log between two commits: every frame's border, and places inside of each frame."""
    page = struct.unpack(">I", after.log[8:12])[0]
    frame = FRAME_HEADER_BYTES + page
    for at in range(len(before.log), len(after.log), frame):
        yield from (at, at + 1, at + 12, at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + page // 2, at + frame - 1)


TAILS: dict[str, Callable[[bytes, int, random.Random], bytes]] = {
    "cut": lambda log, at, _: log[:at],
    "zeros": lambda log, at, _: log[:at] + bytes(len(log) - at),
    "zeros_and_more": lambda log, at, _: log[:at] + bytes(len(log) - at + 5000),
    "garbage": lambda log, at, rng: log[:at] + rng.randbytes(len(log) - at),
    "old_frames": lambda log, at, _: log[:at] + log[WAL_HEADER_BYTES : WAL_HEADER_BYTES + len(log) - at],
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_a_commit_that_did_not_reach_the_disk_whole_never_was(
    tail: Callable[[bytes, int, random.Random], bytes], commits: list[tuple[Disk, State]], tmp_path: Path
) -> None:
    rng = random.Random(7)
    tried = 0
    for (before, known), (after, _) in pairwise(commits):
        for at in cuts(before, after):
            torn = Disk(after.database, tail(after.log, at, rng))
            assert opened(lay_out(tmp_path / "state", torn)) == known
            tried += 1
    assert tried >= 36


def test_pages_of_a_checkpoint_that_came_in_part_do_no_harm(tmp_path: Path) -> None:
    """The log is there until the checkpoint is synced: whatever mixture of pages the database holds."""
    store = OffsetStore.open(tmp_path / "state", now_ms=NOW_MS)
    for turn in range(1, 40):
        commit(store, turn)
    before = disk_of(tmp_path / "state")
    with sqlite3.connect(tmp_path / "state" / "offsets.db") as beside:
        beside.execute("PRAGMA wal_checkpoint(PASSIVE)")
    beside.close()
    after = disk_of(tmp_path / "state")
    known = opened(lay_out(tmp_path / "copy", after))
    store.close()
    assert after.database != before.database
    rng = random.Random(11)

    for _ in range(40):
        mixed = bytearray(after.database)
        for page in range(0, len(before.database), 4096):
            if rng.random() < 0.5:
                mixed[page : page + 4096] = before.database[page : page + 4096]
        length = rng.choice([len(before.database), len(mixed)])
        assert opened(lay_out(tmp_path / "copy", Disk(bytes(mixed[:length]), before.log))) == known


def test_frames_of_the_round_before_are_not_taken_for_new_ones(tmp_path: Path) -> None:
    """After a checkpoint the log begins again in the same file: the tail holds sound frames of an earlier time."""
    store = OffsetStore.open(tmp_path / "state", now_ms=NOW_MS)
    for turn in range(1, 30):
        commit(store, turn)
    with sqlite3.connect(tmp_path / "state" / "offsets.db") as beside:
        beside.execute("PRAGMA wal_checkpoint(RESTART)")
    beside.close()
    commit(store, 30)
    disk = disk_of(tmp_path / "state")
    commit(store, 31)
    newer = disk_of(tmp_path / "state")
    store.close()

    known = opened(lay_out(tmp_path / "copy", disk))
    assert {offset for offset, _ in known.values()} == {300}
    differs = next(at for at, (one, other) in enumerate(zip(disk.log, newer.log, strict=True)) if one != other)
    for at in range(differs, differs + 3 * 4120, 1030):
        torn = Disk(newer.database, newer.log[:at] + disk.log[at:])
        assert opened(lay_out(tmp_path / "copy", torn)) in (known, opened(lay_out(tmp_path / "copy2", newer)))


# -- renames ---------------------------------------------------------------------------------------


def damaged_with_a_good_copy(state_dir: Path) -> None:
    """Leave a state whose database is broken, and its good copy of two commits ago."""
    store = OffsetStore.open(state_dir, now_ms=NOW_MS)
    for turn in (1, 2):
        commit(store, turn)
    store.backup()
    for turn in (3, 4):
        commit(store, turn)
    store.close()
    content = bytearray((state_dir / "offsets.db").read_bytes())
    content[4096 * 2 : 4096 * 5] = bytes(4096 * 3)
    (state_dir / "offsets.db").write_bytes(content)


def lose_nothing(state_dir: Path) -> None:
    """Every name is where it should be."""


def lose_the_new_name_of_the_log(state_dir: Path) -> None:
    (state_dir / "offsets.db").rename(state_dir / "offsets.db.damaged-20261123T200000Z")
    (state_dir / "offsets.db-wal").write_bytes(b"left of the damaged one")


def lose_the_name_of_what_was_built(state_dir: Path) -> None:
    (state_dir / "offsets.db").rename(state_dir / "offsets.db.damaged-20261123T200000Z")
    shutil.copy(state_dir / "offsets.db.good", state_dir / "offsets.db.new")


def keep_a_half_made_copy(state_dir: Path) -> None:
    content = (state_dir / "offsets.db.good").read_bytes()
    (state_dir / "offsets.db.new").write_bytes(content[: len(content) // 2])


LOST_RENAMES = [lose_nothing, lose_the_new_name_of_the_log, lose_the_name_of_what_was_built, keep_a_half_made_copy]


@pytest.mark.parametrize("lose", LOST_RENAMES, ids=lambda lose: lose.__name__)
def test_after_a_lost_rename_the_good_copy_goes_on(lose: Callable[[Path], None], tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    damaged_with_a_good_copy(state_dir)
    lose(state_dir)

    known = opened(state_dir)

    assert {offset for offset, _ in known.values()} == {20}
    assert list(state_dir.glob("offsets.db.damaged-*")) != []


def test_where_the_good_copy_lost_its_name_too_nothing_starts_from_nothing(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    damaged_with_a_good_copy(state_dir)
    (state_dir / "offsets.db.good").unlink()

    for _ in range(2):  # the second start finds only what the first has set aside
        with pytest.raises(StateDamaged, match="no good copy"):
            OffsetStore.open(state_dir, now_ms=NOW_MS)


def test_a_backup_whose_rename_was_lost_leaves_the_one_before(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    store = OffsetStore.open(state_dir, now_ms=NOW_MS)
    commit(store, 1)
    store.backup()
    older = (state_dir / "offsets.db.good").read_bytes()
    commit(store, 2)
    store.backup()
    newer = (state_dir / "offsets.db.good").read_bytes()
    store.close()

    (state_dir / "offsets.db.good").write_bytes(older)
    (state_dir / "offsets.db.new").write_bytes(newer)
    (state_dir / "offsets.db").write_bytes(b"gone")
    known = opened(state_dir)

    assert {offset for offset, _ in known.values()} == {10}
