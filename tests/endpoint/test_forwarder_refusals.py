"""What the tenant refuses for good is found in a bounded number of requests and counted; the rest arrives in order."""

from __future__ import annotations

import pytest
from aiohttp import web

from shipper.endpoint.forwarder import Pace
from tests.endpoint.forwarded_events import events, numbers, refusing
from tests.endpoint.tenant_double import PACE, Clock, MemoryBacklog, TenantDouble, error, forward, in_turn, taken


def test_too_large_is_halved_until_it_fits() -> None:
    outcome = forward(events(100), lambda sent, n: error(413, "large") if len(sent) > 30 else taken(sent, n))

    assert outcome.tenant.kept == events(100)
    assert outcome.stats["events_forwarded"] == 100
    assert [len(got.events) for got in outcome.tenant.got] == [100, 50, 25, 25, 50, 25, 25]


def test_one_event_too_large_by_itself_is_counted_and_the_rest_goes_on() -> None:
    outcome = forward(events(20), refusing(3, status=413))

    assert numbers(outcome.tenant.kept) == [n for n in range(20) if n != 3]
    assert (outcome.stats["events_too_large"], outcome.stats["events_forwarded"]) == (1, 19)


@pytest.mark.parametrize(
    "bad", [[0], [99], [0, 1, 2, 3], [40, 41, 77], [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]], ids=str
)
def test_bad_events_are_found_and_the_rest_arrives_in_order(bad: list[int]) -> None:
    outcome = forward(events(100), refusing(*bad))

    assert numbers(outcome.tenant.kept) == [n for n in range(100) if n not in bad]
    assert outcome.stats["events_refused"] == len(bad)
    assert outcome.stats["events_forwarded"] == 100 - len(bad)
    assert "event " not in repr(outcome.said).replace("event=", "")


def test_the_search_for_bad_events_pauses_every_64_requests() -> None:
    outcome = forward(events(100), refusing(*range(0, 100, 5)))

    assert numbers(outcome.tenant.kept) == [n for n in range(100) if n % 5]
    assert outcome.clock.waits == [1.0] * (len(outcome.tenant.got) // 64)
    assert len(outcome.clock.waits) >= 1


def test_a_tenant_that_refuses_every_event_makes_none_of_them_bad() -> None:
    outcome = forward(events(8), lambda sent, n: error(400, "no index"), until_waits=2)

    assert outcome.backlog.position == 0
    assert outcome.stats["events_refused"] == 0
    assert outcome.stats["trouble"] == "every event refused: no index"
    assert outcome.clock.waits == [60.0, 60.0]
    assert len(outcome.said) == 1


def test_events_are_known_to_be_bad_once_a_later_one_passes() -> None:
    def add_a_good_one(backlog: MemoryBacklog, tenant: TenantDouble, clock: Clock, number: int) -> None:
        del tenant, clock
        if number == 1:
            backlog.events.append(MemoryBacklog(events(1, start=50)).events[0])

    old = events(2, start=90, age_s=100_000)
    outcome = forward(old + events(4), refusing(0, 1, 2, 3), on_wait=add_a_good_one)

    assert numbers(outcome.tenant.kept) == [50]
    assert (outcome.stats["events_refused"], outcome.stats["events_forwarded"]) == (4, 1)
    assert outcome.stats["events_too_old"] == 2


def test_one_bad_event_alone_does_not_block_those_after_it() -> None:
    outcome = forward(events(3), refusing(0), pace=Pace(idle_seconds=PACE.idle_seconds, max_events=1))

    assert numbers(outcome.tenant.kept) == [1, 2]
    assert (outcome.stats["events_refused"], outcome.clock.waits) == (1, [])


def test_bad_events_with_good_ones_between_them_are_no_suspicion() -> None:
    one_each = Pace(idle_seconds=PACE.idle_seconds, max_events=1)

    outcome = forward(events(9), refusing(0, 2, 4, 6, 8), pace=one_each)

    assert numbers(outcome.tenant.kept) == [1, 3, 5, 7]
    assert (outcome.stats["events_refused"], outcome.clock.waits) == (5, [])


def test_events_that_are_too_old_are_not_sent_but_counted() -> None:
    old, young = events(3, age_s=86_400 - 59), events(2, start=3, age_s=86_400 - 61)

    outcome = forward(old + young)

    assert outcome.tenant.kept == young
    assert (outcome.stats["events_too_old"], outcome.stats["events_forwarded"]) == (3, 2)


def test_events_that_grow_too_old_while_they_wait_are_counted_once() -> None:
    soon_old = events(2, age_s=86_400 - 60 - 90) + events(1, start=2)

    outcome = forward(soon_old, in_turn(*[error(403, "no") for _ in range(3)]))

    assert numbers(outcome.tenant.kept) == [2]
    assert (outcome.stats["events_too_old"], outcome.stats["events_forwarded"]) == (2, 1)


def test_an_event_that_the_tenant_finds_too_old_is_counted_as_such() -> None:
    outcome = forward(events(9), refusing(4, message="One or all logs are out of correct time range."))

    assert (outcome.stats["events_too_old"], outcome.stats["events_refused"]) == (1, 0)
    assert outcome.stats["events_forwarded"] == 8


TIME = "events were not ingested because of timestamp out of correct time range"
OTHER = "events were not ingested because of invalid JSON format"


@pytest.mark.parametrize(("body", "too_old", "refused"), [
    ({"details": {"code": 200, "message": f"2 {TIME}"}}, 2, 0),
    ({"success": {"code": 200, "message": f"3 {TIME}."}}, 3, 0),
    ({"details": {"code": 200, "message": f"1 {OTHER}"}}, 0, 1),
    ({"details": {"code": 200, "message": "Event(s) have attributes that are too nested for records: 1, 2"}}, 0, 0),
    ({"details": {"code": 200, "message": f"1 {TIME}; 1 {OTHER}", "rejected": [1, 2]}}, 1, 1),
    ({"details": {"code": 200, "message": f"99 {OTHER}"}}, 0, 10),
    ({}, 0, 0),
    ("<html>", 0, 0),
])  # fmt: skip
def test_a_partial_answer_is_not_sent_again_and_its_counts_are_kept(body: object, too_old: int, refused: int) -> None:
    outcome = forward(events(10), in_turn(web.json_response(body)))

    assert len(outcome.tenant.got) == 1
    assert (outcome.stats["events_too_old"], outcome.stats["events_refused"]) == (too_old, refused)
    assert outcome.stats["events_forwarded"] == 10 - too_old - refused
