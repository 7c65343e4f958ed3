"""One record's event on the wire: its names, its time, what is said of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.event import record_id
from shipper.core.model import Carry, Event, FileFacts, FileKey
from shipper.core.rule import EventLimits, RecordFormat, Rule, SeverityRule, StampRule, TooOld
from tests.core.reading import FACTS, NOW_MS, events_of, read_text

PATTERN = r"^(?P<timestamp>\S+) (?P<severity>\S+) "
RULE = Rule("shop", "x", RecordFormat.PATTERN, (PATTERN,), attributes={"host.name": "h", "dt.ingest.origin": "shipper"})
BASE = {
    "log.source": "shop", "log.file.path": "/var/log/shop/a.log", "log.file.name": "a.log", "host.name": "h",
    "dt.ingest.origin": "shipper",
}  # fmt: skip
OLD = "2026-11-20T00:00:00.000Z"


def rule(**changed: object) -> Rule:
    return Rule(**({name: getattr(RULE, name) for name in RULE.__struct_fields__} | changed))


def test_an_event_holds_the_record_its_time_and_level_and_what_is_known_of_the_file() -> None:
    [event] = events_of(read_text(RULE, "2026-11-23T20:59:58.25+01:00 INFO hello\n"))

    assert event == {
        "content": "2026-11-23T20:59:58.25+01:00 INFO hello",
        "timestamp": "2026-11-23T19:59:58.250Z",
        "severity": "info",
        **BASE,
    }


@pytest.mark.parametrize(
    ("record_format", "text", "expected"),
    [
        (
            RecordFormat.JSON,
            '{"content":"c","host.name":"x","a":1}',
            {"app.content": "c", "app.host.name": "x", "a": 1},
        ),
        (RecordFormat.JSON, '{"status":200}', {"http.status_code": 200}),
        (RecordFormat.JSON, '{"status":"odd"}', {"app.status": "odd"}),
        (RecordFormat.JSON, '{"log.source":"x","event.type":"y"}', {"app.log.source": "x", "app.event.type": "y"}),
        (RecordFormat.JSON, '{"dt.ingest.x":1,"dt.trace_id":"t"}', {"app.dt.ingest.x": 1, "dt.trace_id": "t"}),
        (RecordFormat.LOGFMT, "status=404 user=u", {"http.status_code": "404", "user": "u"}),
    ],
)
def test_names_that_are_taken_are_moved_aside(record_format: RecordFormat, text: str, expected: Event) -> None:
    [event] = events_of(read_text(rule(format=record_format, patterns=()), text + "\n"))

    fixed = {"content", "timestamp", "severity", "log.timestamp_source", *BASE}
    assert {name: value for name, value in event.items() if name not in fixed} == expected
    assert event["content"] == text


def test_static_attributes_and_those_of_the_path_are_on_every_event_and_the_path_wins() -> None:
    facts = FileFacts(FileKey(1, 0), "/p", "p", NOW_MS, {"pod": "p-1", "team": "path"})

    [event] = events_of(read_text(rule(attributes={"team": "static", "tier": "1"}), "x\n", facts=facts))

    assert (event["pod"], event["team"], event["tier"]) == ("p-1", "path", "1")


@pytest.mark.parametrize(
    ("lines", "carry", "expected"),
    [
        pytest.param(["x"], Carry(), [("2026-11-23T20:00:00.000Z", "read")], id="nothing_known"),
        pytest.param(
            ["2026-11-23T19:59:58Z I x", "y", "nonsense I z"], Carry(),
            [("2026-11-23T19:59:58.000Z", None), ("2026-11-23T19:59:58.000Z", "inherited"),
            ("2026-11-23T19:59:58.000Z", "inherited")],
            id="the_record_above",
        ),
        pytest.param(["y"], Carry(stamp_ms=NOW_MS - 1), [("2026-11-23T19:59:59.999Z",
        "inherited")], id="the_chunk_before"),
        pytest.param(
            ["2026-02-30T00:00:00Z I x"], Carry(stamp_ms=NOW_MS - 1), [("2026-11-23T19:59:59.999Z", "inherited")],
            id="a_stamp_that_cannot_be",
        ),
    ],
)  # fmt: skip
def test_a_record_without_a_stamp_takes_the_one_before_and_says_so(
    lines: list[str], carry: Carry, expected: list[tuple[str, str | None]]
) -> None:
    events = events_of(read_text(RULE, "\n".join(lines) + "\n", carry=carry))

    assert [(event["timestamp"], event.get("log.timestamp_source")) for event in events] == expected


@pytest.mark.parametrize(
    ("stamp", "sent", "original"),
    [
        pytest.param("2026-11-22T20:01:00.000Z", "2026-11-22T20:01:00.000Z", None, id="at_the_limit"),
        pytest.param("2026-11-22T20:00:59.999Z", "2026-11-23T20:00:00.000Z", "2026-11-22T20:00:59.999Z", id="past_it"),
        pytest.param("2026-11-23T20:10:00.000Z", "2026-11-23T20:10:00.000Z", None, id="ten_minutes_ahead"),
        pytest.param("2026-11-23T20:10:00.001Z", "2026-11-23T20:00:00.000Z", "2026-11-23T20:10:00.001Z", id="further"),
    ],
)
def test_an_event_out_of_the_endpoints_range_is_stamped_anew_and_keeps_its_own(
    stamp: str, sent: str, original: str | None
) -> None:
    [event] = events_of(read_text(RULE, f"{stamp} INFO x\n"))

    assert (event["timestamp"], event.get("log.original_timestamp")) == (sent, original)


def test_new_stamps_never_go_back_in_a_file() -> None:
    """The clock was put back by a minute between two chunks."""
    reading = read_text(RULE, f"{OLD} INFO x\n", carry=Carry(restamp_ms=NOW_MS + 60_000))

    assert events_of(reading)[0]["timestamp"] == "2026-11-23T20:01:00.000Z"
    assert reading.carry.restamp_ms == NOW_MS + 60_000
    assert reading.restamped == 1
    assert reading.oldest_ms is None


@given(stamps=st.lists(st.sampled_from([OLD, "2026-11-23T19:00:00.000Z", "2026-11-19T00:00:00.000Z"]), max_size=6))
def test_stamps_given_anew_are_in_file_order_and_counted(stamps: list[str]) -> None:
    reading = read_text(RULE, "".join(f"{stamp} INFO x\n" for stamp in stamps))

    given_anew = [str(event["timestamp"]) for event in events_of(reading) if "log.original_timestamp" in event]
    assert given_anew == sorted(given_anew)
    assert len(given_anew) == reading.restamped == sum(stamp < "2026-11-22" for stamp in stamps)


def test_what_is_too_old_may_be_dropped_or_kept_among_the_dead_letters() -> None:
    text = f"{OLD} INFO x\n2026-11-23T19:00:00Z INFO y\n"
    dropped = read_text(rule(too_old=TooOld.DROP), text)
    kept = read_text(rule(too_old=TooOld.DEAD_LETTER), text)

    assert (dropped.records, dropped.filtered, dropped.refused) == (1, {"too_old": 1}, [])
    assert (kept.records, kept.filtered, [refused.reason for refused in kept.refused]) == (1, {}, ["too_old"])
    assert kept.refused[0].event is not None
    assert kept.refused[0].event["timestamp"] == OLD


@pytest.mark.parametrize(
    ("level", "severity", "raw"),
    [
        ("INFO", "info", None), ("Warning", "warn", "Warning"), ("FINE", "debug", "FINE"), ("W", "error", "W"),
        ("5", "notice", "5"), ("??", "info", "??"), ("FATAL", "emergency", "FATAL"),
    ],
)  # fmt: skip
def test_the_sources_own_level_is_kept_where_it_says_more(level: str, severity: str, raw: str | None) -> None:
    words = SeverityRule(words={"w": "error"}, default="info")

    [event] = events_of(read_text(rule(severity=words), f"2026-11-23T19:59:58Z {level} x\n"))

    assert (event["severity"], event.get("log.raw_level")) == (severity, raw)


def test_a_rule_on_the_content_wins_over_the_level_and_the_first_that_matches_wins() -> None:
    rules = SeverityRule(rules=(("OutOfMemory", "critical"), ("x", "debug")))

    text = "2026-11-23T19:59:58Z INFO x OutOfMemoryError\n2026-11-23T19:59:58Z DEBUG x\n2026-11-23T19:59:58Z INFO y\n"
    events = events_of(read_text(rule(severity=rules), text))

    assert [(event["severity"], event.get("log.raw_level")) for event in events] == [
        ("critical", "INFO"),
        ("debug", None),
        ("info", None),
    ]


@pytest.mark.parametrize(
    ("keep", "drop", "sent", "filtered"),
    [
        ((), (), "abc", {}),
        (("a|b",), (), "ab", {"keep": 1}),
        ((), ("b",), "ac", {"drop": 1}),
        (("a", "b"), ("b",), "a", {"keep": 1, "drop": 1}),
    ],
)
def test_filters_leave_out_and_count(
    keep: tuple[str, ...], drop: tuple[str, ...], sent: str, filtered: dict[str, int]
) -> None:
    reading = read_text(rule(keep=keep, drop=drop), "a\nb\nc\n")

    assert "".join(str(event["content"]) for event in events_of(reading)) == sent
    assert reading.filtered == filtered
    assert reading.records == len(sent)


def test_what_is_over_a_limit_is_trimmed_and_named_and_ours_is_not() -> None:
    limits = EventLimits(key_bytes=20, value_bytes=8, attributes=12)
    text = '{"a":"123456789","a_key_that_is_longer_than_it_may_be":1,"b":2,"c":3,"d":4}'

    reading = read_text(rule(format=RecordFormat.JSON, patterns=(), limits=limits), text + "\n")

    [event] = events_of(reading)
    assert event["a"] == "12345678"
    assert event["a_key_that_is_longer"] == 1
    assert event["b"] == 2
    assert {"c", "d"}.isdisjoint(event)
    assert event["log.trimmed"] == "a,a_key_"
    assert event["log.file.path"] == "/var/log/shop/a.log"
    assert reading.trimmed == 1


def test_a_records_name_is_the_same_for_the_same_bytes_and_differs_for_others() -> None:
    key = FileKey(7, 2)
    others = [(FileKey(7, 3), 10, 0), (FileKey(8, 2), 10, 0), (key, 11, 0), (key, 10, 1), (FileKey(72, 1), 0, 0)]

    assert record_id(key, 10, 0) == record_id(key, 10, 0)
    assert len({record_id(key, 10, 0), *(record_id(*other) for other in others)}) == 6


def test_record_ids_are_on_every_part_of_every_record() -> None:
    named = rule(record_id=True, limits=EventLimits(content_bytes=8))

    first = read_text(named, "short\n" + "x" * 20 + "\n")
    again = read_text(named, "x" * 20 + "\n", at=6, facts=FACTS)

    ids = [event["log.record_id"] for event in events_of(first)]
    assert len(set(ids)) == 4
    assert ids[1:] == [event["log.record_id"] for event in events_of(again)]


def test_stamps_without_a_zone_are_of_the_rules_zone() -> None:
    text = "2026-11-23T20:30:00 INFO x\n"

    [event] = events_of(read_text(rule(stamp=StampRule(zone="Europe/Vienna")), text))

    assert event["timestamp"] == "2026-11-23T19:30:00.000Z"
