"""Which key is the timestamp, the level, the content: section 4."""

from itertools import pairwise

import pytest

from tests.endpoint.protocol.asking import NOW_MS, own_attributes, record_of

TIMESTAMP = [
    "timestamp", "@timestamp", "_timestamp", "eventtime", "date", "published_date", "syslog.timestamp", "time",
    "epochSecond", "startTime", "datetime", "ts", "timeMillis", "@t",
]  # fmt: skip
LOGLEVEL = ["loglevel", "status", "severity", "level", "syslog.severity"]
CONTENT = ["content", "message", "payload", "body", "log"]


@pytest.mark.parametrize("key", TIMESTAMP)
def test_each_timestamp_key_is_read_and_removed(key: str) -> None:
    record = record_of({"content": "x", key: NOW_MS - 1})

    assert record.timestamp_ms == NOW_MS - 1
    assert own_attributes(record) == {}


@pytest.mark.parametrize(("first", "second"), list(pairwise(TIMESTAMP)))
def test_the_earlier_timestamp_key_wins_and_the_later_is_an_attribute(first: str, second: str) -> None:
    record = record_of({"content": "x", second: NOW_MS - 2, first: NOW_MS - 1})

    assert record.timestamp_ms == NOW_MS - 1
    assert own_attributes(record) == {second: NOW_MS - 2}


@pytest.mark.parametrize(("first", "second"), list(pairwise(LOGLEVEL)))
def test_the_earlier_level_key_wins_and_the_later_is_an_attribute(first: str, second: str) -> None:
    record = record_of({"content": "x", second: "info", first: "error"})

    assert record.loglevel == "ERROR"
    assert own_attributes(record) == {second: "info"}


@pytest.mark.parametrize(("first", "second"), list(pairwise(CONTENT)))
def test_the_earlier_content_key_wins_and_the_later_is_an_attribute(first: str, second: str) -> None:
    record = record_of({second: "later", first: "earlier"})

    assert record.content == "earlier"
    assert own_attributes(record) == {second: "later"}


@pytest.mark.parametrize("key", [*TIMESTAMP, "_raw"])
def test_a_raw_content_key_is_none_of_the_flattened_model(key: str) -> None:
    assert record_of({key: NOW_MS}).content == f'{{"{key}":{NOW_MS}}}'


def test_raw_has_one_more_content_key_and_it_is_the_last() -> None:
    assert record_of({"_raw": "R"}, "raw").content == "R"
    assert record_of({"_raw": "R", "log": "L"}, "raw").content == "L"


@pytest.mark.parametrize(("event", "instant"), [
    ({"Timestamp": NOW_MS - 1}, NOW_MS - 1),
    ({"TIMEMILLIS": NOW_MS - 1}, NOW_MS - 1),
    ({"timestamp": NOW_MS - 1, "Timestamp": NOW_MS - 2}, NOW_MS - 1),
    ({"Timestamp": NOW_MS - 2, "timestamp": NOW_MS - 1}, NOW_MS - 1),
    ({"@timestamp": NOW_MS - 2, "Timestamp": NOW_MS - 1}, NOW_MS - 1),
    ({"Timestamp": None, "TIMESTAMP": NOW_MS - 1}, NOW_MS - 1),
])  # fmt: skip
def test_keys_match_in_any_case_and_the_exact_one_is_preferred(event: dict[str, object], instant: int) -> None:
    assert record_of({"content": "x", **event}).timestamp_ms == instant


def test_a_http_status_takes_the_place_of_the_level() -> None:
    record = record_of({"content": "x", "status": 200, "level": "error"})

    assert record.loglevel == "NONE"
    assert own_attributes(record) == {"level": "error"}


def test_nested_syslog_keys_count_once_flattened() -> None:
    record = record_of({"content": "x", "syslog": {"severity": "err", "timestamp": NOW_MS - 1}})

    assert (record.loglevel, record.timestamp_ms) == ("ERROR", NOW_MS - 1)
    assert own_attributes(record) == {}


def test_a_null_key_is_not_there() -> None:
    record = record_of({"timestamp": None, "@timestamp": NOW_MS - 1, "status": None, "level": "warn", "log": "x"})

    assert (record.timestamp_ms, record.loglevel) == (NOW_MS - 1, "WARN")
    assert own_attributes(record) == {}
