"""JSON objects whose time and level have names of their own: found by what they hold and what they are called."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from shipper.core.detect import choose, rule_of
from shipper.core.model import AttributeValue
from shipper.core.rule import RecordFormat, Rule, SeverityRule, StampRule
from tests.core.reading import events_of, read_text

NEAR_MS = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp() * 1000)
DAY = "2026-11-23T19:30:0"
SECOND = 1_795_462_200

JSON = Rule("app", "json", RecordFormat.JSON, rank=3)
PROGRAM = Rule(
    "app", "prog", RecordFormat.JSON, sign='"level"', stamp=StampRule("timestamp"), severity=SeverityRule("level")
)
CANDIDATES = (PROGRAM, JSON, Rule("app", "raw", RecordFormat.RAW))


def read(objects: list[dict[str, object]]) -> tuple[str, list[tuple[AttributeValue, AttributeValue]]]:
    """Return the layout that is chosen for *objects*, and the time and the severity of each; None for no time."""
    text = "".join(json.dumps(one) + "\n" for one in objects)
    choice = choose(CANDIDATES, text, NEAR_MS)
    saved = rule_of(choice.layout, CANDIDATES)
    assert saved is not None
    events = events_of(read_text(choice.rule, text))
    assert events_of(read_text(saved, text)) == events
    times = [None if "log.timestamp_source" in event else event["timestamp"] for event in events]
    return choice.layout.partition("{")[0], list(zip(times, [event["severity"] for event in events], strict=True))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda n: {"asctime": f"{DAY}{n}Z", "levelname": "WARNING"}, id="python"),
        pytest.param(lambda n: {"timeUnixNano": f"{SECOND + n}000000000", "severityText": "WARN"}, id="otlp"),
        pytest.param(lambda n: {"instant": {"epochSecond": SECOND + n}, "level": "WARN", "end": 1}, id="log4j2"),
        pytest.param(lambda n: {"jsonPayload": {"sev": "w"}, "eventTime": {"seconds": SECOND + n}}, id="nested"),
        pytest.param(lambda n: {"when": f"23/Nov/2026:19:30:0{n} +0000", "kind": "warning", "lvl": "WARN"}, id="words"),
        pytest.param(lambda n: {"expiresAt": "2026-11-23T19:00:00Z", "at": f"{DAY}{n}Z", "prio": "warn"}, id="expires"),
        pytest.param(lambda n: {"x": f"{DAY}{n}Z", "timestamps": 1, "level": "warn"}, id="a_time_of_any_name"),
        pytest.param(lambda n: {"@timestamp": f"{DAY}{n}Z", "log": {"level": "warn"}, "timestamp": None}, id="ecs"),
    ],
)  # fmt: skip
def test_the_time_and_the_level_are_found_under_other_names(make) -> None:  # type: ignore[no-untyped-def]  # a table's
    layout, found = read([make(n) for n in range(6)])

    assert layout == "json"
    assert found == [(f"2026-11-23T19:30:0{n}.000Z", "warn") for n in range(6)]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda n: {"expires_at": f"{DAY}{n}Z", "state": "failed"}, id="a_time_that_dates_nothing"),
        pytest.param(lambda n: {"order": SECOND + n, "result": ["success", "failed"][n % 2]}, id="numbers_and_results"),
        pytest.param(lambda n: {"created": f"{DAY}{9 - n}Z", "type": "error"}, id="out_of_order_and_one_word"),
        pytest.param(lambda n: {"time_taken": n, "priority": n, "levels": "high"}, id="names_alone"),
    ],
)  # fmt: skip
def test_what_dates_and_ranks_no_record_is_not_taken(make) -> None:  # type: ignore[no-untyped-def]  # a table's
    layout, found = read([make(n) for n in range(6)])

    assert layout == "json"
    assert found == [(None, "none")] * 6


def test_a_program_that_names_the_key_of_its_time_does_not_take_records_without_it() -> None:
    layout, found = read([{"level": "warn", "time": f"{DAY}{n}Z"} for n in range(6)])

    assert (layout, found[5]) == ("json", ("2026-11-23T19:30:05.000Z", "warn"))
