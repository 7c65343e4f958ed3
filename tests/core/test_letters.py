"""A letter's name comes from its bytes, and its event can be sent later."""

from __future__ import annotations

import pytest

from shipper.core.letters import UNNAMED, for_replay, letter_id
from shipper.core.model import Event

NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z
OLDEST_MS = NOW_MS - 86_340_000


@pytest.mark.parametrize(
    ("part", "reason", "expected"),
    [(0, "rejected", "12.0.88213"), (2, "too_large", "12.0.88213.2"), (0, UNNAMED, "12.0.88213u")],
)
def test_a_letter_is_named_by_its_key(part: int, reason: str, expected: str) -> None:
    assert letter_id(12, 0, 88213, part, reason) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(
            {"timestamp": "2026-11-20T09:00:00.123Z", "content": "x"},
            {
                "log.original_timestamp": "2026-11-20T09:00:00.123Z",
                "timestamp": "2026-11-23T20:00:00.000Z",
                "content": "x",
            },
            id="too_old",
        ),
        pytest.param(
            {"timestamp": "2026-11-20T09:00:00.000Z", "log.original_timestamp": "2026-11-01T00:00:00.000Z"},
            {"timestamp": "2026-11-23T20:00:00.000Z", "log.original_timestamp": "2026-11-01T00:00:00.000Z"},
            id="stamped_anew_once_before",
        ),
        pytest.param({"timestamp": "2026-11-23T19:00:00.000Z"}, {"timestamp": "2026-11-23T19:00:00.000Z"}, id="fresh"),
        pytest.param({"timestamp": "yesterday"}, {"timestamp": "yesterday"}, id="no_stamp"),
        pytest.param({"timestamp": "2026-11-01T00:00"}, {"timestamp": "2026-11-01T00:00"}, id="no_zone"),
        pytest.param({"content": "x"}, {"content": "x"}, id="none"),
    ],
)
def test_an_event_that_became_too_old_is_stamped_anew_and_keeps_its_own_stamp(event: Event, expected: Event) -> None:
    assert for_replay(event, NOW_MS, OLDEST_MS) == expected
