"""Limits a minute, and the bounded memory of refusals."""

from shipper.endpoint.limiter import PerMinute
from shipper.endpoint.refusals import MOST, Refusals


def test_a_burst_of_the_whole_limit_passes_then_waits() -> None:
    limit = PerMinute(3, now_ms=0)
    for _ in range(3):
        assert limit.wait_seconds(0) == 0
        limit.take(1)

    assert limit.wait_seconds(0) == 20
    assert limit.wait_seconds(19_000) == 1
    assert limit.wait_seconds(20_000) == 0


def test_a_request_over_the_limit_is_taken_and_paid_for_later() -> None:
    limit = PerMinute(100, now_ms=0)

    assert limit.wait_seconds(0) == 0
    limit.take(300)
    assert limit.wait_seconds(0) == 121
    assert limit.wait_seconds(121_000) == 0


def test_a_quiet_hour_saves_up_no_more_than_a_minute() -> None:
    limit = PerMinute(2, now_ms=0)

    assert limit.wait_seconds(3_600_000) == 0
    limit.take(2)
    assert limit.wait_seconds(3_600_000) > 0


def test_a_clock_set_back_gives_nothing_away() -> None:
    limit = PerMinute(1, now_ms=100_000)
    limit.take(1)

    assert limit.wait_seconds(10_000) == 60
    assert limit.wait_seconds(40_000) == 30


def test_like_refusals_are_counted_together_latest_first() -> None:
    refusals = Refusals()
    refusals.note("curl/8", 400, "invalid_json", 0, now_ms=1)
    refusals.note("app/1", 413, "body", 0, now_ms=2)
    refusals.note("curl/8", 400, "invalid_json", 5, now_ms=3)

    first, second = refusals.latest()
    assert (first.client, first.requests, first.events, first.first_ms, first.last_ms) == ("curl/8", 2, 5, 1, 3)
    assert second.client == "app/1"


def test_refusals_are_bounded_in_number_and_length() -> None:
    refusals = Refusals()
    for number in range(MOST + 50):
        refusals.note(f"{number:05d}" + "x" * 10_000, 400, "r", 0, now_ms=number)

    latest = refusals.latest()
    assert len(latest) == MOST
    assert latest[-1].client.startswith("00050")
    assert max(len(one.client) for one in latest) <= 200
