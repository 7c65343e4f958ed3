"""Fair by bytes: nobody starves, whatever others have to read; what expires first goes first among backlogs."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis.strategies import booleans, integers, lists, sampled_from

from shipper.core.priority import EXPIRED, LIVE, LIVE_BYTES, Hurry, Rank, Standing, rank_of
from shipper.core.shares import Ring, Shares

QUANTUM = 256
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 100 * DAY_MS


def behind(deadline_ms: int) -> Rank:
    return Rank(Hurry.BEHIND, deadline_ms, deadline_ms - 3 * HOUR_MS)


def deal(shares: Shares[str], turns: list[int], now_ms: int = NOW_MS) -> Counter[str]:
    """Give turns of so many bytes, one after the other, to whoever is next."""
    read = Counter[str]()
    for amount in turns:
        dealt = shares.next(now_ms)
        assert dealt is not None
        key, hand = dealt
        read[key] += amount
        shares.charge(key, hand, amount)
    return read


@given(turns=lists(integers(1, 4 * QUANTUM), min_size=1, max_size=400), keys=integers(2, 12))
def test_keys_of_a_ring_that_stay_are_given_the_same_bytes_whatever_a_turn_takes(turns: list[int], keys: int) -> None:
    """Deficit round robin's law: they differ by a quantum and the largest turn of each, never by more."""
    ring = Ring[int](QUANTUM)
    for key in range(keys):
        ring.add(key)
    read = Counter[int]()

    for amount in turns:
        key = ring.head()
        read[key] += amount
        ring.charge(key, amount)

        assert max(read.values()) - min(read[key] for key in range(keys)) <= QUANTUM + 2 * max(turns)


@given(
    coming=lists(booleans(), min_size=1, max_size=300),
    turns=lists(integers(1, 2 * QUANTUM), min_size=300, max_size=300),
)
def test_a_file_that_comes_and_goes_takes_nothing_from_one_that_stays(coming: list[bool], turns: list[int]) -> None:
    """A busy file is at its end after each turn and asks again at once: it is one of two, and no more."""
    shares = Shares[str](QUANTUM)
    shares.want("steady", LIVE)
    read = Counter[str]()

    for comes, amount in zip(coming, turns, strict=False):
        if comes:
            shares.want("busy", LIVE)
        dealt = shares.next(NOW_MS)
        assert dealt is not None
        read[dealt[0]] += amount
        shares.charge(*dealt, amount)
        if dealt[0] == "busy":
            shares.leave("busy")

        assert read["busy"] <= read["steady"] + QUANTUM + 2 * max(turns)


RANKS = sampled_from([LIVE, EXPIRED, behind(NOW_MS + HOUR_MS), behind(NOW_MS + 9 * HOUR_MS), behind(NOW_MS - 1)])


@settings(max_examples=60)
@given(
    ranks=lists(RANKS, min_size=1, max_size=8),
    asked=RANKS,
    turns=lists(integers(1, QUANTUM), min_size=50, max_size=50),
)
def test_whoever_wants_a_turn_gets_one_within_a_bounded_number_of_bytes(
    ranks: list[Rank], asked: Rank, turns: list[int]
) -> None:
    """Whatever the others are, and however long they have been at it."""
    shares = Shares[str](QUANTUM)
    for number, rank in enumerate(ranks):
        shares.want(f"other-{number}", rank)
    deal(shares, turns)
    shares.want("asked", asked)

    passed = 0
    while (dealt := shares.next(NOW_MS)) is not None and dealt[0] != "asked":
        passed += QUANTUM
        shares.charge(*dealt, QUANTUM)
        assert passed <= 20 * QUANTUM * (len(ranks) + 2)


@given(ranks=lists(RANKS, min_size=1, max_size=30), leaving=lists(integers(0, 29), max_size=40))
def test_only_those_who_want_a_turn_are_dealt_one(ranks: list[Rank], leaving: list[int]) -> None:
    shares = Shares[int](QUANTUM)
    for number, rank in enumerate(ranks):
        shares.want(number % 10, rank)
    there = {number % 10 for number in range(len(ranks))}
    for number in leaving:
        dealt = shares.next(NOW_MS)
        assert (dealt is None) == (not there)
        if dealt is not None:
            assert dealt[0] in there
            shares.charge(*dealt, QUANTUM)
        shares.leave(number)
        there.discard(number)

    assert len(shares) == len(there)


