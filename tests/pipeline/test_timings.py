"""A histogram of weighted times: what is below a bound is counted there, and shares are found again."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.timings import Timings


def test_a_time_at_a_bound_counts_below_it() -> None:
    timings = Timings([0.1, 1.0])
    for seconds, weight in ((0.1, 3), (0.11, 1), (1.0, 1), (5.0, 2)):
        timings.observe(seconds, weight)

    assert timings.cumulative() == [(0.1, 3), (1.0, 5), (inf, 7)]
    assert timings.count == 7
    assert timings.sum_seconds == pytest.approx(11.41)


def test_a_clock_that_was_set_back_took_no_time() -> None:
    timings = Timings([0.1])
    timings.observe(-3600.0)

    assert (timings.cumulative()[0], timings.sum_seconds) == ((0.1, 1), 0.0)


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.0, 0.0), (0.25, 0.05), (0.5, 0.1), (0.75, 0.55), (1.0, 1.0)], ids=str
)
def test_a_share_is_interpolated_within_its_bucket(share: float, seconds: float) -> None:
    timings = Timings([0.1, 1.0])
    timings.observe(0.05, 2)
    timings.observe(0.5, 2)

    assert timings.quantile(share) == pytest.approx(seconds)


def test_nothing_has_no_share_and_what_is_beyond_the_bounds_is_the_last() -> None:
    timings = Timings([0.1, 1.0])
    assert timings.quantile(0.5) is None

    timings.observe(99.0)

    assert timings.quantile(0.5) == 1.0


@given(st.lists(st.tuples(st.floats(0, 80_000.0), st.integers(1, 1000)), min_size=1), st.floats(0.01, 1.0))
def test_a_share_lies_between_the_bounds_that_enclose_it(times: list[tuple[float, int]], share: float) -> None:
    timings = Timings()
    for seconds, weight in times:
        timings.observe(seconds, weight)

    found = timings.quantile(share)

    assert found is not None
    upto = dict(timings.cumulative())
    rank = share * timings.count
    assert upto[min(bound for bound in timings.bounds if bound >= found)] >= rank
    assert all(upto[bound] < rank for bound in timings.bounds if bound < found)
