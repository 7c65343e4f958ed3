"""Dead letters: durable, once each, within their bound."""

from __future__ import annotations

import json
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.adapters.dead_letters import DeadLetter, DeadLetters, DeadLettersFull
from shipper.core.letters import UNNAMED
from shipper.errors import StateError

LARGE_BYTES = 1 << 30
EVENT = {"content": "hällo", "severity": "info", "n": 1.5, "tags": ["a"]}


def letter(start: int = 0, **changes: object) -> DeadLetter:
    fields: dict[str, object] = {
        "at": "2026-11-23T09:00:00.000Z", "source": "shop", "path": "/var/log/shop.log", "file_id": 3,
        "generation": 1, "start": start, "end": start + 10, "reason": "rejected", "status": 400,
        "detail": "content is not text", "event": EVENT,
    }  # fmt: skip
    return msgspec.convert({**fields, **changes}, DeadLetter)


def opened(state_dir: Path, max_bytes: int = LARGE_BYTES) -> DeadLetters:
    return DeadLetters.open(state_dir, max_bytes, "stop")


def segments(state_dir: Path) -> list[Path]:
    return sorted((state_dir / "dead_letters").iterdir())


def starts(letters: DeadLetters) -> list[int]:
    return [found.start for found in letters.list(LARGE_BYTES)][::-1]


def test_a_letter_is_a_line_of_json_that_only_the_owner_reads(tmp_path: Path) -> None:
    opened(tmp_path).append([letter(5)])

    (segment,) = segments(tmp_path)
    assert segment.name == "000001.ndjson"
    assert stat.S_IMODE(segment.stat().st_mode) == 0o600
    assert stat.S_IMODE(segment.parent.stat().st_mode) == 0o700
    assert json.loads(segment.read_text()) == {
        "id": "3.1.5", "at": "2026-11-23T09:00:00.000Z", "source": "shop", "path": "/var/log/shop.log",
        "file_id": 3, "generation": 1, "start": 5, "end": 15, "part": 0, "reason": "rejected", "status": 400,
        "detail": "content is not text", "event": EVENT,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "written"),
    [
        pytest.param({}, 0, id="the_same"),
        pytest.param({"at": "2026-11-23T10:00:00.000Z", "detail": "said otherwise"}, 0, id="later"),
        pytest.param({"start": 6}, 1, id="other_bytes"),
        pytest.param({"part": 2}, 1, id="other_part"),
        pytest.param({"generation": 2}, 1, id="other_generation"),
        pytest.param({"file_id": 4}, 1, id="other_file"),
        pytest.param({"reason": UNNAMED, "event": None}, 1, id="count_of_the_batch_that_begins_there"),
    ],
)
@pytest.mark.parametrize("reopen", [False, True])
def test_a_key_is_written_once(change: dict[str, object], written: int, reopen: bool, tmp_path: Path) -> None:
    letters = opened(tmp_path)
    letters.append([letter(5)])
    letters = opened(tmp_path) if reopen else letters

    assert letters.append([msgspec.convert({**msgspec.to_builtins(letter(5)), **change}, DeadLetter)] * 2) == written
    assert letters.count == len(segments(tmp_path)[0].read_text().splitlines()) == 1 + written


