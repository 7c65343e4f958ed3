"""One request to its answer: sections 2, 3 and 6."""

import msgspec
import pytest

from shipper.endpoint.protocol import Limits, refuse
from tests.endpoint.protocol.asking import (
    JSON,
    LINES,
    NOW_MS,
    TEXT,
    Structure,
    answer_to,
    kept,
    message_of,
    own_attributes,
    record_of,
)

OLD = NOW_MS - 86_400_001
NEW = NOW_MS - 86_400_000


def body(*events: object) -> bytes:
    return msgspec.json.encode(events)


@pytest.mark.parametrize(("content", "headers", "events"), [
    pytest.param(b'{"a":1}', JSON, [{"a": 1}], id="object"),
    pytest.param(b' [ {"a":1} ,\n{"a":2} ]\r\n', JSON, [{"a": 1}, {"a": 2}], id="array"),
    pytest.param(b'[{}]', JSON, [{}], id="empty_object"),
    pytest.param(b'\xef\xbb\xbf[{"a":1}]', JSON, [{"a": 1}], id="byte_order_mark"),
    pytest.param(b'{"a":1,"a":2}', JSON, [{"a": 2}], id="the_last_duplicate_wins"),
    pytest.param(b'{"a":1}\n\n  \n{"a":2}\r\n', LINES, [{"a": 1}, {"a": 2}], id="lines"),
    pytest.param(b'\xef\xbb\xbf{"a":1}', LINES, [{"a": 1}], id="lines_after_a_byte_order_mark"),
    pytest.param(b'a "line"\nand more\n', TEXT, [{"content": 'a "line"\nand more\n'}], id="text_is_one_event"),
    pytest.param(b' ', TEXT, [{"content": " "}], id="blank_text"),
    pytest.param("é{".encode(), TEXT, [{"content": "é{"}], id="text_is_utf_8"),
])  # fmt: skip
def test_all_accepted_is_a_204_without_a_body(
    content: bytes, headers: dict[str, str], events: list[dict[str, object]]
) -> None:
    answer, accepted, rejected = answer_to(content, headers)

    assert answer == (204, {"Server": "EEC"}, b"")
    assert kept(accepted) == events
    assert rejected == {}


@pytest.mark.parametrize(
    "events", [b'{"b" : 1.00, "a":"\\u00e9"}', b'{"a":1} , {"big":123456789012345678901234567890}']
)
def test_the_bytes_of_accepted_events_are_kept_as_they_came(events: bytes) -> None:
    _, accepted, _ = answer_to(b"[" + events + b"]")

    assert accepted is not None
    assert accepted.events == events


@pytest.mark.parametrize(("content", "headers"), [
    (b"", JSON), (b" \r\n", JSON), (b"[]", JSON), (b"[ ]", JSON), (b"\xef\xbb\xbf", JSON),
    (b"", LINES), (b"\n \n\r\n", LINES), (b"", TEXT), (b"\xef\xbb\xbf", TEXT),
])  # fmt: skip
def test_a_request_without_events_is_a_400(content: bytes, headers: dict[str, str]) -> None:
    answer, accepted, rejected = answer_to(content, headers)

    assert (answer.status, accepted, rejected) == (400, None, {"empty_messages": 1})


@pytest.mark.parametrize(("content", "headers"), [
    (b"{", JSON), (b'{"a":1}x', JSON), (b"nonsense", JSON), (b"3", JSON), (b'"text"', JSON), (b"null", JSON),
    (b'{"a":NaN}', JSON), (b'{"a":Infinity}', JSON), (b'{"a":-Infinity}', JSON), (b"{'a':1}", JSON),
    (b'[{"a":1},]', JSON), (b'{"a":1e999}', JSON),
    (b'{"a":"\xff"}', JSON), (b'{"\xff":1}', JSON), (b'[{"x":"\\ud800"}]', JSON), (b'{"a":1}\n{"a":2}', JSON),
    (b"[" * 100_000, JSON), (b"\xff", TEXT), (b'{"a":\n1}', LINES), (b"[{}]", LINES), (b"{} {}", LINES),
    (b"nonsense", LINES), (b"[1,2]", JSON), (b'["a"]', JSON), (b"[[{}]]", JSON),
], ids=repr)  # fmt: skip
def test_what_is_no_json_is_a_400_that_repeats_none_of_it(content: bytes, headers: dict[str, str]) -> None:
    answer, accepted, rejected = answer_to(content[:100_000], headers)

    assert (answer.status, accepted, list(rejected)) == (400, None, ["invalid_json_format"])
    assert "nonsense" not in message_of(answer)


@pytest.mark.parametrize(("content", "headers"), [
    (b'[{"a":1},3,{"a":2},[{}],null]', JSON),
    (b'{"a":1}\n3\n{"a":2}\n{"a":\n{"b":"\xff"}', LINES),
    (b'{"a":1}\n{"x":"y\n{"a":2}\nz"}\n{} {}', LINES),
])  # fmt: skip
def test_a_record_that_is_no_object_is_refused_alone_and_named(content: bytes, headers: dict[str, str]) -> None:
    answer, accepted, rejected = answer_to(content, headers)

    assert answer.status == 200
    assert message_of(answer) == "3 events were not ingested because of invalid JSON format"
    assert msgspec.json.decode(answer.body)["details"]["rejected"] == [1, 3, 4]
    assert kept(accepted) == [{"a": 1}, {"a": 2}]
    assert rejected == {"invalid_json_format": 3}


