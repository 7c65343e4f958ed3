"""A database of another version is led to this one whole, or left as it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_schema import MIGRATIONS
from shipper.errors import StateError

NOW_MS = 1_795_464_000_000
LIFE = Life(file_id=1, generation=0, source="shop", path="/var/log/a.log", device=1, inode=2, offset=7)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    store = OffsetStore.open(tmp_path, now_ms=NOW_MS)
    store.commit([LIFE])
    store.close()
    return tmp_path


NEXT_VERSION = (*MIGRATIONS, ("ALTER TABLE lives ADD COLUMN note TEXT NOT NULL DEFAULT ''",))


def test_an_older_database_is_migrated_and_kept_as_the_good_copy(state_dir: Path) -> None:
    newer = OffsetStore.open(state_dir, now_ms=NOW_MS, migrations=NEXT_VERSION)
    rows = newer.load()
    newer.close()

    assert rows == [LIFE]
    versions = [version_of(state_dir / name) for name in ("offsets.db", "offsets.db.good")]
    assert versions == [len(MIGRATIONS) + 1, len(MIGRATIONS)]


def test_a_migration_that_fails_leaves_the_old_version(state_dir: Path) -> None:
    half_wrong = (*MIGRATIONS, ("CREATE TABLE fresh (a)", "ALTER TABLE missing ADD COLUMN b"))

    with pytest.raises(StateError):
        OffsetStore.open(state_dir, now_ms=NOW_MS, migrations=half_wrong)

    again = OffsetStore.open(state_dir, now_ms=NOW_MS)
    assert again.load() == [LIFE]
    again.close()
    assert version_of(state_dir / "offsets.db") == len(MIGRATIONS)


def test_a_database_of_a_newer_version_is_not_touched(state_dir: Path) -> None:
    OffsetStore.open(state_dir, now_ms=NOW_MS, migrations=NEXT_VERSION).close()
    before = contents(state_dir)

    with pytest.raises(StateError, match="newer shipper"):
        OffsetStore.open(state_dir, now_ms=NOW_MS)

    assert contents(state_dir) == before


def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return version


def contents(state_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in state_dir.iterdir() if path.name != "lock"}
