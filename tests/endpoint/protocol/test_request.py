"""What is said before and beside the body: sections 1, 2 and 6."""

import pytest

from shipper.endpoint.protocol import Limits, Request, check_head, is_compressed, receive
from tests.endpoint.protocol.asking import (
    JSON,
    LIMITS,
    NOW_MS,
    Query,
    answer_to,
    kept,
    message_of,
    own_attributes,
    post,
    record_of,
)

EVENT = b'{"content":"x"}'


@pytest.mark.parametrize("media", [
    "application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8",
    'application/json; charset="utf8"',
    "application/jsonl", "application/jsonlines", "application/jsonlines+json", "application/x-ndjson",
    "application/x-jsonlines", "application/json; profile=x", "text/plain", "text/plain; charset=utf-8",
])  # fmt: skip
def test_every_documented_media_type_is_taken(media: str) -> None:
    assert answer_to(EVENT, {"content-type": media})[0].status == 204


@pytest.mark.parametrize("media", [
    "application/x-www-form-urlencoded", "application/xml", "text/html", "application/json; charset=iso-8859-1",
    "text/plain; charset=utf-16", "application/json; charset=us-ascii; charset=utf-8", "", "json", "*/*",
])  # fmt: skip
def test_any_other_media_type_or_charset_is_a_415(media: str) -> None:
    answer, accepted, rejected = answer_to(EVENT, {"content-type": media})

    assert (answer.status, accepted, rejected) == (415, None, {"unsupported_content_type": 1})
    assert message_of(answer) == "Unsupported Content-Type"


def test_no_content_type_is_a_415_unless_lenient() -> None:
    request = post(EVENT, {})

    assert receive(request, LIMITS, NOW_MS)[0].status == 415
    assert receive(request, LIMITS, NOW_MS, lenient=True)[0].status == 204
    assert check_head("POST", "/v2/logs/ingest", {}, LIMITS, query=[], lenient=True) is None


@pytest.mark.parametrize("key", ["content-type", "Content-Type"])
def test_the_query_overrides_the_content_type(key: str) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}

    assert answer_to(EVENT, form, [(key, "application/json; charset=utf-8")])[0].status == 204
    assert answer_to(EVENT, JSON, [(key, "text/html")])[0].status == 415
    assert check_head("POST", "/v2/logs/ingest", form, LIMITS, query=[(key, "application/json")]) is None
    assert check_head("POST", "/v2/logs/ingest", form, LIMITS) is None


@pytest.mark.parametrize(("encoding", "is_gzip"), [
    ("gzip", True), ("GZIP", True), ("x-gzip", True), ("identity", False), ("", False),
])  # fmt: skip
def test_gzip_is_the_one_encoding(encoding: str, is_gzip: bool) -> None:
    headers = {**JSON, "content-encoding": encoding}

    assert check_head("POST", "/v2/logs/ingest", headers, LIMITS) is None
    assert is_compressed(headers) is is_gzip


@pytest.mark.parametrize("encoding", ["deflate", "zstd", "br", "gzip, gzip", "gzip;q=1"])
def test_any_other_encoding_is_a_415(encoding: str) -> None:
    answer = answer_to(EVENT, {**JSON, "content-encoding": encoding})[0]

    assert (answer.status, message_of(answer)) == (415, "Unsupported Content-Encoding; use gzip or none")


@pytest.mark.parametrize("path", ["/v2/logs/ingest", "/api/v2/logs/ingest"])
def test_both_paths_take_logs(path: str) -> None:
    assert receive(Request("POST", path, [], JSON, EVENT), LIMITS, NOW_MS)[0].status == 204


@pytest.mark.parametrize("path", ["/", "/v2/logs/ingest/", "/v2/logs", "/api/v2/metrics/ingest", "/V2/logs/ingest", ""])
def test_any_other_path_is_a_404(path: str) -> None:
    answer = receive(Request("POST", path, [], JSON, EVENT), LIMITS, NOW_MS)[0]

    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
    assert message_of(answer).startswith("Not found")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_any_other_method_is_a_405_that_names_post(method: str) -> None:
    answer = receive(Request(method, "/v2/logs/ingest", [], JSON, EVENT), LIMITS, NOW_MS)[0]

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("length", "status"), [("100", None), ("101", 413), ("9" * 40, 413), ("x", None), ("-1", None)]
)
def test_a_body_that_says_it_is_too_large_is_refused_unread(length: str, status: int | None) -> None:
    answer = check_head("POST", "/v2/logs/ingest", {**JSON, "content-length": length}, Limits(body_bytes=100))

    assert (answer and answer.status) == status


