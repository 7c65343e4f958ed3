"""The offset store: what was committed is there, whole, under one owner."""

from __future__ import annotations

import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.adapters.offsets import Life, LifeState, OffsetStore
from shipper.core.letters import DeadLetter
from shipper.core.model import FileKey
from shipper.errors import StateError, StateLocked
from tests.adapters.lives import NOW_MS, life

SECOND_PROCESS = """
import sys
from pathlib import Path
from shipper.adapters.offsets import OffsetStore
store = OffsetStore.open(Path(sys.argv[1]), now_ms=0)
print("open", flush=True)
sys.stdin.readline()
store.close()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OffsetStore]:
    opened = OffsetStore.open(tmp_path / "state", now_ms=NOW_MS)
    yield opened
    opened.close()


def reopened(store: OffsetStore, state_dir: Path) -> list[Life]:
    store.close()
    again = OffsetStore.open(state_dir, now_ms=NOW_MS)
    rows = again.load()
    again.close()
    return rows


lives = st.builds(
    Life,
    file_id=st.integers(1, 2**62),
    generation=st.integers(0, 2**31),
    source=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    path=st.binary(min_size=1, max_size=60).map(lambda name: name.decode("utf-8", "surrogateescape")),
    device=st.integers(0, 2**64 - 1),
    inode=st.integers(0, 2**64 - 1),
    head_length=st.integers(0, 1024),
    head_digest=st.binary(max_size=32),
    guard_length=st.integers(0, 256),
    guard_digest=st.binary(max_size=32),
    offset=st.integers(0, 2**62),
    size=st.integers(0, 2**62),
    mtime_ns=st.integers(-(2**62), 2**62),
    state=st.sampled_from(LifeState),
    carry=st.binary(max_size=60),
    born_ms=st.integers(0, 2**50),
    changed_ms=st.integers(0, 2**50),
    counters=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**53)),
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(lives, max_size=8, unique_by=lambda row: row.key))
def test_what_is_committed_is_loaded_whatever_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Life]
) -> None:
    state_dir = tmp_path_factory.mktemp("state")
    store = OffsetStore.open(state_dir, now_ms=NOW_MS)

    store.commit(rows)

    assert reopened(store, state_dir) == sorted(rows, key=lambda row: row.key)


def test_a_row_is_replaced_and_removed_by_its_key(store: OffsetStore, tmp_path: Path) -> None:
    store.commit([life(1), life(1, 1), life(2)])

    store.commit([life(1, 1, offset=70)], gone=[FileKey(2, 0)])

    assert reopened(store, tmp_path / "state") == [life(1), life(1, 1, offset=70)]


def test_an_id_is_not_given_out_twice(store: OffsetStore, tmp_path: Path) -> None:
    first, second = store.next_file_id(), store.next_file_id()
    store.commit([life(first), life(second)])
    store.commit(gone=[FileKey(second, 0)])
    store.close()

    again = OffsetStore.open(tmp_path / "state", now_ms=NOW_MS)
    third = again.next_file_id()
    again.close()

    assert len({first, second, third}) == 3


def test_ids_of_a_database_that_was_removed_do_not_come_again(store: OffsetStore, tmp_path: Path) -> None:
    used = store.next_file_id()
    store.commit([life(used)])
    store.close()
    (tmp_path / "state" / "offsets.db").unlink()
    (tmp_path / "state" / "dead_letters").mkdir()

    again = OffsetStore.open(tmp_path / "state", now_ms=NOW_MS)
    fresh = again.next_file_id()
    again.close()

    assert fresh > 1_000_000 > used


def test_nobody_else_can_read_the_state(store: OffsetStore, tmp_path: Path) -> None:
    store.commit([life()])
    store.backup()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}

    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert {"lock", "offsets.db", "offsets.db-wal", "offsets.db.good"} <= set(modes)


def test_the_settings_that_make_a_commit_durable_are_on(tmp_path: Path) -> None:
    OffsetStore.open(tmp_path, now_ms=NOW_MS).close()

    connection = sqlite3.connect(tmp_path / "offsets.db")
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    connection.close()

    assert mode == "wal"


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", SECOND_PROCESS, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"

        with pytest.raises(StateLocked) as caught:
            OffsetStore.open(tmp_path, now_ms=NOW_MS)

        holder.kill()
    assert str(holder.pid) in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    OffsetStore.open(tmp_path, now_ms=NOW_MS).close()


def test_a_state_dir_that_cannot_be_made_is_an_error_of_the_state(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateError, match="file/state"):
        OffsetStore.open(tmp_path / "file" / "state", now_ms=NOW_MS)


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_rows_and_a_store_that_works(store: OffsetStore, tmp_path: Path) -> None:
    store.commit([life(offset=1)])
    store.decide(FileKey(1, 0), "new", "first seen", NOW_MS)
    large = [life(number, carry=b"x" * 4000, offset=2) for number in range(1, 200)]

    with files_no_larger_than(200_000), pytest.raises(StateError, match=r"offsets\.db"):
        store.commit(large)

    assert store.load() == [life(offset=1)]
    store.commit([life(offset=3)])
    assert [decision.what for decision in store.decisions(1)] == ["new"]
    assert reopened(store, tmp_path / "state") == [life(offset=3)]


def test_a_commit_that_breaks_half_way_leaves_none_of_its_rows(store: OffsetStore) -> None:
    store.commit([life(1, offset=1)])

    with pytest.raises(OverflowError):
        store.commit([life(1, offset=2), life(2, offset=2**70)])

    assert store.load() == [life(1, offset=1)]
    store.commit([life(1, offset=3)])
    assert store.load() == [life(1, offset=3)]


class Sink:
    """Notes what the rows were when the letters came."""

    def __init__(self, database: Path, failure: StateError | None = None) -> None:
        self.seen: list[tuple[list[str], int]] = []
        self._database = database
        self._failure = failure

    def append(self, letters: Sequence[DeadLetter]) -> int:
        if self._failure:
            raise self._failure
        connection = sqlite3.connect(self._database)
        rows = connection.execute("SELECT count(*) FROM lives").fetchone()[0]
        connection.close()
        self.seen.append(([letter.id for letter in letters], rows))
        return len(letters)


LETTER = DeadLetter(
    at="2026-11-23T09:00:00.000Z",
    source="shop",
    path="/a",
    file_id=1,
    generation=0,
    start=5,
    end=9,
    reason="rejected",
)


def test_letters_are_written_before_the_offset_that_passes_them(store: OffsetStore, tmp_path: Path) -> None:
    sink = Sink(tmp_path / "state" / "offsets.db")
    store.letters = sink

    store.commit([life(offset=9)], letters=[LETTER])

    assert sink.seen == [(["1.0.5"], 0)]
    assert store.load() == [life(offset=9)]


def test_an_offset_is_not_committed_without_its_letters(store: OffsetStore, tmp_path: Path) -> None:
    store.letters = Sink(tmp_path, StateError("full"))

    with pytest.raises(StateError, match="full"):
        store.commit([life(offset=9)], letters=[LETTER])

    assert store.load() == []


def test_the_last_twenty_decisions_of_a_file_are_kept(store: OffsetStore) -> None:
    for turn in range(30):
        store.decide(FileKey(1, turn), f"turn {turn}", "seen", NOW_MS + turn)
    store.decide(FileKey(2, 0), "new", "head of 12 bytes", NOW_MS)
    store.commit()

    assert [decision.generation for decision in store.decisions(1)] == list(range(10, 30))
    assert [decision.evidence for decision in store.decisions(2)] == ["head of 12 bytes"]


def test_a_decision_may_name_a_file_whose_name_is_no_text(store: OffsetStore) -> None:
    store.decide(FileKey(1, 0), "renamed", "was at /log/caf\udce9.log", NOW_MS)

    store.commit([life()])

    assert [decision.evidence for decision in store.decisions(1)] == ["was at /log/caf\\udce9.log"]


def test_decisions_of_forgotten_files_go_after_a_week(store: OffsetStore, tmp_path: Path) -> None:
    store.commit([life(1)])
    store.decide(FileKey(1, 0), "new", "", NOW_MS)
    store.decide(FileKey(2, 0), "lost", "", NOW_MS)
    store.close()

    later = OffsetStore.open(tmp_path / "state", now_ms=NOW_MS + 8 * 86_400_000)
    kept = [len(later.decisions(file_id)) for file_id in (1, 2)]
    later.close()

    assert kept == [1, 0]
