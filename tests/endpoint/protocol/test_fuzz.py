"""Whatever comes in, an answer of the documented set comes out, and what is kept can be read."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.endpoint.model import Context, LogRecord
from shipper.endpoint.protocol import (
    LEVELS,
    Answer,
    Limits,
    Request,
    check_head,
    forward_form,
    inflate,
    limits_for,
    map_event,
    receive,
)
from tests.endpoint.protocol.asking import NOW_MS

SMALL = Limits(
    body_bytes=300, processed_bytes=400, events=5, content_bytes=9, key_bytes=7, value_bytes=5, attributes=3, values=2
)
PROFILES = ["", "saas", "classic", "managed"]
MEDIA = [
    "application/json", "application/json; charset=utf-8", "application/x-ndjson", "text/plain", "text/html",
    "application/json; charset", ";", "application/json;;charset=\"",
]  # fmt: skip
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(MEDIA) | st.text(max_size=20),
        "content-encoding": st.sampled_from(["gzip", "", "br"]) | st.text(max_size=5),
        "content-length": st.sampled_from(["0", "301", "-1", "²", "٣", "9" * 5000]) | st.text(max_size=5),
        "x-dynatrace-attr": st.text("a=&%é\udcff2.", max_size=20) | st.text(max_size=20),
        "x-dynatrace-options": st.sampled_from(["structure=raw", "structure", "&"]) | st.text(max_size=20),
    },
)
WORD = st.sampled_from(["content-type", "structure", "raw", "content", "timestamp", "application/json", "\ud800", ""])
QUERY = st.lists(st.tuples(WORD | st.text(max_size=5), WORD | st.text(max_size=5)), max_size=3)

TOKENS = [
    b'{"content":"x"}', b'"timestamp"', b'"a"', b"{", b"}", b"[", b"]", b":", b",", b"\n", b'"', b"\\", b"\\u12", b"1",
    b"-", b"1e5", b"null", b"true", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"99999999999999999999999", b'{"level":"e"}',
]  # fmt: skip
BODY = st.binary(max_size=40) | st.lists(st.sampled_from(TOKENS), max_size=25).map(b"".join)
JSON_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé{}\0", max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab.é", max_size=9), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["timestamp", "Timestamp", "status", "content", "message", "_raw", "event.type", "dt.ingest.warnings", "syslog"]
)
EVENT = st.dictionaries(NAMES | st.text("aAé.", max_size=9), JSON_VALUE, max_size=6)


@settings(max_examples=600, deadline=None)
@given(
    method=st.sampled_from(["POST", "POST", "POST", "GET", "", "é"]),
    path=st.sampled_from(["/v2/logs/ingest", "/api/v2/logs/ingest", "/", ""]),
    query=QUERY,
    headers=HEADERS,
    body=BODY,
    profile=st.sampled_from(PROFILES),
)
def test_any_request_gets_a_documented_answer(
    method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes, profile: str
) -> None:
    answer, accepted, rejected = receive(Request(method, path, query, headers, body), SMALL, NOW_MS, profile=profile)
    head = check_head(method, path, headers, SMALL, query=query)

    assert answer.status in {200, 204, 400, 404, 405, 413, 415}
    assert (answer.status < 300) is (accepted is not None)
    assert (answer.status == 204) is (answer.body == b"")
    assert head is None or head == answer
    assert all(count > 0 for count in rejected.values())
    if accepted is not None:
        events = msgspec.json.decode(b"[%b]" % accepted.events, type=list[msgspec.Raw])
        assert len(events) == accepted.count
        records = [map_event(msgspec.json.decode(event), accepted.context, SMALL) for event in events]
        instants = [record.timestamp_ms for record in records]
        assert (min(instants), max(instants)) == (accepted.oldest_ms, accepted.newest_ms)
        assert msgspec.convert(msgspec.to_builtins(accepted.context), type(accepted.context)) == accepted.context
        for event, record in zip(events, records, strict=True):
            _check_limits(record, SMALL, profile)
            msgspec.json.decode(forward_form(bytes(event), accepted.context, SMALL), type=dict[str, object])


@settings(max_examples=400, deadline=None)
@given(event=EVENT, structure=st.sampled_from(["flattened", "raw"]), profile=st.sampled_from(PROFILES))
def test_any_event_becomes_a_record_within_the_limits(event: dict[str, Any], structure: Any, profile: str) -> None:
    record = map_event(event, Context(NOW_MS, structure, profile=profile), SMALL)

    _check_limits(record, SMALL, profile)
    assert msgspec.json.decode(msgspec.json.encode(record), type=LogRecord) == record


@given(wire=st.binary(max_size=200))
def test_any_bytes_inflate_or_are_refused(wire: bytes) -> None:
    found = inflate(wire, limits_for(""))

    assert not isinstance(found, Answer) or found.status in {400, 413}


def _check_limits(record: LogRecord, limits: Limits, profile: str) -> None:
    assert record.loglevel in LEVELS
    assert len(record.content.encode()) <= limits.content_bytes
    common = {"event.type", "dt.openpipeline.source", "dt.openpipeline.source_type", "dt.ingest.format"}
    own = {key: value for key, value in record.attributes.items() if key not in {*common, "dt.ingest.warnings"}}
    assert len(own) <= limits.attributes
    for key, value in own.items():
        assert len(key.removeprefix("overwritten1.").removeprefix("overwritten2.").encode()) <= limits.key_bytes
        values = value if isinstance(value, list) else [value]
        assert len(values) <= limits.values
        assert all(len(item.encode()) <= limits.value_bytes for item in values if isinstance(item, str))
        assert profile in {"", "saas"} or all(item is None or isinstance(item, str) for item in values)
