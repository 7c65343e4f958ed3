"""A damaged database is never overwritten and never taken for an empty one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, OffsetStore, restore_copy, restore_lives
from shipper.errors import StateDamaged, StateLocked

NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z
ASIDE = "offsets.db.damaged-20261123T200000Z"
PAGE_BYTES = 4096


def rows(offset: int) -> list[Life]:
    return [
        Life(file_id=number, generation=0, source="shop", path="/a", device=1, inode=number, offset=offset)
        for number in range(1, 301)
    ]


GOOD, LATEST = rows(10), rows(20)


def used_state(state_dir: Path, *, with_good_copy: bool) -> Path:
    store = OffsetStore.open(state_dir, now_ms=NOW_MS)
    store.commit(GOOD)
    if with_good_copy:
        store.backup()
    store.commit(LATEST)
    store.close()
    return state_dir / "offsets.db"


def truncate_to_half(database: Path) -> None:
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])


def truncate_inside_the_header(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:60])


def empty(database: Path) -> None:
    database.write_bytes(b"")


def zero(database: Path) -> None:
    database.write_bytes(bytes(database.stat().st_size))


def overwrite_pages(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[PAGE_BYTES : 4 * PAGE_BYTES] = b"\xa5" * (3 * PAGE_BYTES)
    database.write_bytes(content)


def write_text(database: Path) -> None:
    database.write_text("offsets of 2026-11-23\n" * 40)


def replace_by_another_database(database: Path) -> None:
    database.unlink()
    change(database, "CREATE TABLE lives (a)")


def spoil_a_state(database: Path) -> None:
    change(database, "UPDATE lives SET state = 'sleeping' WHERE file_id = 7")


def spoil_counters(database: Path) -> None:
    change(database, "UPDATE lives SET counters = '{\"read\": ' WHERE file_id = 7")


def spoil_an_offset(database: Path) -> None:
    change(database, 'UPDATE lives SET "offset" = -5 WHERE file_id = 7')


def spoil_text(database: Path) -> None:
    change(database, "UPDATE lives SET source = CAST(x'ff41' AS TEXT) WHERE file_id = 7")


def remove_but_leave_the_log(database: Path) -> None:
    database.unlink()
    database.with_name("offsets.db-wal").write_bytes(b"frames of a database that is gone")


def change(database: Path, statement: str) -> None:
    connection = sqlite3.connect(database)
    connection.execute(statement)
    connection.commit()
    connection.close()


DAMAGES = [
    truncate_to_half, truncate_inside_the_header, empty, zero, overwrite_pages, write_text,
    replace_by_another_database, spoil_a_state, spoil_counters, spoil_an_offset, spoil_text,
    remove_but_leave_the_log,
]  # fmt: skip
damages = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)


@damages
def test_the_last_good_copy_goes_on_and_the_damaged_one_is_kept(damage: Callable[[Path], None], tmp_path: Path) -> None:
    database = used_state(tmp_path, with_good_copy=True)
    damage(database)
    spoiled = database.read_bytes() if database.exists() else None

    store = OffsetStore.open(tmp_path, now_ms=NOW_MS)
    recovered, loaded = store.recovered, store.load()
    store.commit(rows(30))
    store.close()

    assert loaded == GOOD
    assert recovered is not None
    assert f"set aside as {ASIDE}; the copy of 20" in recovered
    aside = tmp_path / ASIDE
    assert (aside.read_bytes() if aside.exists() else None) == spoiled
    assert reopened(tmp_path) == (None, rows(30))


@damages
def test_without_a_good_copy_nothing_starts_until_the_operator_decides(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    damage(used_state(tmp_path, with_good_copy=False))

    with pytest.raises(StateDamaged, match=ASIDE) as first:
        OffsetStore.open(tmp_path, now_ms=NOW_MS)
    with pytest.raises(StateDamaged, match=ASIDE):
        OffsetStore.open(tmp_path, now_ms=NOW_MS + 60_000)
    for path in tmp_path.glob("offsets.db*"):
        path.unlink()

    assert first.value.exit_code == 74
    assert reopened(tmp_path) == (None, [])


def reopened(state_dir: Path) -> tuple[str | None, list[Life]]:
    store = OffsetStore.open(state_dir, now_ms=NOW_MS)
    recovered, loaded = store.recovered, store.load()
    store.close()
    return recovered, loaded


def test_a_database_that_is_missing_beside_its_good_copy_is_lost_not_new(tmp_path: Path) -> None:
    used_state(tmp_path, with_good_copy=True).unlink()

    recovered, loaded = reopened(tmp_path)

    assert recovered is not None
    assert recovered.startswith("offsets.db: missing; the copy of")
    assert loaded == GOOD


def test_damage_to_both_is_said_and_both_are_kept(tmp_path: Path) -> None:
    database = used_state(tmp_path, with_good_copy=True)
    write_text(database)
    write_text(tmp_path / "offsets.db.good")

    with pytest.raises(StateDamaged, match="the good copy is no better"):
        OffsetStore.open(tmp_path, now_ms=NOW_MS)

    assert (tmp_path / ASIDE).exists()
    assert (tmp_path / "offsets.db.good").exists()


def test_two_damages_in_one_second_are_kept_apart(tmp_path: Path) -> None:
    database = used_state(tmp_path, with_good_copy=True)
    write_text(database)
    OffsetStore.open(tmp_path, now_ms=NOW_MS).close()
    write_text(database)
    OffsetStore.open(tmp_path, now_ms=NOW_MS).close()

    assert len(list(tmp_path.glob("offsets.db.damaged-*"))) == 2


def test_a_log_of_the_damaged_database_is_not_applied_to_the_copy(tmp_path: Path) -> None:
    store = OffsetStore.open(tmp_path, now_ms=NOW_MS)
    store.commit(GOOD)
    store.backup()
    store.commit(LATEST)
    log = (tmp_path / "offsets.db-wal").read_bytes()
    store.close()
    write_text(tmp_path / "offsets.db")
    (tmp_path / "offsets.db-wal").write_bytes(log)

    _, loaded = reopened(tmp_path)

    assert loaded == GOOD
    assert (tmp_path / f"{ASIDE}-wal").exists()


def test_ids_given_out_after_the_copy_do_not_come_again(tmp_path: Path) -> None:
    database = used_state(tmp_path, with_good_copy=True)
    write_text(database)

    store = OffsetStore.open(tmp_path, now_ms=NOW_MS)
    fresh = store.next_file_id()
    store.close()

    assert fresh == NOW_MS // 1000


def test_a_start_that_was_cut_short_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "offsets.db.new").write_bytes(b"half a database")

    assert reopened(tmp_path) == (None, [])


def test_a_copy_of_a_damaged_database_does_not_replace_the_good_one(tmp_path: Path) -> None:
    store = OffsetStore.open(tmp_path, now_ms=NOW_MS)
    store.commit(GOOD)
    store.backup()
    good = (tmp_path / "offsets.db.good").read_bytes()
    spoil_a_state(tmp_path / "offsets.db")

    with pytest.raises(StateDamaged):
        store.backup()

    assert (tmp_path / "offsets.db.good").read_bytes() == good
    store.close()


def test_restore_goes_back_to_the_good_copy_and_keeps_what_was_there(tmp_path: Path) -> None:
    used_state(tmp_path, with_good_copy=True)

    replaced = restore_copy(tmp_path, None, NOW_MS)

    assert reopened(tmp_path) == (None, GOOD)
    assert replaced is not None
    restore_copy(tmp_path, tmp_path / replaced, NOW_MS)
    assert reopened(tmp_path) == (None, LATEST)


def test_restore_from_rows_makes_a_database_of_just_these(tmp_path: Path) -> None:
    write_text(used_state(tmp_path, with_good_copy=False))

    restore_lives(tmp_path, LATEST[:3], NOW_MS)

    assert reopened(tmp_path) == (None, LATEST[:3])


def test_restore_refuses_while_an_agent_runs_and_from_a_damaged_copy(tmp_path: Path) -> None:
    database = used_state(tmp_path, with_good_copy=True)
    running = OffsetStore.open(tmp_path, now_ms=NOW_MS)
    with pytest.raises(StateLocked):
        restore_copy(tmp_path, None, NOW_MS)
    running.close()
    before = database.read_bytes()

    write_text(tmp_path / "offsets.db.good")
    with pytest.raises(StateDamaged, match=r"offsets\.db\.good"):
        restore_copy(tmp_path, None, NOW_MS)

    assert database.read_bytes() == before