@pytest.mark.parametrize(("query", "options", "where"), [
    ([("structure", "deep")], "", "QUERY"),
    ([("structure", "")], "structure=raw", "QUERY"),
    ([("structure", "RAW")], "", "QUERY"),
    ([], "structure=deep", "HEADER"),
])  # fmt: skip
def test_an_unknown_structure_is_a_400_that_says_where(query: Query, options: str, where: str) -> None:
    answer, accepted, _ = answer_to(EVENT, {**JSON, "x-dynatrace-options": options}, query)

    assert (answer.status, accepted) == (400, None)
    assert (
        f'"path":"structure","message":"must be raw or flattened","parameterLocation":"{where}"'.encode() in answer.body
    )


@pytest.mark.parametrize(("query", "header", "body", "attributes"), [
    pytest.param([("team", "frontend")], "", {"team": "backend"},
                 {"team": "frontend", "overwritten1.team": "backend"}, id="the_documented_example"),
    pytest.param([], "team=frontend", {"team": "backend"},
                 {"team": "frontend", "overwritten1.team": "backend"}, id="header_over_body"),
    pytest.param([("team", "q")], "team=h&b=2", {}, {"team": "q", "b": "2"}, id="query_over_header_without_a_copy"),
    pytest.param([("team", "q")], "team=h", {"team": "b"}, {"team": "q", "overwritten1.team": "b"}, id="all_three"),
    pytest.param([("a", "1"), ("a", "2")], "b=1&b=2", {}, {"a": ["1", "2"], "b": ["1", "2"]}, id="repeated"),
    pytest.param([("host.name", "q")], "", {"host": {"name": "b"}},
                 {"host.name": "q", "overwritten1.host.name": "b"}, id="over_a_nested_key"),
    pytest.param([("a", "")], "b=&c", {}, {"a": "", "b": "", "c": ""}, id="empty_value"),
    pytest.param([("", "1")], "=1&&", {}, {}, id="no_key"),
    pytest.param([], "a%20b=%C3%A9%26 &c=x=y", {}, {"a b": "é&", "c": "x=y"}, id="percent_and_equals"),
    pytest.param([], "k=\udcc3\udca9", {}, {"k": "é"}, id="header_bytes_over_127"),
    pytest.param([("k", "\ud800")], "", {}, {"k": "\ufffd\ufffd\ufffd"}, id="what_no_json_can_hold"),
    pytest.param([("Content-Type", "application/json"), ("structure", "flattened")], "structure=x&content-type=y", {},
                 {}, id="reserved_names"),
])  # fmt: skip
def test_query_and_header_add_attributes_to_every_event(
    query: Query, header: str, body: dict[str, object], attributes: dict[str, object]
) -> None:
    record = record_of({"content": "x", **body}, query=query, headers={"x-dynatrace-attr": header})

    assert own_attributes(record) == attributes


@pytest.mark.parametrize("structure", ["raw", "flattened"])
def test_an_added_attribute_may_be_the_timestamp_the_level_or_the_content(structure: str) -> None:
    query = [("timestamp", str(NOW_MS - 5)), ("severity", "error"), ("content", "q"), ("structure", structure)]
    record = record_of({"content": "x", "timestamp": NOW_MS - 9}, query=query)

    assert (record.timestamp_ms, record.loglevel, record.content) == (NOW_MS - 5, "ERROR", "q")
    assert own_attributes(record) == {"overwritten1.content": "x", "overwritten1.timestamp": NOW_MS - 9}


def test_the_original_is_kept_without_what_the_request_adds() -> None:
    _, accepted, _ = answer_to(EVENT, query=[("team", "frontend")])

    assert kept(accepted) == [{"content": "x"}]
    assert accepted is not None
    assert accepted.context.query == (("team", "frontend"),)
