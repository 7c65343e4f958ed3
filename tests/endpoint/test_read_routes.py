"""What a reader gets: events, histogram, sources, figures, the live tail."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import JSON, EndpointProcess, eventually, read_until

MINUTE_MS = 60_000
LEVELS = ["error", "warn", "info", "debug"]


def at(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def base_ms() -> int:
    """Begin a quarter of an hour ago, at a whole minute."""
    return (time.time_ns() // 1_000_000 - 15 * MINUTE_MS) // MINUTE_MS * MINUTE_MS


@pytest.fixture(scope="module")
def filled(endpoint: EndpointProcess, base_ms: int) -> EndpointProcess:
    """Twelve events, one a second, of four severities and two sources."""
    events = [
        {
            "content": f"Event number {number} of the shop",
            "timestamp": at(base_ms + number * 1_000),
            "severity": LEVELS[number % 4],
            "log.source": "shop" if number < 9 else "bank",
            "order": {"id": number % 3},
        }
        for number in range(12)
    ]
    assert endpoint.ingest(*events).status == 204
    return endpoint


def numbers(events: list[dict[str, object]]) -> list[int]:
    return [int(str(event["content"]).split()[2]) for event in events]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, list(range(12)), id="all"),
        pytest.param({"severity": "error"}, [0, 4, 8], id="severity"),
        pytest.param({"severity": "ERROR,debug"}, [0, 3, 4, 7, 8, 11], id="severities"),
        pytest.param({"source": "bank"}, [9, 10, 11], id="source"),
        pytest.param({"q": "number 7"}, [7], id="words"),
        pytest.param({"q": "SHOP 10"}, [10], id="words_any_case_any_order"),
        pytest.param({"attr.order.id": "2"}, [2, 5, 8, 11], id="attribute"),
        pytest.param({"attr.order.id": "2", "source": "shop", "severity": "warn"}, [5], id="together"),
        pytest.param({"since": "+3000", "until": "+5000"}, [3, 4], id="half_open_range"),
        pytest.param({"since": "+11000"}, [11], id="since"),
        pytest.param({"until": "+1000"}, [0], id="until"),
        pytest.param({"q": "nowhere"}, [], id="nothing"),
    ],
)
def test_a_filter_finds_exactly_what_it_asks_for(
    filled: EndpointProcess, base_ms: int, query: dict[str, str], expected: list[int]
) -> None:
    query = {name: at(base_ms + int(text)) if text.startswith("+") else text for name, text in query.items()}

    assert numbers(filled.events(**query)) == expected


def test_an_event_has_the_fields_of_the_page(filled: EndpointProcess, base_ms: int) -> None:
    [event] = filled.events(q="number 4")

    assert event == {
        "id": event["id"],
        "timestamp": at(base_ms + 4_000),
        "loglevel": "ERROR",
        "status": "ERROR",
        "content": "Event number 4 of the shop",
        "attributes": event["attributes"],
    }
    assert isinstance(event["id"], str)
    assert event["attributes"]["log.source"] == "shop"  # type: ignore[index]
    assert event["attributes"]["order.id"] == 1  # type: ignore[index]


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 5, 12, 1_000])
def test_pages_give_every_event_once_in_order(filled: EndpointProcess, order: str, limit: int) -> None:
    found = numbers(filled.events(order=order, limit=limit))

    assert found == (list(range(12)) if order == "oldest" else list(reversed(range(12))))


@pytest.mark.parametrize(
    ("path", "blamed"),
    [
        ("/v1/events?limit=0", "limit"), ("/v1/events?limit=1001", "limit"), ("/v1/events?order=odd", "order"),
        ("/v1/events?cursor=odd", "cursor"), ("/v1/events?since=odd", "since"), ("/v1/events?since=5&until=4", "until"),
        ("/v1/events?severity=odd", "severity"), ("/v1/events?servity=error", "servity"),
        ("/v1/events?buckets=5", "buckets"), ("/v1/histogram?buckets=0", "buckets"), ("/v1/histogram?limit=5", "limit"),
        ("/v1/histogram?since=253402300799999", "since"), ("/v1/tail?severity=odd", "severity"),
        ("/v1/tail?limit=4", "limit"), ("/v1/stats?x=1", "x"), ("/v1/sources?x=1", "x"), ("/v1/refused?x=1", "x"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_a_400_that_names_it(endpoint: EndpointProcess, path: str, blamed: str) -> None:
    reply = endpoint.request("GET", path)

    assert reply.status == 400
    error = json.loads(reply.body)["error"]
    assert error["code"] == 400
    assert error["constraintViolations"][0]["path"] == blamed
    assert error["constraintViolations"][0]["parameterLocation"] == "QUERY"


def test_a_cursor_of_the_other_order_is_refused(filled: EndpointProcess) -> None:
    page = filled.request("GET", "/v1/events", query={"limit": 1, "order": "newest"}).json()

    assert filled.request("GET", "/v1/events", query={"cursor": str(page["next"]), "order": "oldest"}).status == 400


def test_the_histogram_counts_every_event_once(filled: EndpointProcess, base_ms: int) -> None:
    query: dict[str, str | int] = {"since": base_ms, "until": base_ms + 12_000, "buckets": 3}
    answer = json.loads(filled.request("GET", "/v1/histogram", query=query).body)

    assert [bucket["start"] for bucket in answer["buckets"]] == [at(base_ms + at_ms) for at_ms in (0, 4_000, 8_000)]
    assert [bucket["end"] for bucket in answer["buckets"]] == [at(base_ms + at_ms) for at_ms in (4_000, 8_000, 12_000)]
    for bucket in answer["buckets"]:
        assert {status: count for status, count in bucket["counts"].items() if count} == {
            "ERROR": 1,
            "WARN": 1,
            "INFO": 2,
        }
    wanted = json.loads(filled.request("GET", "/v1/histogram", query={**query, "source": "bank"}).body)
    assert sum(sum(bucket["counts"].values()) for bucket in wanted["buckets"]) == 3


def test_the_histogram_is_of_the_last_day_unless_asked_otherwise(filled: EndpointProcess) -> None:
    answer = json.loads(filled.request("GET", "/v1/histogram").body)

    assert len(answer["buckets"]) == 60
    assert sum(sum(bucket["counts"].values()) for bucket in answer["buckets"]) == 12


def test_sources_are_named_with_their_sizes(filled: EndpointProcess) -> None:
    sources = json.loads(filled.request("GET", "/v1/sources").body)["sources"]

    assert {source["source"]: source["events"] for source in sources} == {"shop": 9, "bank": 3}


def test_the_figures_count_what_was_taken_and_what_was_refused(start: Start) -> None:
    endpoint = start()
    body = json.dumps([{"content": "a"}, {"content": "b"}, 7])
    assert endpoint.request("POST", "/v2/logs/ingest", body, JSON).status == 200
    assert endpoint.request("POST", "/v2/logs/ingest", "nonsense", {**JSON, "User-Agent": "odd/1"}).status == 400
    assert endpoint.request("POST", "/v2/events/ingest", "{}", {**JSON, "User-Agent": "lost/2"}).status == 404

    stats = endpoint.stats()
    assert stats["events"] == 2
    assert stats["bytes"] == len(body)
    assert stats["requests"] == 2
    assert stats["requests_by_status"] == {"200": 1, "400": 1}
    assert sum(stats["rejected"].values()) == 2  # type: ignore[attr-defined]
    assert stats["store"]["events"] == 2  # type: ignore[index]
    refused = json.loads(endpoint.request("GET", "/v1/refused").body)["refused"]
    assert [(kind["client"], kind["status"], kind["requests"]) for kind in refused][:2] == [
        ("lost/2", 404, 1),
        ("odd/1", 400, 1),
    ]
    assert "nonsense" not in json.dumps(refused)


def test_the_metrics_are_what_prometheus_reads(filled: EndpointProcess) -> None:
    reply = filled.request("GET", "/metrics")

    assert reply.headers["Content-Type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(reply.body.decode())}
    assert families["shipper_endpoint_accepted_events"].samples[0].value == 12
    assert families["shipper_endpoint_store_events"].samples[0].value == 12
    assert families["shipper_endpoint_requests"].samples[0].labels == {"status": "204"}
    assert families["shipper_endpoint_ingest_seconds"].type == "histogram"
    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_plain(endpoint: EndpointProcess, path: str) -> None:
    assert endpoint.request("GET", path).status == 200
    assert endpoint.request("HEAD", path).body == b""


def messages(raw: socket.socket) -> Iterator[tuple[str, str]]:
    """Yield the (event, data) of each message of a tail as it comes; comments and retry lines are left out."""
    lines = raw.makefile("r", encoding="utf-8", newline="\n")
    event = "message"
    for line in lines:
        name, _, value = line.rstrip("\r\n").partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, value
            event = "message"


@contextmanager
def tail(endpoint: EndpointProcess, query: str = "") -> Iterator[socket.socket]:
    with endpoint.connect() as raw:
        raw.sendall(f"GET /v1/tail{query} HTTP/1.1\r\nHost: localhost:{endpoint.port}\r\n\r\n".encode())
        assert b"text/event-stream" in read_until(raw, b"retry: ")
        yield raw


def test_the_tail_gives_what_arrives_and_only_what_is_asked_for(start: Start) -> None:
    endpoint = start()
    endpoint.ingest({"content": "before"})
    with tail(endpoint, "?severity=error&attr.team=a%20b") as raw:
        endpoint.ingest({"content": "no team", "severity": "error"}, {"content": "no error", "team": "a b"})
        endpoint.ingest(*[{"content": f"<script>{n}", "severity": "error", "team": "a b"} for n in range(3)])
        event, data = next(messages(raw))

    assert event == "message"
    assert [record["content"] for record in json.loads(data)] == ["<script>0", "<script>1", "<script>2"]
    assert json.loads(data)[0]["attributes"]["team"] == "a b"


def test_a_reader_of_the_tail_that_is_too_slow_is_told_what_it_missed(start: Start) -> None:
    endpoint = start()
    with tail(endpoint) as raw:
        sent = flood(endpoint, 0)
        got = missed = 0
        for event, data in messages(raw):
            content = json.loads(data)
            got += len(content) if event == "message" else 0
            missed += content["count"] if event == "dropped" else 0
            if not missed:
                sent = flood(endpoint, sent)  # faster than it reads, until buffers are full
            if got + missed >= sent:
                break

    assert missed > 0
    assert got + missed == sent


def flood(endpoint: EndpointProcess, sent: int) -> int:
    """Post 3,000 events, more than a message of the tail has; return how many it makes with *sent*."""
    assert sent < 200_000, "a reader that is this far behind was told nothing"
    for first in range(sent, sent + 3_000, 1_000):
        assert endpoint.ingest(*[{"content": f"{first + n} {'x' * 2_000}"} for n in range(1_000)]).status == 204
    return sent + 3_000


def test_readers_that_leave_give_their_place_back(start: Start) -> None:
    endpoint = start()
    with ExitStack() as readers:
        for _ in range(32):
            readers.enter_context(tail(endpoint))
        assert endpoint.request("GET", "/v1/tail").status == 503

    eventually(lambda: has_room(endpoint))


def has_room(endpoint: EndpointProcess) -> bool:
    with endpoint.connect() as raw:
        raw.sendall(f"GET /v1/tail HTTP/1.1\r\nHost: localhost:{endpoint.port}\r\n\r\n".encode())
        return raw.recv(100).startswith(b"HTTP/1.1 200 ")
