"""The ledger's rows go with the offset in one transaction, outlive their file, and can be read beside the owner."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from shipper.adapters.offsets import Life, OffsetStore, restore_lives
from shipper.adapters.offsets_snapshot import Snapshot
from shipper.core.ledger import BEFORE, CUT, REWOUND, Entry
from shipper.core.ledger_audit import audit
from shipper.core.model import FileKey
from shipper.errors import StateDamaged, StateError, UsageError

NOW_MS = 1_795_464_000_000
KEY = FileKey(1, 0)


def life(offset: int, file_id: int = 1) -> Life:
    return Life(
        file_id=file_id, generation=0, source="shop", path=f"/log/{file_id}.log", device=1, inode=2, offset=offset,
        counters={"read": offset},
    )  # fmt: skip


def entry(start: int, end: int, **fields: object) -> Entry:
    known = {
        "layout": "log4j",
        "fingerprint": "abcd",
        "read": 3,
        "acked": 3,
        "batch": 7,
        "batch_last": 9,
        "status": 204,
    }
    return Entry(start, end, 5, 4_000_000_000, NOW_MS, NOW_MS + 1, **(known | fields))  # type: ignore[arg-type]


def opened(state_dir: Path) -> OffsetStore:
    return OffsetStore.open(state_dir, now_ms=NOW_MS)


def test_a_span_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    plain, rich = entry(0, 10), entry(10, 20, rest={"dead_rejected": 1}, cuts=[15, 20], acked=2, status=None)
    store = opened(tmp_path)
    store.commit([life(20)], spans=[(KEY, plain), (KEY, rich)])
    store.close()

    again = opened(tmp_path)

    assert again.spans(KEY) == [plain, rich]
    assert again.last_batch() == 9
    again.close()


def test_a_row_that_grows_is_written_over_the_one_before(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([life(10)], spans=[(KEY, entry(0, 10))])
    store.commit([life(30)], spans=[(KEY, entry(0, 30))])

    assert store.spans(KEY) == [entry(0, 30)]
    store.close()


def test_a_commit_that_fails_leaves_neither_offset_nor_span_and_can_be_asked_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([life(10)], spans=[(KEY, entry(0, 10))])
    wrong = entry(10, 20, layout="fresh")
    wrong.digest = 1 << 70  # SQLite takes no such number: the transaction fails half-way

    with pytest.raises(OverflowError):
        store.commit([life(20)], spans=[(KEY, wrong)])
    assert (store.load()[0].offset, store.spans(KEY)) == (10, [entry(0, 10)])

    store.commit([life(20)], spans=[(KEY, entry(10, 20, layout="fresh"))])
    assert store.spans(KEY)[-1].layout == "fresh"
    store.close()


def test_what_was_read_before_there_was_a_ledger_is_a_span_that_says_so(tmp_path: Path) -> None:
    old = OffsetStore.open(tmp_path, now_ms=NOW_MS)
    old.close()
    database = sqlite3.connect(tmp_path / "offsets.db")
    for table in ("spans", "rules", "accounts"):
        database.execute(f"DROP TABLE {table}")
    columns = [row[1] for row in database.execute("PRAGMA table_info(lives)")]
    for column in columns[18:]:
        database.execute(f"ALTER TABLE lives DROP COLUMN {column}")
    database.execute("PRAGMA user_version = 1")
    database.execute(
        "INSERT INTO lives VALUES (1, 0, 's', '/a', 1, 1, 0, x'', 0, x'', 500, 500, 0, 'following', x'', 1, 2, '{}')"
    )
    database.commit()
    database.close()

    store = opened(tmp_path)

    assert [(span.start, span.end, span.dropped) for span in store.spans(KEY)] == [(0, 500, BEFORE)]
    assert audit(store.spans(KEY), 500) == []
    store.close()


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        pytest.param(0, [], id="start"),
        pytest.param(10, [(0, 10, "")], id="border"),
        pytest.param(14, [(0, 10, ""), (10, 14, CUT)], id="inside"),
        pytest.param(50, [(0, 10, ""), (10, 20, ""), (20, 50, REWOUND)], id="forwards"),
    ],
)
def test_a_rewind_takes_the_ledger_along(to: int, expected: list[tuple[int, int, str]], tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([life(20)], spans=[(KEY, entry(0, 10)), (KEY, entry(10, 20))])

    store.rewind(life(to), 20, REWOUND, NOW_MS)

    spans = store.spans(KEY)
    assert [(span.start, span.end, span.dropped) for span in spans] == expected
    assert audit(spans, to) == []
    store.close()


def test_the_account_of_a_file_that_is_let_go_stays_for_its_time(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([life(10)], spans=[(KEY, entry(0, 10))])
    store.commit(gone=[KEY], now_ms=NOW_MS)

    assert store.load() == []
    (found,) = Snapshot.open(tmp_path).lives()
    assert (found[0].path, found[0].offset, found[0].counters, found[1]) == ("/log/1.log", 10, {"read": 10}, True)
    assert store.drop_accounts(NOW_MS, 10) == 0
    assert store.drop_accounts(NOW_MS + 1, 10) == 1
    assert store.spans(KEY) == []
    store.close()


def test_of_more_accounts_than_are_kept_the_oldest_go(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for number in (1, 2, 3):
        store.commit([life(10, number)], spans=[(FileKey(number, 0), entry(0, 10))])
        store.commit(gone=[FileKey(number, 0)], now_ms=NOW_MS + number)

    store.drop_accounts(0, 2)

    assert [found.file_id for found, _ in Snapshot.open(tmp_path).lives()] == [2, 3]
    store.close()


def test_thinning_is_saved(tmp_path: Path) -> None:
    first, second = entry(0, 10), entry(10, 20)
    second.seed = first.digest
    store = opened(tmp_path)
    store.commit([life(20)], spans=[(KEY, first), (KEY, second)])
    assert [(held.key, held.rows) for held in store.holdings()] == [(KEY, 2)]

    store.thin([KEY], NOW_MS + 8 * 86_400_000, 7 * 86_400_000)

    assert [(span.start, span.end, span.read) for span in store.spans(KEY)] == [(0, 20, 6)]
    store.close()


def test_a_snapshot_beside_the_owner_sees_what_is_committed_and_leaves_nothing_behind(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([life(10)], spans=[(KEY, entry(0, 10))])
    beside = Snapshot.open(tmp_path)
    store.commit([life(20)], spans=[(KEY, entry(10, 20))])

    ledger = beside.ledger(KEY)

    assert ledger is not None
    assert (ledger.life.offset, len(ledger.spans)) == (20, 2)
    store.close()
    before = {path.name for path in tmp_path.iterdir()}
    assert Snapshot.open(tmp_path).ledger(KEY) == ledger
    assert {path.name for path in tmp_path.iterdir()} == before


def test_rows_without_a_file_are_found(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([life(10)], spans=[(KEY, entry(0, 10)), (FileKey(5, 1), entry(0, 10))])

    assert Snapshot.open(tmp_path).orphans() == [FileKey(5, 1)]
    store.close()


def test_restored_rows_have_a_ledger_that_says_it_does_not_know(tmp_path: Path) -> None:
    opened(tmp_path).close()
    restore_lives(tmp_path, [life(30)], NOW_MS)

    ledger = Snapshot.open(tmp_path).ledger(KEY)

    assert ledger is not None
    assert audit(ledger.spans, 30) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, UsageError),
        (b"no database at all", StateDamaged),
    ],
)
def test_a_snapshot_of_what_is_no_store_is_refused(
    content: bytes | None, error: type[Exception], tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "offsets.db").write_bytes(content)

    with pytest.raises(error):
        Snapshot.open(tmp_path)


def test_a_snapshot_of_another_version_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    database = sqlite3.connect(tmp_path / "offsets.db")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()

    with pytest.raises(StateError, match="schema version 1"):
        Snapshot.open(tmp_path)