def test_some_too_old_are_counted_and_named_by_a_200() -> None:
    answer, accepted, rejected = answer_to(body({"ts": OLD}, {"timestamp": NEW}, {"timestamp": OLD}, {"content": "x"}))

    assert answer.status == 200
    assert message_of(answer) == "2 events were not ingested because of timestamp out of correct time range"
    assert msgspec.json.decode(answer.body)["details"]["rejected"] == [0, 2]
    assert kept(accepted) == [{"timestamp": NEW}, {"content": "x"}]
    assert rejected == {"timestamps_out_of_range": 2}
    assert accepted is not None
    assert (accepted.oldest_ms, accepted.newest_ms) == (NEW, NOW_MS)


@pytest.mark.parametrize(("structure", "status"), [("flattened", 400), ("raw", 204)])
def test_an_object_under_timestamp_is_a_stamp_in_the_raw_model_alone(structure: Structure, status: int) -> None:
    assert answer_to(body({"timestamp": {"a": 1}, "ts": OLD}), structure=structure)[0].status == status


def test_all_too_old_is_a_400() -> None:
    answer, accepted, rejected = answer_to(body({"timestamp": OLD}, {"@timestamp": "2021-01-01T00:00:00Z"}))

    assert (answer.status, accepted, rejected) == (400, None, {"timestamps_out_of_range": 2})
    assert message_of(answer) == "All logs are out of correct time range."


def test_all_refused_for_several_reasons_is_a_400_that_names_them() -> None:
    answer, accepted, rejected = answer_to(body({"timestamp": OLD}, 3))

    assert (answer.status, accepted) == (400, None)
    assert rejected == {"timestamps_out_of_range": 1, "invalid_json_format": 1}
    assert message_of(answer) == (
        "1 events were not ingested because of timestamp out of correct time range; "
        "1 events were not ingested because of invalid JSON format"
    )


def test_a_nested_record_that_is_too_old_is_only_too_old() -> None:
    deep = {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}
    answer, _, _ = answer_to(body({**deep, "timestamp": OLD}, {**deep, "timestamp": NEW}))

    assert message_of(answer).endswith("; Event(s) have attributes that are too nested for records: 1")


def test_nesting_is_seen_among_records_that_are_no_objects() -> None:
    """As many braces as records is not a proof that no object is inside another."""
    answer, _, _ = answer_to(body({"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, 1, 1, 1, 1, 1))

    assert "too nested for records: 0" in message_of(answer)


@pytest.mark.parametrize("inside", [b'{"a":%b1%b}' % (b"[" * 99, b"]" * 99), b'{"a":' * 100 + b"1" + b"}" * 100])
def test_json_a_hundred_deep_is_taken_and_can_be_read(inside: bytes) -> None:
    _, accepted, _ = answer_to(inside)

    assert len(kept(accepted)) == 1


@pytest.mark.parametrize("inside", [b'{"a":%b1%b}' % (b"[" * 100, b"]" * 100), b'{"a":' * 101 + b"1" + b"}" * 101])
def test_json_deeper_than_that_is_refused_alone(inside: bytes) -> None:
    answer, accepted, _ = answer_to(b"[%b,{}]" % inside)

    assert answer.status == 200
    assert kept(accepted) == [{}]


@pytest.mark.parametrize(("limits", "reason", "text"), [
    (Limits(events=2), "event_count_limit", "Too many events: at most 2 a request"),
    (Limits(body_bytes=20), "payload_byte_size_limit", "Payload size limit exceeded: at most 20 bytes a request"),
    (Limits(processed_bytes=40), "payload_byte_size_limit",
     "Message size limit exceeded after preprocessing on ingest endpoint"),
])  # fmt: skip
def test_a_request_over_a_limit_is_a_413_and_nothing_is_kept(limits: Limits, reason: str, text: str) -> None:
    answer, accepted, rejected = answer_to(body({"a": 1}, {"a": 2}, {"a": 3}), limits=limits, query=[("team", "x")])

    assert (answer.status, accepted, list(rejected)) == (413, None, [reason])
    assert message_of(answer) == text


def test_lines_are_counted_without_blank_ones() -> None:
    assert answer_to(b"{}\n\n\n{}\n", LINES, limits=Limits(events=2))[0].status == 204
    assert answer_to(b"{}\n{}\n{}\n", LINES, limits=Limits(events=2))[0].status == 413


@pytest.mark.parametrize(("content_type", "form"), [
    ("application/json", "dtapi/json"), ("application/x-ndjson", "dtapi/jsonl"), ("text/plain", "dtapi/text"),
])  # fmt: skip
def test_a_record_says_in_which_form_it_came(content_type: str, form: str) -> None:
    record = record_of({"a": 1}, headers={"content-type": content_type})

    assert record.attributes["dt.ingest.format"] == form


def test_the_documented_sample_is_an_error_with_its_attributes() -> None:
    record = record_of({
        "content": "Exception: Custom error log sent via Generic Log Ingest", "log.source": "/var/log/syslog",
        "timestamp": "2026-02-22T20:12:31.0000", "severity": "error", "custom.attribute": "attribute value",
    })  # fmt: skip

    assert (record.timestamp_ms, record.loglevel, record.status) == (NOW_MS - 4_588_169, "ERROR", "ERROR")
    assert own_attributes(record) == {"log.source": "/var/log/syslog", "custom.attribute": "attribute value"}


def test_a_refusal_of_the_servers_own_is_an_envelope_with_its_headers() -> None:
    answer = refuse(503, "Usable space limit reached", headers={"Retry-After": "5"})

    assert answer.headers == {"Server": "EEC", "Content-Type": "application/json", "Retry-After": "5"}
    assert answer.body == b'{"error":{"code":503,"message":"Usable space limit reached"}}'
