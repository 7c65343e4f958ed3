"""The ingest routes on a real socket: what is answered, byte for byte where that matters."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Mapping
from contextlib import closing

import pytest

from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import INGEST, JSON, EndpointProcess, eventually, head, read_to_end, read_until
from tests.patience import PATIENCE_SECONDS

MIB = 1024 * 1024


def post(body: str, *lines: str) -> tuple[str, ...]:
    return ("Content-Type: application/json", f"Content-Length: {len(body)}", *lines)


def test_the_curl_of_the_oneagent_page_answers_204_and_the_event_is_an_error(endpoint: EndpointProcess) -> None:
    # curl -i -X POST http://127.0.0.1:14499/v2/logs/ingest -H "Content-Type: application/json; charset=utf-8"
    #   -d "{\"content\": \"Exception: Custom error log sent via Generic Log Ingest\", ...}"
    body = (
        '{"content":"Exception: Custom error log sent via Generic Log Ingest","log.source":"/var/log/syslog",'
        f'"timestamp": "{time.time_ns() // 1_000_000}","severity": "error","custom.attribute":"attribute value"}}'
    )

    assert endpoint.request("POST", INGEST, body, JSON).status == 204
    [event] = endpoint.events(source="/var/log/syslog")
    assert event["content"] == "Exception: Custom error log sent via Generic Log Ingest"
    assert (event["loglevel"], event["status"]) == ("ERROR", "ERROR")
    assert event["attributes"]["custom.attribute"] == "attribute value"  # type: ignore[index]


def test_a_204_is_a_head_without_length_and_nothing_behind(endpoint: EndpointProcess) -> None:
    body = '[{"content":"exact"}]'

    received = endpoint.exchange(head(endpoint, *post(body, "Connection: close")) + body.encode())

    first, *lines = received.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert first == b"HTTP/1.1 204 No Content"
    assert received.count(b"\r\n\r\n") == 1
    assert b"Server: EEC" in lines
    names = {line.split(b":")[0].lower() for line in lines}
    assert names.isdisjoint({b"content-length", b"transfer-encoding", b"content-type"})


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        pytest.param(INGEST, JSON, '{"content":"a"}', 204, id="object"),
        pytest.param("/api/v2/logs/ingest", JSON, '[{"content":"a"}]', 204, id="public_path"),
        pytest.param(INGEST, {"Content-Type": "application/jsonl"}, '{"content":"a"}\n{"log":"b"}', 204, id="lines"),
        pytest.param(INGEST, {"Content-Type": "text/plain"}, "a\nb", 204, id="text"),
        pytest.param(INGEST, JSON, '[{"content":"a"}, 7]', 200, id="partial"),
        pytest.param(INGEST, JSON, "", 400, id="empty"),
        pytest.param(INGEST, JSON, "[]", 400, id="empty_array"),
        pytest.param(INGEST, JSON, '{"content":', 400, id="cut_json"),
        pytest.param(INGEST, {**JSON, "Content-Encoding": "gzip"}, "no gzip", 400, id="corrupt_gzip"),
        pytest.param(INGEST, {**JSON, "Content-Encoding": "br"}, "{}", 415, id="unknown_encoding"),
        pytest.param(INGEST, {"Content-Type": "application/x-www-form-urlencoded"}, "a=b", 415, id="form"),
        pytest.param(INGEST, {**JSON, "Expect": "gold"}, "{}", 417, id="unknown_expectation"),
        pytest.param(INGEST + "?structure=odd", JSON, '{"content":"a"}', 400, id="unknown_structure"),
        pytest.param(INGEST + "/", JSON, '{"content":"a"}', 404, id="slash"),
        pytest.param("/v2/events/ingest", JSON, "{}", 404, id="other_api"),
    ],
)  # fmt: skip
def test_each_request_gets_its_status(
    endpoint: EndpointProcess, path: str, headers: Mapping[str, str], body: str, status: int
) -> None:
    reply = endpoint.request("POST", path, body, headers)

    assert reply.status == status
    assert reply.headers["Server"] == "EEC"
    if status >= 400:
        assert reply.json()["error"]["code"] == status  # type: ignore[index]
    elif status == 200:
        assert reply.json()["details"]["code"] == 200  # type: ignore[index]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_is_allowed_on_the_ingest_route(endpoint: EndpointProcess, method: str) -> None:
    reply = endpoint.request(method, INGEST)

    assert reply.status == 405
    assert reply.headers["Allow"] == "POST"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_the_reading_routes_are_only_read(endpoint: EndpointProcess, method: str) -> None:
    reply = endpoint.request(method, "/v1/events")

    assert reply.status == 405
    assert reply.headers["Allow"] == "GET, HEAD"


def test_a_missing_content_type_is_json_only_for_the_lenient(endpoint: EndpointProcess, start: Start) -> None:
    assert endpoint.request("POST", INGEST, b'{"content":"a"}').status == 415
    lenient = start("--lenient")

    assert lenient.request("POST", INGEST, b'{"content":"a"}').status == 204
    assert lenient.stop() == 0


@pytest.mark.parametrize("cut", [1, 7, 1_000])
def test_a_chunked_body_is_read_whole_however_it_is_cut(endpoint: EndpointProcess, cut: int) -> None:
    mark = f"chunked-{cut}"
    body = json.dumps([{"content": mark}] * 40).encode()
    pieces = [body[at : at + cut] for at in range(0, len(body), cut)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    sent = head(endpoint, "Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close") + chunks
    assert endpoint.exchange(sent).startswith(b"HTTP/1.1 204 ")
    assert len(endpoint.events(q=mark)) == 40


def test_malformed_chunks_are_a_400_and_the_end_of_the_connection(endpoint: EndpointProcess) -> None:
    sent = head(endpoint, "Content-Type: application/json", "Transfer-Encoding: chunked") + b'2\r\n{"\r\nzz\r\n'

    assert endpoint.exchange(sent).split(b" ")[1] == b"400"


def test_one_connection_serves_many_requests(endpoint: EndpointProcess) -> None:
    statuses = []
    with closing(http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=PATIENCE_SECONDS)) as connection:
        for body in ('{"content":"kept alive"}', "broken", '{"content":"kept alive"}'):
            connection.request("POST", INGEST, body, dict(JSON))
            reply = connection.getresponse()
            reply.read()
            statuses.append(reply.status)

    assert statuses == [204, 400, 204]
    assert len(endpoint.events(q="kept alive")) == 2


def test_pipelined_requests_are_answered_in_order(endpoint: EndpointProcess) -> None:
    good, bad = '{"content":"pipelined"}', "[]"
    sent = head(endpoint, *post(good)) + good.encode() + head(endpoint, *post(bad, "Connection: close")) + bad.encode()

    received = endpoint.exchange(sent)
    assert received.startswith(b"HTTP/1.1 204 ")
    assert received.index(b"HTTP/1.1 400 ") > 0


def test_who_waits_to_be_asked_is_asked_for_the_body(endpoint: EndpointProcess) -> None:
    body = '{"content":"expected"}'
    with endpoint.connect() as raw:
        raw.sendall(head(endpoint, *post(body, "Expect: 100-continue", "Connection: close")))
        assert read_until(raw, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(body.encode())

        assert read_to_end(raw).startswith(b"HTTP/1.1 204 ")


def test_who_asks_with_a_body_too_large_is_told_before_sending_it(endpoint: EndpointProcess) -> None:
    lines = ("Content-Type: application/json", f"Content-Length: {11 * MIB}", "Expect: 100-continue")
    with endpoint.connect() as raw:
        raw.sendall(head(endpoint, *lines))
        answer = read_until(raw, b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


def test_a_body_that_grows_too_large_is_refused_while_it_comes(endpoint: EndpointProcess) -> None:
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    with endpoint.connect() as raw:
        raw.sendall(head(endpoint, "Content-Type: application/json", "Transfer-Encoding: chunked"))
        for _ in range(10):
            raw.sendall(chunk)
        raw.sendall(b"1\r\n \r\n")  # not the end: nobody says how much would follow

        assert read_until(raw, b"\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_gzip_is_inflated_but_not_past_the_limit(endpoint: EndpointProcess) -> None:
    zipped = {**JSON, "Content-Encoding": "gzip"}
    bomb = gzip.compress(b'[{"content":"' + b" " * 11 * MIB + b'"}]')

    assert endpoint.request("POST", INGEST, gzip.compress(b'[{"content":"zipped"}]'), zipped).status == 204
    assert len(endpoint.events(q="zipped")) == 1
    assert len(bomb) < 16_000
    assert endpoint.request("POST", INGEST, bomb, zipped).status == 413


def test_a_gzip_body_of_a_hundred_thousand_members_ends_soon(endpoint: EndpointProcess) -> None:
    body = gzip.compress(b"", 1) * 100_000 + gzip.compress(b'[{"content":"members"}]')

    assert endpoint.request("POST", INGEST, body, {**JSON, "Content-Encoding": "gzip"}).status == 204


def test_a_body_of_just_the_limit_is_taken_and_one_byte_more_is_not(endpoint: EndpointProcess) -> None:
    start, end = b'[{"content":"at the limit"},{"content":"', b'"}]'
    filling = 10 * MIB - len(start) - len(end)

    assert endpoint.request("POST", INGEST, start + b"x" * filling + end, JSON).status == 204
    assert endpoint.request("POST", INGEST, start + b"x" * (filling + 1) + end, JSON).status == 413


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400", id="tls"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"4", id="long_header"),
        pytest.param(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"4", id="long_target"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2_000 + b"\r\n", b"4", id="many_headers"),
        pytest.param(b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", b"400", id="bad_header"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", b"400", id="two_lengths"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400", id="length_and_chunks",
        ),
        pytest.param(b"POST / HTTP/0.9\r\n\r\n", b"400", id="old_version"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400", id="http_2"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400", id="negative_length"),
    ],
)  # fmt: skip
def test_what_is_not_http_gets_one_plain_refusal(endpoint: EndpointProcess, sent: bytes, status: bytes) -> None:
    with endpoint.connect() as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        received = read_to_end(raw)

    assert received.startswith(b"HTTP/")
    assert received.split(b" ")[1].startswith(status)
    assert b"Traceback" not in received
    assert b"<html" not in received.lower()


def test_bytes_that_are_no_text_in_headers_and_query_are_kept_as_replacements(endpoint: EndpointProcess) -> None:
    body = '{"content":"odd bytes"}'
    lines = post(body, "X-Dynatrace-Attr: team=\udcff\udcfe", "Connection: close")
    text = "\r\n".join([f"POST {INGEST}?a=%ff HTTP/1.1", f"Host: localhost:{endpoint.port}", *lines, "", body])

    assert endpoint.exchange(text.encode("utf-8", "surrogateescape")).startswith(b"HTTP/1.1 204 ")
    [event] = endpoint.events(q="odd bytes")
    assert event["attributes"]["a"] == "\ufffd"  # type: ignore[index]


def test_a_client_that_closes_its_half_gets_its_answer(endpoint: EndpointProcess) -> None:
    body = '{"content":"half closed"}'
    with endpoint.connect() as raw:
        raw.sendall(head(endpoint, *post(body)) + body.encode())
        raw.shutdown(socket.SHUT_WR)

        assert read_to_end(raw).startswith(b"HTTP/1.1 204 ")


def test_a_client_that_goes_away_in_the_middle_leaves_no_trace(endpoint: EndpointProcess) -> None:
    with endpoint.connect() as raw:
        raw.sendall(head(endpoint, "Content-Type: application/json", "Content-Length: 1000") + b'[{"content":"gone"},')
        eventually(lambda: raw.getpeername()[1] == endpoint.port)

    assert endpoint.ingest({"content": "still here"}).status == 204
    assert endpoint.events(q="gone") == []
    assert "request_failed" not in endpoint.log.read_text()
