"""A refused batch is taken apart down to its bad events, within bounds, and an endpoint that refuses all is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import integers, sets

from shipper.core.bisection import BUDGET, Bisection, Outcome, Range


def ask(bisection: Bisection, bad: set[int]) -> list[Range]:
    """Play an endpoint that refuses every range with one of *bad* in it; return what it was sent."""
    sent: list[Range] = []
    while (part := bisection.next()) is not None:
        sent.append(part)
        bisection.report(Outcome.FAILED if bad & set(range(*part)) else Outcome.PASSED)
    return sent


def events(bisection: Bisection) -> list[int]:
    """Return every event by where it ended up, each as often as it is there."""
    ranges = bisection.passed + bisection.rest()
    return sorted([event for part in ranges for event in range(*part)] + bisection.failed)


@given(size=integers(1, 5000), seeds=sets(integers(0, 1 << 30), min_size=1, max_size=3), known_bad=integers(0, 1))
def test_exactly_the_bad_events_are_found_with_few_requests(size: int, seeds: set[int], known_bad: int) -> None:
    bad = {seed % size for seed in seeds}
    bisection = Bisection([Range(0, size)], known_bad=bool(known_bad))

    sent = ask(bisection, bad)

    assert events(bisection) == list(range(size))
    if not bisection.refuses_everything:
        assert set(bisection.failed) == bad
        assert bisection.rest() == []
    assert len(sent) == bisection.requests <= BUDGET


@given(size=integers(1, 300), seeds=sets(integers(0, 1 << 30), max_size=40), budget=integers(1, 80))
def test_no_event_is_forgotten_or_settled_twice_whatever_the_budget(size: int, seeds: set[int], budget: int) -> None:
    bad = {seed % size for seed in seeds}
    bisection = Bisection([Range(0, size)], known_bad=False, budget=budget)

    ask(bisection, bad)

    assert events(bisection) == list(range(size))
    assert set(bisection.failed) <= bad
    assert bisection.requests <= budget


@given(size=integers(4, 1000), seeds=sets(integers(0, 1 << 30), min_size=1, max_size=30), good=integers(0, 1 << 30))
def test_every_bad_event_is_found_in_the_end_where_one_event_in_the_batch_is_good_and_the_last(
    size: int, seeds: set[int], good: int
) -> None:
    bad = {seed % size for seed in seeds} - {size - 1}
    ranges, failed = [Range(0, size)], set[int]()
    while ranges:
        bisection = Bisection(ranges, known_bad=False)
        ask(bisection, bad)
        assert not bisection.refuses_everything
        failed |= set(bisection.failed)
        ranges = bisection.rest()

    assert failed == bad


@given(size=integers(3, 5000))
def test_an_endpoint_that_refuses_everything_is_known(size: int) -> None:
    bisection = Bisection([Range(0, size)], known_bad=True)

    sent = ask(bisection, set(range(size)))

    assert bisection.refuses_everything
    assert bisection.passed == []
    assert len(sent) <= 16


@pytest.mark.parametrize("size", [1, 2])
def test_one_or_two_bad_events_are_no_proof_against_the_endpoint(size: int) -> None:
    bisection = Bisection([Range(0, size)], known_bad=True)

    ask(bisection, set(range(size)))

    assert not bisection.refuses_everything
    assert bisection.failed == list(range(size))


def test_three_bad_events_at_the_head_of_a_batch_are_the_events() -> None:
    """The last event is asked as a witness, and passes."""
    bisection = Bisection([Range(0, 1000)], known_bad=True)

    sent = ask(bisection, {0, 1, 2})

    assert bisection.failed == [0, 1, 2]
    assert not bisection.refuses_everything
    assert Range(999, 1000) in sent
    assert bisection.rest() == []


def test_what_is_known_to_be_bad_is_not_asked_as_a_whole() -> None:
    bisection = Bisection([Range(0, 8)], known_bad=True)

    assert ask(bisection, {7}) == [Range(0, 4), Range(4, 6), Range(6, 7), Range(7, 8)]


def test_by_size_the_other_half_is_asked_as_a_whole() -> None:
    bisection = Bisection([Range(0, 8)], known_bad=True, by_size=True)

    sent: list[Range] = []
    while (part := bisection.next()) is not None:
        sent.append(part)
        bisection.report(Outcome.FAILED if part.high - part.low > 4 else Outcome.PASSED)

    assert sent == [Range(0, 4), Range(4, 8)]


def test_several_ranges_are_asked_in_order() -> None:
    bisection = Bisection([Range(0, 2), Range(2, 4), Range(4, 5)], known_bad=False)

    assert ask(bisection, set()) == [Range(0, 2), Range(2, 4), Range(4, 5)]


def test_an_answer_that_nobody_waits_for_is_an_error() -> None:
    bisection = Bisection([Range(0, 2)], known_bad=False)

    with pytest.raises(ValueError, match="on its way"):
        bisection.report(Outcome.PASSED)


@given(size=integers(1, 300), refusals=integers(0, 70))
def test_an_endpoint_that_recovers_on_the_way_condemns_no_event(size: int, refusals: int) -> None:
    """What was refused while nothing had passed is asked again once something has."""
    bisection = Bisection([Range(0, size)], known_bad=True)
    asked = 0

    while bisection.next() is not None:
        asked += 1
        bisection.report(Outcome.FAILED if asked <= refusals else Outcome.PASSED)

    assert bisection.failed == [] or bisection.refuses_everything or not bisection.passed
