"""Waits double up to a limit; a random share of each is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from shipper.core.backoff import Backoff


def test_waits_double_up_to_the_limit_and_begin_anew_after_success() -> None:
    backoff = Backoff(1.0, 60.0)

    assert [backoff.next_seconds() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.attempts == 8
    backoff.reset()
    assert backoff.next_seconds() == 1


def test_an_outage_of_any_length_is_no_overflow() -> None:
    backoff = Backoff(0.05, 60.0)
    backoff.attempts = 1_000_000

    assert backoff.next_seconds() == 60.0


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 0.0), (0.25, 0.5), (1.0, 2.0)])
def test_full_jitter_takes_a_share_of_the_wait(jitter: float, expected: float) -> None:
    backoff = Backoff(2.0, 60.0)

    assert backoff.next_seconds(jitter) == expected


@given(attempts=integers(0, 10_000), jitter=floats(0, 1))
def test_no_wait_is_negative_or_over_the_limit(attempts: int, jitter: float) -> None:
    backoff = Backoff(1.0, 60.0)
    backoff.attempts = attempts

    assert 0.0 <= backoff.next_seconds(jitter) <= 60.0
