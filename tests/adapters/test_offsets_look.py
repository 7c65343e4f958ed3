"""The state folder is looked at without a trace: what is damaged is said and left as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_look import Look, holder_of, lives_of, look_at_state

NOW_MS = 1_795_464_000_000
LIVES = [Life(file_id=n, generation=0, source="a", path="/a", device=1, inode=n) for n in (1, 2, 3)]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    store = OffsetStore.open(tmp_path / "state", now_ms=NOW_MS)
    store.commit(LIVES)
    store.backup()
    store.close()
    return tmp_path / "state"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def overwrite_pages(database: Path) -> None:
    data = bytearray(database.read_bytes())
    data[4096:12_288] = b"\xa5" * 8192
    database.write_bytes(data)


def write_newer_version(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA user_version = 99")


def test_a_sound_store_is_counted(state_dir: Path) -> None:
    look = look_at_state(state_dir)

    assert (look.exists, look.owner, look.holder, look.damage, look.files) == (True, os.geteuid(), None, "", 3)
    assert look.copied_at == (state_dir / "offsets.db.good").stat().st_mtime


def test_nothing_is_changed_by_looking(state_dir: Path) -> None:
    before = contents(state_dir)

    look_at_state(state_dir)

    assert contents(state_dir) == before


def test_what_an_agent_left_when_it_was_killed_is_counted_and_left(state_dir: Path, tmp_path: Path) -> None:
    store = OffsetStore.open(state_dir, now_ms=NOW_MS)
    store.commit([Life(file_id=9, generation=0, source="a", path="/z", device=1, inode=9)])
    left = shutil.copytree(state_dir, tmp_path / "left")
    store.close()
    before = contents(left)

    look = look_at_state(left)

    assert "offsets.db-wal" in before
    assert (look.files, look.holder) == (4, None)
    assert contents(left).keys() == before.keys()
    assert contents(left)["offsets.db"] == before["offsets.db"]


@pytest.mark.parametrize(
    ("break_it", "says", "newer"),
    [
        pytest.param(lambda path: path.write_bytes(b"x" * 100), "damaged: not a database", False, id="no_database"),
        pytest.param(overwrite_pages, "damaged: ", False, id="pages"),
        pytest.param(lambda path: path.unlink(), "missing", False, id="missing"),
        pytest.param(write_newer_version, "written by a newer shipper", True, id="newer"),
    ],
)
def test_what_cannot_be_used_is_said_and_left_as_it_is(
    break_it: object, says: str, newer: bool, state_dir: Path
) -> None:
    assert callable(break_it)
    break_it(state_dir / "offsets.db")
    before = contents(state_dir)

    look = look_at_state(state_dir)

    assert says in look.damage
    assert look.newer is newer
    assert contents(state_dir) == before


def test_a_folder_where_no_agent_ran_is_no_state(tmp_path: Path) -> None:
    assert look_at_state(tmp_path) == Look(exists=False)


def test_who_holds_the_lock_is_told_while_it_is_held(state_dir: Path) -> None:
    store = OffsetStore.open(state_dir, now_ms=NOW_MS)
    store.commit(LIVES[:1])
    held = look_at_state(state_dir)
    store.close()

    assert (held.holder, held.files, held.damage) == (os.getpid(), 3, "")
    assert holder_of(state_dir) is None


def test_databases_that_were_set_aside_are_named(state_dir: Path) -> None:
    (state_dir / "offsets.db").write_bytes(b"x" * 100)
    OffsetStore.open(state_dir, now_ms=NOW_MS).close()

    look = look_at_state(state_dir)

    assert look.set_aside == ("offsets.db.damaged-20261123T200000Z",)
    assert look.damage == ""


def test_the_rows_are_read_while_an_agent_holds_them_and_where_none_has_run(tmp_path: Path) -> None:
    lives = [*LIVES, Life(file_id=4, generation=2, source="app", path="/l/caf\udce9.log", device=1, inode=4, offset=7)]
    store = OffsetStore.open(tmp_path, now_ms=NOW_MS)
    store.commit(lives)

    while_held = lives_of(tmp_path)
    store.close()

    assert while_held == lives
    assert lives_of(tmp_path) == lives
    assert lives_of(tmp_path / "nothing") == []
    assert not (tmp_path / "nothing").exists()
