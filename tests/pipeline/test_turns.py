"""Who is read next: a lineage has one place, who must wait has none; and which files stay open."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists

from shipper.adapters.offsets import Life, LifeState
from shipper.core.model import FileKey
from shipper.core.rule import RecordFormat, Rule
from shipper.errors import FileVanished
from shipper.pipeline.descriptors import Descriptors, open_wherever
from shipper.pipeline.followed import Followed
from shipper.pipeline.open_records import OpenRecords
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.turns import TURN_BYTES, Turns

READING = SourceReading(Rule(source="app", layout="raw", format=RecordFormat.RAW))
QUANTUM = 256 * 1024


def followed(file_id: int, lineage: int = 0, path: Path | None = None) -> Followed:
    status = path.stat() if path is not None else None
    life = Life(
        file_id=file_id, generation=0, source="app", path=str(path or f"/log/{file_id}"), state=LifeState.FOLLOWING,
        device=status.st_dev if status else 1, inode=status.st_ino if status else file_id,
    )  # fmt: skip
    return Followed(life, READING, {}, lineage=lineage or file_id)


def deal(turns: Turns, amounts: dict[int, int], count: int) -> Counter[int]:
    """Give *count* turns to files that always ask again, each turn of so many bytes; return the turns by file."""
    taken = Counter[int]()
    for _ in range(count):
        one = turns.take()
        assert one is not None
        taken[one.key.file_id] += 1
        turns.ask(one)
        turns.spent(amounts[one.key.file_id])
    return taken


def test_a_lineage_has_one_place_however_many_files_it_has_to_finish() -> None:
    turns = Turns(QUANTUM, lambda: 0)
    for file_id in range(1, 6):
        turns.ask(followed(file_id, lineage=100))
    turns.ask(followed(6, lineage=200))

    taken = deal(turns, dict.fromkeys(range(1, 7), QUANTUM), 60)

    assert taken[6] == 30


def test_within_a_lineage_files_are_read_in_the_order_in_which_they_asked() -> None:
    turns = Turns(QUANTUM, lambda: 0)
    files = [followed(file_id, lineage=1) for file_id in range(1, 5)]
    for one in files:
        assert turns.ask(one)
    assert not turns.ask(files[2])

    order = []
    while (taken := turns.take()) is not None:
        order.append(taken)
        turns.spent(10)

    assert order == files
    assert len(turns) == 0


def test_a_file_that_gives_nothing_does_not_have_turn_after_turn() -> None:
    """A bad block, a read that is cut short: a turn costs time even where it brings no byte."""
    turns = Turns(QUANTUM, lambda: 0)
    turns.ask(followed(1))
    turns.ask(followed(2))

    taken = deal(turns, {1: 0, 2: QUANTUM}, 340)

    assert taken[1] <= taken[2] * (QUANTUM // TURN_BYTES) + 16
    assert taken[2] >= 18


def test_who_waits_for_a_file_is_found_by_it_alone() -> None:
    turns = Turns(QUANTUM, lambda: 0)
    older, newest, other = followed(1), followed(3), followed(4)
    turns.wait_for(newest, {FileKey(1, 0), FileKey(2, 0)})
    turns.wait_for(other, {FileKey(2, 0)})

    assert turns.released_by(older.key) == [newest]
    assert turns.released_by(older.key) == []
    assert turns.released_by(FileKey(2, 0)) == [newest, other]


@given(instants=lists(integers(0, 50), max_size=30), now=integers(0, 50))
def test_delayed_files_come_back_when_their_time_has_come_and_not_before(instants: list[int], now: int) -> None:
    turns = Turns(QUANTUM, lambda: 0)
    for number, instant in enumerate(instants):
        one = followed(number + 1)
        one.not_before = float(instant)
        turns.delay(one)

    back = [one.not_before for one in turns.undelayed(float(now))]

    assert back == sorted(instant for instant in instants if instant <= now)
    assert turns.next_delayed == min((instant for instant in instants if instant > now), default=None)


# -- descriptors -----------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> list[Followed]:
    paths = [tmp_path / f"{number}.log" for number in range(20)]
    for path in paths:
        path.write_text("line\n", encoding="utf-8")
    return [followed(number + 1, path=path) for number, path in enumerate(paths)]


def opened(files: list[Followed]) -> list[int]:
    return [one.key.file_id for one in files if one.file is not None]


def finish(one: Followed) -> None:
    one.at_end = True


def test_of_finished_files_those_that_were_read_last_stay_open(files: list[Followed]) -> None:
    descriptors = Descriptors(wanted=4, most=1000)
    for one in files:
        descriptors.hold(one)
        finish(one)

    assert opened(files) == [17, 18, 19, 20]


def test_a_file_with_bytes_on_their_way_stays_open_while_the_process_may_hold_it(files: list[Followed]) -> None:
    descriptors = Descriptors(wanted=4, most=1000)
    for one in files:
        descriptors.hold(one)

    assert len(opened(files)) == 20
    for one in files:
        finish(one)
    descriptors.close_idle()
    assert len(opened(files)) < 5


def test_more_than_the_process_may_hold_are_never_open(files: list[Followed]) -> None:
    """Those that have a name are found again by it; one that has lost its name is kept whatever comes."""
    descriptors = Descriptors(wanted=4, most=6)
    files[0].state = LifeState.DRAINING
    most = 0
    for one in files:
        descriptors.hold(one)
        most = max(most, len(opened(files)))

    assert most <= 7
    assert files[0].file is not None


def test_rotated_files_that_wait_are_held_open_as_far_as_there_is_room(files: list[Followed]) -> None:
    """They are deleted next, and only a descriptor keeps their bytes; a live file, or one that is read, can wait."""
    for one in files[3:15]:
        one.state = LifeState.DRAINING
    finish(files[4])
    descriptors = Descriptors(wanted=12, most=1000)

    descriptors.secure(files, lambda _device: False)

    assert opened(files) == [4, 6, 7, 8, 9, 10]


def test_on_a_file_system_that_may_hang_nothing_is_opened_before_its_turn(files: list[Followed]) -> None:
    for one in files:
        one.state = LifeState.DRAINING

    Descriptors(wanted=12, most=1000).secure(files, lambda _device: True)

    assert opened(files) == []


@pytest.mark.parametrize("known_head", [True, False])
def test_a_file_that_was_renamed_since_it_was_looked_at_is_opened_under_its_new_name(
    files: list[Followed], known_head: bool
) -> None:
    one, other = files[0], Path(files[1].path)
    path = Path(one.path)
    if known_head:
        one.begin_with(path.read_bytes(), b"")
    else:
        one.size, one.mtime_ns = path.stat().st_size, path.stat().st_mtime_ns
    moved = path.rename(path.with_name("moved.log"))
    other.rename(path)

    file = open_wherever(one)

    assert file.path == str(moved)
    file.close()


@pytest.mark.parametrize("known_head", [True, False])
def test_a_file_that_has_got_the_inode_of_one_that_is_gone_is_not_taken_for_it(
    files: list[Followed], known_head: bool
) -> None:
    one = files[0]
    path = Path(one.path)
    if known_head:
        one.begin_with(path.read_bytes(), b"")
    else:
        one.size, one.mtime_ns = path.stat().st_size, path.stat().st_mtime_ns
    reborn = path.rename(path.with_name("reborn.log"))
    reborn.write_text("of another file\n", encoding="utf-8")  # the inode is the same, the bytes are not

    with pytest.raises(FileVanished):
        open_wherever(one)


def test_a_file_that_cannot_be_opened_takes_no_place(files: list[Followed]) -> None:
    descriptors = Descriptors(wanted=4, most=6)
    gone = files[0]
    Path(gone.path).unlink()
    with pytest.raises(FileVanished):
        descriptors.hold(gone)
    for one in files[1:5]:
        descriptors.hold(one)

    assert opened(files) == [2, 3, 4, 5]


# -- open records ----------------------------------------------------------------------------------


def half_read(file_id: int, held: int, quiet_since: float) -> Followed:
    one = followed(file_id)
    one.feed(b"x" * held)
    one.at_end = True
    one.quiet_since = quiet_since
    return one


def test_what_is_held_back_is_counted_once_a_file_and_due_when_it_was_quiet_for_long_enough() -> None:
    records = OpenRecords()
    first, second = half_read(1, 100, 10.0), half_read(2, 50, 11.0)
    patience = first.open_timeout
    for one in (first, second, first):
        records.note(one)

    assert records.held_bytes == 150
    assert records.due(10.0 + patience - 0.01) == []
    assert records.due(10.0 + patience) == [first]
    records.drop(first)
    assert records.held_bytes == 50
    assert records.next_due == 11.0 + patience


def test_a_record_that_grew_meanwhile_is_not_due() -> None:
    records = OpenRecords()
    one = half_read(1, 100, 10.0)
    records.note(one)
    one.feed(b"more")
    one.quiet_since = 11.5
    records.note(one)

    assert records.due(10.0 + one.open_timeout) == []
    assert records.held_bytes == 104
    assert records.due(11.5 + one.open_timeout) == [one]


def test_a_record_that_is_whole_is_no_longer_open() -> None:
    records = OpenRecords()
    one = half_read(1, 100, 10.0)
    records.note(one)
    one.feed(b"\n")
    records.note(one)

    assert records.held_bytes == 0
    assert records.due(1e9) == []
