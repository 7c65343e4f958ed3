"""How fast counts grow, over the last seconds and the last minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.rates import Rates

A_MINUTE = [(2.0 * turn, {"a": (100 * turn, 5_000 * turn)}) for turn in range(31)]


@pytest.mark.parametrize(
    ("seconds", "at", "counts", "rate"),
    [
        pytest.param(10.0, 60.0, (3_000, 150_000), (50.0, 2500.0), id="steady"),
        pytest.param(10.0, 62.0, (3_000, 150_000), (40.0, 2000.0), id="slower_lately"),
        pytest.param(60.0, 62.0, (3_000, 150_000), (48.333, 2416.667), id="over_a_minute_less_so"),
        pytest.param(10.0, 60.0, (2_500, 125_000), (0.0, 0.0), id="quiet_for_ten_seconds"),
        pytest.param(60.0, 60.0, (3_000, 150_000), (50.0, 2500.0), id="since_the_first_sample"),
        pytest.param(10.0, 60.0, (0, 0), (0.0, 0.0), id="what_shrinks_does_not_run_backwards"),
    ],
)
def test_a_rate_is_what_came_since_then(
    seconds: float, at: float, counts: tuple[int, int], rate: tuple[float, float]
) -> None:
    rates = Rates()
    for instant, sample in A_MINUTE:
        rates.sample(instant, sample)

    assert rates.over(seconds, at, "a", counts) == pytest.approx(rate, rel=1e-3)


def test_nothing_is_known_before_the_first_sample() -> None:
    assert Rates().over(10.0, 5.0, "a", (7, 7)) == (0.0, 0.0)


def test_a_source_that_was_not_there_began_at_nothing() -> None:
    rates = Rates()
    rates.sample(0.0, {"a": (10,)})

    assert rates.over(10.0, 5.0, "b", (20,)) == (4.0,)


def test_steps_are_the_growth_between_samples_oldest_first() -> None:
    rates = Rates()
    for at, count in ((0.0, 0), (2.0, 10), (4.0, 10), (6.0, 50)):
        rates.sample(at, {"a": (count,)})

    assert rates.steps("a", 0) == [5.0, 0.0, 20.0]
    assert rates.steps("b", 0) == []


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=100))
def test_a_rate_over_all_samples_is_the_growth_by_the_time(growth: list[int]) -> None:
    rates, total = Rates(), 0
    for turn, more in enumerate(growth):
        total += more
        rates.sample(2.0 * turn, {"a": (total,)})
    kept = growth[-31:]

    rate = rates.over(1e9, 2.0 * (len(growth) - 1), "a", (total,))

    assert rate == pytest.approx((sum(kept[1:]) / (2.0 * (len(kept) - 1)),))