@settings(max_examples=50, deadline=None)
@given(cut=st.integers(1, 10_000))
def test_whatever_a_crash_cuts_off_whole_letters_stay_and_the_rest_can_be_written_again(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    state_dir = tmp_path_factory.mktemp("state")
    opened(state_dir).append([letter(start) for start in range(5)])
    (segment,) = segments(state_dir)
    content = segment.read_bytes()
    kept = content[: len(content) - cut % len(content)]
    segment.write_bytes(kept)

    letters = opened(state_dir)

    assert starts(letters) == list(range(kept.count(b"\n")))
    letters.append([letter(start) for start in range(5)])
    assert segment.read_bytes() == content


def test_zeros_behind_the_last_letter_are_cut_off(tmp_path: Path) -> None:
    opened(tmp_path).append([letter(1)])
    (segment,) = segments(tmp_path)
    content = segment.read_bytes()
    segment.write_bytes(content + bytes(300))

    opened(tmp_path)

    assert segment.read_bytes() == content


def test_a_damaged_line_is_counted_passed_over_and_kept(tmp_path: Path) -> None:
    opened(tmp_path).append([letter(1), letter(2)])
    (segment,) = segments(tmp_path)
    first, second = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(first + b'{"id": broken\n' + second)

    letters = opened(tmp_path)
    letters.drop(["3.1.1"])

    assert (letters.count, letters.damaged, starts(letters)) == (1, 1, [2])
    assert segment.read_bytes() == b'{"id": broken\n' + second


def test_stop_refuses_what_is_over_the_bound_and_takes_it_once_there_is_room(tmp_path: Path) -> None:
    one = len(msgspec.json.encode(letter(0))) + 1
    letters = opened(tmp_path, max_bytes=3 * one)
    letters.append([letter(0), letter(1)])

    with pytest.raises(DeadLettersFull, match=r"dead_letters\.max_bytes"):
        letters.append([letter(2), letter(3)])

    assert starts(letters) == [0, 1]
    letters.append([letter(2)])
    letters.drop(["3.1.0"])
    letters.append([letter(3)])
    assert starts(letters) == [1, 2, 3]
    assert letters.bytes == 3 * one == on_disk(tmp_path)


def test_drop_oldest_keeps_the_newest_within_the_bound_and_counts_the_rest(tmp_path: Path) -> None:
    bound = 500_000
    letters = DeadLetters.open(tmp_path, bound, "drop_oldest")

    for start in range(0, 4000, 10):
        letters.append([letter(start + step) for step in range(10)])
        assert on_disk(tmp_path) <= bound

    kept = starts(letters)
    assert kept == list(range(4000 - len(kept), 4000))
    assert letters.dropped == 4000 - len(kept)
    assert letters.bytes == on_disk(tmp_path) > bound * 3 // 4


def test_a_letter_that_alone_is_over_the_bound_stops_under_either_policy(tmp_path: Path) -> None:
    letters = DeadLetters.open(tmp_path, 2000, "drop_oldest")
    letters.append([letter(1)])

    with pytest.raises(DeadLettersFull):
        letters.append([letter(2, event={"content": "x" * 3000})])

    assert starts(letters) == [1]


def on_disk(state_dir: Path) -> int:
    return sum(path.stat().st_size for path in segments(state_dir))


def test_letters_are_found_in_whichever_segment_they_are(tmp_path: Path) -> None:
    letters = filled(tmp_path)

    assert len(segments(tmp_path)) > 2
    for start in (0, 700, 1499):
        found = letters.show(f"3.1.{start}")
        assert found is not None
        assert found.start == start
    assert letters.show("3.1.1500") is None
    assert letters.append([letter(start) for start in range(1500)]) == 0


def filled(state_dir: Path) -> DeadLetters:
    """Letters 0 to 1499 in several segments, read again."""
    letters = opened(state_dir, max_bytes=1 << 20)
    for start in range(0, 1500, 50):
        letters.append([letter(start + step, source="even" if step % 2 == 0 else "odd") for step in range(50)])
    return opened(state_dir, max_bytes=1 << 20)


def test_the_newest_are_listed_first_and_by_source_and_reason(tmp_path: Path) -> None:
    letters = filled(tmp_path)
    letters.append([letter(2000, reason="too_large", source="odd")])

    assert [found.start for found in letters.list(3)] == [2000, 1499, 1498]
    assert [found.start for found in letters.list(2, source="even")] == [1498, 1496]
    assert [found.start for found in letters.list(2, reason="too_large")] == [2000]
    assert len(letters.list(10_000, source="odd", reason="rejected")) == 750


def test_dropped_letters_are_gone_after_a_restart_and_may_come_again(tmp_path: Path) -> None:
    letters = filled(tmp_path)
    gone = [f"3.1.{start}" for start in range(1450)]

    assert letters.drop([*gone, "9.9.9"]) == 1450

    assert starts(letters) == starts(opened(tmp_path)) == list(range(1450, 1500))
    assert letters.append([letter(0)]) == 1
    assert letters.drop(None) == 51
    assert segments(tmp_path) == []
    assert letters.append([letter(0)]) == 1


def test_replay_takes_the_oldest_that_have_an_event(tmp_path: Path) -> None:
    letters = filled(tmp_path)
    letters.drop(["3.1.0"])
    letters.append([letter(3000, reason=UNNAMED, event=None)])

    first = letters.take_for_replay(None, limit=2)
    rest = letters.take_for_replay(None, limit=10_000, skip={found.id for found in first})
    chosen = letters.take_for_replay(["3.1.9", "3.1.4", "3.1.3000u"])

    assert [found.start for found in first] == [1, 2]
    assert [found.start for found in rest] == list(range(3, 1500))
    assert [found.start for found in chosen] == [4, 9]
    assert letters.count == 1500


def test_a_full_disk_leaves_the_letters_before_and_a_file_that_goes_on(tmp_path: Path) -> None:
    letters = opened(tmp_path)
    letters.append([letter(1)])

    with files_no_larger_than(2000), pytest.raises(StateError):
        letters.append([letter(2, event={"content": "x" * 5000})])

    assert starts(letters) == [1]
    assert on_disk(tmp_path) == letters.bytes
    letters.append([letter(2), letter(3)])
    assert starts(opened(tmp_path)) == [1, 2, 3]
    assert len(segments(tmp_path)) == 1


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_segment_that_was_changed_by_hand_is_not_written_into(tmp_path: Path) -> None:
    letters = opened(tmp_path)
    letters.append([letter(1)])
    (segment,) = segments(tmp_path)
    segment.write_bytes(segment.read_bytes() + b"a note without an end")

    letters.append([letter(2)])

    assert [path.name for path in segments(tmp_path)] == ["000001.ndjson", "000002.ndjson"]
    assert starts(opened(tmp_path)) == [1, 2]


def test_a_path_that_is_no_unicode_is_written_in_a_readable_form(tmp_path: Path) -> None:
    opened(tmp_path).append([letter(1, path="/var/log/caf\udce9.log")])

    (found,) = opened(tmp_path).list()

    assert found.path == "/var/log/caf\\udce9.log"


@pytest.mark.parametrize("tail", [b"", b"\0" * 700, b"\0" * 7], ids=["cut", "zeros", "some_zeros"])
def test_a_letter_that_did_not_reach_the_disk_whole_is_written_again_once(tail: bytes, tmp_path: Path) -> None:
    """A power cut keeps any part of the last write, with zeros where the rest should be; what is before it is whole."""
    opened(tmp_path).append([letter(1), letter(2)])
    (segment,) = segments(tmp_path)
    before = segment.stat().st_size
    opened(tmp_path).append([letter(3), letter(4)])
    whole = segment.read_bytes()

    for cut in range(before, len(whole) - 1, 9):
        segment.write_bytes(whole[:cut] + tail)
        again = opened(tmp_path)
        again.append([letter(3), letter(4)])
        assert starts(opened(tmp_path)) == [1, 2, 3, 4]
        assert opened(tmp_path).damaged == 0
