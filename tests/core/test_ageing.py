"""Events that grew too old on their way meet their source's policy; the others keep their bytes."""

from __future__ import annotations

import pytest

from shipper.core.ageing import age
from shipper.core.model import Event, Produced, Span
from shipper.core.rule import TooOld

NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z
LIMIT_MS = NOW_MS - 3_600_000


def produced(start: int, hour: int, **more: str) -> Produced:
    event: Event = {"content": "x", "timestamp": f"2026-11-23T{hour:02d}:00:00.000Z", **more}
    return Produced(Span(start, start + 10), event)


FRESH, EDGE, OLD = produced(0, 20), produced(10, 19), produced(20, 18)


@pytest.mark.parametrize("policy", TooOld)
def test_what_is_within_the_limit_is_left_as_it_is(policy: TooOld) -> None:
    aged = age([FRESH, EDGE], LIMIT_MS, NOW_MS, policy)

    assert aged.events == [FRESH, EDGE]
    assert (aged.dropped_records, aged.refused) == (0, [])


def test_restamp_keeps_the_events_own_time() -> None:
    (kept,) = age([OLD], LIMIT_MS, NOW_MS, TooOld.RESTAMP).events

    assert kept.span == OLD.span
    assert kept.event == {
        "content": "x",
        "timestamp": "2026-11-23T20:00:00.000Z",
        "log.original_timestamp": "2026-11-23T18:00:00.000Z",
    }


def test_restamped_twice_an_event_still_has_its_first_time() -> None:
    twice = produced(0, 18, **{"log.original_timestamp": "2026-11-20T00:00:00.000Z"})

    (kept,) = age([twice], LIMIT_MS, NOW_MS, TooOld.RESTAMP).events

    assert kept.event["log.original_timestamp"] == "2026-11-20T00:00:00.000Z"


def test_drop_counts_records_not_their_parts() -> None:
    aged = age([OLD, OLD, FRESH], LIMIT_MS, NOW_MS, TooOld.DROP)

    assert (aged.events, aged.dropped_records, aged.refused) == ([FRESH], 1, [])


def test_dead_letters_name_the_bytes() -> None:
    aged = age([OLD, FRESH], LIMIT_MS, NOW_MS, TooOld.DEAD_LETTER)

    assert aged.events == [FRESH]
    assert [(refused.span, refused.reason, refused.event) for refused in aged.refused] == [
        (OLD.span, "too_old", OLD.event)
    ]
