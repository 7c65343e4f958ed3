"""Bisection on stamps: nothing that is asked for lies outside of what it finds, and little else inside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shipper.core.timeline import Bracket, Sighting, bracket, found

# A log as (length of the record, what its time gains on the one before, whether it bears one).
RECORDS = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 50), st.booleans()), max_size=80)


def laid_out(records: list[tuple[int, int, bool]]) -> tuple[list[Sighting], int]:
    """Return where each record with a time stands, and how long the text is."""
    at = stamp = 0
    sightings = []
    for length, gain, timed in records:
        stamp += gain
        if timed:
            sightings.append(Sighting(at, stamp))
        at += length
    return sightings, at


@given(records=RECORDS, instant=st.integers(-10, 4100), near=st.sampled_from([1, 64, 1000]))
def test_what_is_older_begins_before_low_or_right_there_and_what_is_not_begins_at_high_or_behind(
    records: list[tuple[int, int, bool]], instant: int, near: int
) -> None:
    sightings, end = laid_out(records)
    looks: list[int] = []

    def look(offset: int) -> Sighting | None:
        looks.append(offset)
        return next((each for each in sightings if each.offset >= offset), None)

    low, high = found(bracket(0, end, instant, near_bytes=near), look)

    assert all(each.stamp_ms < instant for each in sightings if each.offset < low)
    assert all(each.stamp_ms >= instant for each in sightings if each.offset >= high)
    assert low == 0 or any(each.offset == low for each in sightings)
    assert high == end or any(each.offset == high for each in sightings)
    assert len(looks) <= end.bit_length() + len(records) + 1


def test_a_log_without_times_is_wanted_whole() -> None:
    assert found(bracket(0, 1 << 20, 5), lambda _: None) == Bracket(0, 1 << 20)


def test_two_gigabytes_take_some_fifteen_looks() -> None:
    looks: list[int] = []

    def look(offset: int) -> Sighting:
        looks.append(offset)
        return Sighting(offset, offset)

    low, high = found(bracket(0, 2 << 30, 1_234_567_890), look)

    assert low <= 1_234_567_890 <= high
    assert high - low <= 65_536
    assert len(looks) == 15
