"""What will be lost if nothing changes: named in time, and not named where it will be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import builds, floats, integers, lists

from shipper.core.forecast import (
    Backlog,
    Deletion,
    Passing,
    Sibling,
    deletions,
    passing,
    period_ms,
    size_text,
    time_text,
)

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NOW_MS = 100 * DAY_MS
MB = 1_000_000


def rotated(*unread: int, every_ms: int = 10 * MINUTE_MS, last_ms: int = NOW_MS - 3 * MINUTE_MS) -> list[Sibling]:
    """Return app.log.N to app.log.1, the oldest first."""
    count = len(unread)
    return [
        Sibling(f"app.log.{count - n}", last_ms - (count - 1 - n) * every_ms, bytes_) for n, bytes_ in enumerate(unread)
    ]


def test_the_oldest_rotated_file_goes_with_the_next_rotation_and_the_one_before_it_with_the_one_after() -> None:
    found = deletions(rotated(180 * MB, 200 * MB, 0, 0, 0), 5, 0.0, NOW_MS)

    assert found == [
        Deletion("app.log.5", 7 * 60, 180 * MB),
        Deletion("app.log.4", 17 * 60, 200 * MB),
    ]


def test_a_rotation_that_has_room_for_more_files_deletes_later() -> None:
    found = deletions(rotated(180 * MB, 0), 5, 0.0, NOW_MS)

    assert found == [Deletion("app.log.2", 37 * 60, 180 * MB)]


def test_what_will_be_read_in_time_is_not_named() -> None:
    """180 MB in 420 s are 0.43 MB a second; the second file needs both to be read: 380 MB in 1020 s."""
    siblings = rotated(180 * MB, 200 * MB, 0, 0, 0)

    assert deletions(siblings, 5, 0.45 * MB, NOW_MS) == []
    assert [one.path for one in deletions(siblings, 5, 0.40 * MB, NOW_MS)] == ["app.log.5"]
    assert [one.path for one in deletions(siblings, 5, 0.36 * MB, NOW_MS)] == ["app.log.5", "app.log.4"]


def test_a_rotation_that_is_overdue_deletes_at_once() -> None:
    assert deletions(rotated(MB, 0, last_ms=NOW_MS - HOUR_MS), 2, 0.0, NOW_MS)[0].in_seconds == 0


@pytest.mark.parametrize(
    ("instants", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([5], None, id="one"),
        pytest.param([5, 5, 5], None, id="met_at_the_same_time"),
        pytest.param([0, 10, 20, 31], 10, id="regular"),
        pytest.param([0, 10, 20, 500, 510], 10, id="one_long_pause"),
        pytest.param([*range(0, 1000, 100), 910, 920, 930, 940, 950, 960, 970], 10, id="only_the_last_ones_count"),
    ],
)
def test_the_rhythm_is_the_usual_time_between_rotations(instants: list[int], expected: float | None) -> None:
    assert period_ms(instants) == expected


def test_without_a_rhythm_nothing_is_foretold() -> None:
    assert deletions(rotated(MB), 1, 0.0, NOW_MS) == []


def backlog(from_hours: float, until_hours: float, unread: int) -> Backlog:
    """Return a backlog from so many hours ago until so many hours ago."""
    return Backlog(NOW_MS - int(from_hours * HOUR_MS), NOW_MS - int(until_hours * HOUR_MS), unread, DAY_MS)


def test_what_is_read_in_time_does_not_pass_the_window() -> None:
    """Written in 10 hours and all due within 24: half the rate at which it was written is more than enough."""
    assert passing([backlog(10, 0, 3600 * MB)], 3600 * MB / (20 * 3600), NOW_MS) is None


def test_an_endpoint_that_takes_nothing_lets_everything_pass_when_its_time_comes() -> None:
    found = passing([backlog(20, 2, 1200 * MB)], 0.0, NOW_MS)

    assert found is not None
    assert found.unread_bytes == 1200 * MB
    assert found.in_seconds == pytest.approx(4 * 3600, abs=10)


def test_as_much_passes_as_reading_is_behind_at_the_worst_deadline() -> None:
    """Due within 4 to 6 hours: 1000 MB. Read until then: 600 MB. The second backlog, due tomorrow, loses nothing."""
    found = passing([backlog(20, 18, 1000 * MB), backlog(1, 0, 200 * MB)], 600 * MB / (6 * 3600), NOW_MS)

    assert found is not None
    assert found.unread_bytes == pytest.approx(400 * MB, rel=0.01)


def test_what_has_expired_already_is_not_foretold() -> None:
    assert passing([backlog(30, 25, MB)], 0.0, NOW_MS) is None
    found = passing([backlog(28, 20, 800 * MB)], 0.0, NOW_MS)
    assert found is not None
    assert found.unread_bytes == 400 * MB


BACKLOGS = lists(builds(backlog, floats(0.1, 23), floats(0, 0.1), integers(0, 10**10)), max_size=6)


@given(backlogs=BACKLOGS, slow=floats(0, 10**6), more=floats(0, 10**6))
def test_reading_faster_never_loses_more(backlogs: list[Backlog], slow: float, more: float) -> None:
    def lost(found: Passing | None) -> int:
        return found.unread_bytes if found else 0

    at_slow = lost(passing(backlogs, slow, NOW_MS))

    assert lost(passing(backlogs, slow + more, NOW_MS)) <= at_slow + 1
    assert at_slow <= sum(one.unread_bytes for one in backlogs) + 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (180_000_000, "180 MB"),
        (1_234_000_000, "1.2 GB"),
        (10**13, "10 TB"),
    ],
)
def test_sizes_read_as_people_say_them(count: int, expected: str) -> None:
    assert size_text(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (40, "40 s"), (420, "7 min"), (5 * 3600, "5 h"), (47 * 3600, "47 h"), (72 * 3600, "3 days")],
)
def test_times_read_as_people_say_them(seconds: float, expected: str) -> None:
    assert time_text(seconds) == expected
