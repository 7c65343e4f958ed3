"""Slow, idle and too many clients: each is bounded, and the others are served meanwhile."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest

from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import INGEST, EndpointProcess, eventually, head, read_to_end

DEFAULT_BODY_SECONDS, DEFAULT_IDLE_SECONDS = 60.0, 75.0


def test_slow_clients_are_cut_off_while_others_are_served(start: Start) -> None:
    patience = ("--read-timeout", "500ms", "--body-timeout", "1500ms", "--idle-timeout", "700ms")
    endpoint = start(*patience)
    with endpoint.connect() as idle, endpoint.connect() as in_head, endpoint.connect() as in_body:
        in_head.sendall(f"POST {INGEST} HTTP/1.1\r\nHost: local".encode())
        in_body.sendall(head(endpoint, "Content-Type: application/json", "Content-Length: 100") + b'{"con')
        assert endpoint.ingest({"content": "not slow"}).status == 204

        assert read_to_end(in_head).startswith(b"HTTP/1.1 408 ")
        assert read_to_end(in_body).startswith(b"HTTP/1.1 408 ")
        idle.settimeout(DEFAULT_IDLE_SECONDS - 5)
        assert read_to_end(idle) == b""
    with endpoint.connect() as trickle:
        trickle.sendall(head(endpoint, "Content-Type: application/json", "Content-Length: 100000"))
        assert trickle_until_refused(trickle).startswith(b"HTTP/1.1 408 ")
    assert endpoint.stop() == 0


def trickle_until_refused(raw: socket.socket) -> bytes:
    """Send a byte now and then, never silent for long, until something is answered.

    That is after 1.5 s by the option and after 60 s by default: what lies between them is for busy machines.
    """
    raw.settimeout(0.1)
    until = time.monotonic() + DEFAULT_BODY_SECONDS
    while time.monotonic() < until:
        raw.sendall(b" ")
        try:
            return raw.recv(65_536)
        except TimeoutError:
            continue
    raise AssertionError("a trickle was read as long as if there were no option")


def test_a_thousand_idle_connections_do_not_stop_ingest(start: Start) -> None:
    endpoint = start()
    with ExitStack() as stack:
        connections = [stack.enter_context(endpoint.connect()) for _ in range(1_000)]
        for raw in connections[::2]:
            raw.sendall(b"POST /v2/logs/ingest HTTP/1.1\r\n")  # half of them have begun a head

        statuses = {endpoint.ingest({"content": f"beside {number}"}).status for number in range(50)}

        assert statuses == {204}
        assert len(endpoint.events(q="beside")) == 50
    assert endpoint.stop() == 0


@pytest.mark.parametrize(
    ("option", "events", "statuses"),
    [
        pytest.param("--requests-per-minute", 1, [204, 204, 429], id="requests"),
        pytest.param("--events-per-minute", 2, [204, 429, 429], id="events"),
    ],
)
def test_a_limit_a_minute_answers_429_and_says_when(
    start: Start, option: str, events: int, statuses: list[int]
) -> None:
    endpoint = start(option, "2")
    replies = [endpoint.ingest(*[{"content": "x"}] * events) for _ in statuses]

    assert [reply.status for reply in replies] == statuses
    assert int(replies[-1].headers["Retry-After"]) > 0
    assert len(endpoint.events()) == events * statuses.count(204)
    assert endpoint.stop() == 0


def test_who_closes_at_once_after_the_answer_leaves_no_connection(start: Start) -> None:
    endpoint = start()
    for _ in range(100):
        endpoint.request("GET", "/livez")

    # One is the connection that asks.
    eventually(lambda: connections_of(endpoint) == 1)


def connections_of(endpoint: EndpointProcess) -> int:
    numbers = endpoint.request("GET", "/metrics").body.decode().splitlines()
    return next(int(float(line.split()[1])) for line in numbers if line.startswith("shipper_endpoint_server_conn"))