def test_live_lines_have_the_larger_share_and_backlogs_are_not_starved() -> None:
    shares = Shares[str](QUANTUM)
    shares.want("live", LIVE)
    shares.want("behind", behind(NOW_MS + 20 * HOUR_MS))

    read = deal(shares, [QUANTUM] * 1000)

    assert 0.55 < read["live"] / read.total() < 0.65


def test_whoever_comes_late_has_no_claim_on_the_time_before() -> None:
    """Else a backlog that appears after a quiet day would have every turn for hours."""
    shares = Shares[str](QUANTUM)
    shares.want("live", LIVE)
    deal(shares, [QUANTUM] * 1000)
    shares.want("behind", behind(NOW_MS + 20 * HOUR_MS))

    read = deal(shares, [QUANTUM] * 100)

    assert 0.5 < read["live"] / read.total() < 0.7


def test_a_backlog_that_is_about_to_expire_has_the_larger_share() -> None:
    shares = Shares[str](QUANTUM)
    shares.want("live", LIVE)
    shares.want("behind", behind(NOW_MS + HOUR_MS))

    read = deal(shares, [QUANTUM] * 1000)

    assert 0.65 < read["behind"] / read.total() < 0.75


def test_of_backlogs_the_one_that_expires_first_goes_first_and_a_hopeless_one_does_not_stop_the_others() -> None:
    shares = Shares[str](QUANTUM)
    for hours, name in ((9, "later"), (1, "first"), (5, "between")):
        shares.want(name, behind(NOW_MS + hours * HOUR_MS))
    shares.want("expired", EXPIRED)

    read = deal(shares, [QUANTUM] * 1000)

    assert read["first"] > 0.8 * read.total()
    assert min(read["later"], read["between"], read["expired"]) > 0.02 * read.total()


def test_a_deadline_that_passes_while_it_waits_is_of_no_account_any_more() -> None:
    shares = Shares[str](QUANTUM)
    shares.want("lost", behind(NOW_MS + 1))
    shares.want("saved", behind(NOW_MS + HOUR_MS))

    read = deal(shares, [QUANTUM] * 100, now_ms=NOW_MS + 2)

    assert read["saved"] > read["lost"]


def test_a_rank_that_changes_takes_effect_with_the_next_turn() -> None:
    shares = Shares[str](QUANTUM)
    shares.want("a", behind(NOW_MS + HOUR_MS))
    shares.want("b", behind(NOW_MS + 2 * HOUR_MS))
    deal(shares, [QUANTUM] * 20)
    shares.want("a", behind(NOW_MS + 3 * HOUR_MS))

    read = deal(shares, [QUANTUM] * 100)

    assert read["b"] > 0.8 * read.total()


@pytest.mark.parametrize(
    ("age_hours", "unread", "expected"),
    [
        pytest.param(None, 1 << 40, Hurry.LIVE, id="lines_without_a_stamp_never_expire"),
        pytest.param(0.01, 1 << 40, Hurry.LIVE, id="reading_what_was_just_written"),
        pytest.param(30, LIVE_BYTES, Hurry.LIVE, id="a_few_turns_from_its_end"),
        pytest.param(2, LIVE_BYTES + 1, Hurry.BEHIND, id="behind"),
        pytest.param(23.9, LIVE_BYTES + 1, Hurry.BEHIND, id="nearly_too_late"),
        pytest.param(24, LIVE_BYTES + 1, Hurry.EXPIRED, id="too_late"),
    ],
)
def test_a_lineage_ranks_by_the_age_of_its_next_line_and_by_what_is_unread(
    age_hours: float | None, unread: int, expected: Hurry
) -> None:
    oldest = None if age_hours is None else NOW_MS - int(age_hours * HOUR_MS)

    rank = rank_of(Standing(oldest, unread, DAY_MS), NOW_MS)

    assert rank.hurry is expected
    assert rank.deadline_ms == (oldest + DAY_MS if expected is Hurry.BEHIND and oldest is not None else 0)
