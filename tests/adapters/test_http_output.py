"""Posting against real sockets: what a misbehaving endpoint, a proxy setting or a slow answer does to a batch."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest

from shipper.adapters.http_output import LONGEST_ANSWER_BYTES, HttpOutput
from shipper.core.delivery import Response
from shipper.errors import EndpointUnreachable
from tests.http_loop import HttpLoop, Request

ACCEPTED = b"HTTP/1.1 204 No Content\r\n\r\n"
EEC = b"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\nServer: EEC\r\nContent-Length: 116"
EEC_BODY = b'{"details":{"code":200,"message":"fine"}}'.ljust(116)


class Endpoint(HttpLoop):
    """Answers each request with the next of *answers* (the last one again); remembers what it was sent."""

    def __init__(self, *answers: bytes | list[bytes], host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(port, host)
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._answers = list(answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2/logs/ingest"

    @property
    def localhost(self) -> str:
        return f"http://localhost:{self.port}/"

    def welcomes(self) -> bool:
        """Count the connection."""
        self.connections += 1
        return True

    async def answer(self, request: Request) -> bool:
        """Give the next answer, piece by piece."""
        self.bodies.append(request.body)
        self.heads.append(request.head)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        for piece in [answer] if isinstance(answer, bytes) else answer:
            if piece == b"close":
                return False
            request.writer.write(piece)
            await request.writer.drain()
            await asyncio.sleep(0.01)  # so that the pieces arrive as segments of their own
        return True


@asynccontextmanager
async def opened(url: str, **options: object) -> AsyncIterator[HttpOutput]:
    output = HttpOutput(url, **options)  # type: ignore[arg-type]  # options are spelt out at the call
    try:
        yield output
    finally:
        await output.close()


def post(endpoint: Endpoint, times: int = 1, **options: object) -> list[Response | str]:
    """Post *times* requests over one output, one after the other; an error counts as its text."""

    async def run() -> list[Response | str]:
        async with endpoint:
            results: list[Response | str] = []
            async with opened(str(options.pop("url", endpoint.url)), loopback=True, **options) as output:
                for _ in range(times):
                    try:
                        results.append(await output.post([b"[", memoryview(b'{"content":"x"}'), b"]"]))
                    except EndpointUnreachable as error:
                        results.append(str(error))
            return results

    return asyncio.run(run())


def statuses(results: list[Response | str]) -> list[int | str]:
    return [result if isinstance(result, str) else result.status for result in results]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(EEC + b"\r\n\r\n" + EEC_BODY, id="body_with_the_head"),
        pytest.param([EEC + b"\r\n\r\n", EEC_BODY], id="body_later"),
        pytest.param([EEC[:40], EEC[40:] + b"\r\n\r", b"\n" + EEC_BODY], id="head_in_pieces"),
        pytest.param([EEC + b"\r\n\r\n"], id="announced_and_not_sent"),
        pytest.param(EEC + b"\r\nDate: now\r\n\r\n" + EEC_BODY, id="length_amid_the_headers"),
        pytest.param(
            ACCEPTED + b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", id="an_answer_that_nobody_asked_for"
        ),
        pytest.param(b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="chunked_body"),
    ],
)
def test_a_204_with_a_body_is_accepted_and_does_not_poison_the_next_answer(answer: bytes | list[bytes]) -> None:
    endpoint = Endpoint(answer, b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", ACCEPTED)

    assert statuses(post(endpoint, 3)) == [204, 429, 204]


def test_a_plain_204_keeps_its_connection() -> None:
    endpoint = Endpoint(ACCEPTED)

    assert statuses(post(endpoint, 3)) == [204, 204, 204]
    assert endpoint.connections == 1


def test_an_interim_answer_is_passed_over() -> None:
    endpoint = Endpoint(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + ACCEPTED)

    assert statuses(post(endpoint)) == [204]


def test_a_body_that_arrives_in_pieces_is_read_whole() -> None:
    endpoint = Endpoint([b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"a"', b': "b', b'c"} '])

    (answer,) = post(endpoint)

    assert isinstance(answer, Response)
    assert answer.body == b'{"a": "bc"} '


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"close"], id="half_a_body"),
        pytest.param([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", b"close"], id="half_a_chunk"),
        pytest.param([b"HTTP/1.1 20", b"close"], id="half_a_status_line"),
        pytest.param([b"HTTP/1.1 204 No Content\r\nServer: E", b"close"], id="half_a_head"),
        pytest.param([b"close"], id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", id="another_protocol"),
    ],
)
def test_an_answer_that_is_cut_short_is_none(answer: bytes | list[bytes]) -> None:
    endpoint = Endpoint(answer, ACCEPTED)

    first, second = statuses(post(endpoint, 2))

    assert isinstance(first, str)
    assert second == 204


def test_no_more_of_an_endless_body_is_read_than_is_looked_at() -> None:
    endless = [b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"8000\r\n" + b"x" * 32_768 + b"\r\n"] * 4]
    endpoint = Endpoint(endless, ACCEPTED)

    first, second = post(endpoint, 2)

    assert isinstance(first, Response)
    assert len(first.body) == LONGEST_ANSWER_BYTES
    assert isinstance(second, Response)


def test_an_answer_that_does_not_come_in_time_is_none() -> None:
    endpoint = Endpoint([b"HTTP/1.1 200 OK\r\n"])

    assert statuses(post(endpoint, timeout_seconds=0.1)) == ["no answer in time"]


def test_a_port_where_nobody_listens_says_so() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"

        assert statuses(post(Endpoint(ACCEPTED), url=url)) == ["connection refused: nothing listens there"]


def test_loopback_bypasses_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert statuses(post(Endpoint(ACCEPTED))) == [204]


def test_any_other_host_is_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> bytes:
        async with Endpoint(ACCEPTED) as proxy:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
            async with opened("http://logs.example/api/v2/logs/ingest", loopback=False) as output:
                await output.post([b"[]"])
            return proxy.heads[0]

    assert asyncio.run(run()).startswith(b"POST http://logs.example/api/v2/logs/ingest HTTP/1.1\r\n")


def test_localhost_is_127_0_0_1_before_it_is_ipv6() -> None:
    async def run() -> tuple[int, int]:
        async with Endpoint(ACCEPTED) as four, Endpoint(ACCEPTED, host="::1", port=four.port) as six:
            async with opened(four.localhost, loopback=True) as output:
                await output.post([b"[]"])
            return four.connections, six.connections

    assert asyncio.run(run()) == (1, 0)


def test_localhost_is_ipv6_where_nobody_listens_on_127_0_0_1() -> None:
    async def run() -> int:
        async with Endpoint(ACCEPTED, host="::1") as six, opened(six.localhost, loopback=True) as output:
            return (await output.post([b"[]"])).status

    assert asyncio.run(run()) == 204


@pytest.mark.parametrize(
    ("loopback", "authorization", "expected"),
    [
        pytest.param(True, "Api-Token dt0c01.x", False, id="never_to_loopback"),
        pytest.param(False, "Api-Token dt0c01.x", True, id="as_configured"),
        pytest.param(False, None, False, id="none_configured"),
    ],
)
def test_the_token_goes_only_where_it_belongs(loopback: bool, authorization: str | None, expected: bool) -> None:
    async def run() -> bytes:
        async with Endpoint(ACCEPTED) as endpoint:
            async with opened(endpoint.url, loopback=loopback, authorization=authorization) as output:
                await output.post([b"[]"])
            return endpoint.heads[0]

    assert (b"\r\nAuthorization: Api-Token dt0c01.x\r\n" in asyncio.run(run())) is expected


@pytest.mark.parametrize("size", [100, 200_000], ids=["small", "large"])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_the_body_arrives_as_a_json_array(size: int, compress: bool) -> None:
    body: list[bytes | memoryview] = [b"[", memoryview(b'"' + b"x" * size + b'"'), b",", b"1", b"]"]

    async def run() -> tuple[bytes, bytes]:
        async with Endpoint(ACCEPTED) as endpoint:
            async with opened(endpoint.url, loopback=True, compress=compress) as output:
                await output.post(body)
            return endpoint.heads[0], endpoint.bodies[0]

    head, sent = asyncio.run(run())

    assert (gzip.decompress(sent) if compress else sent) == b"".join(body)
    assert (b"\r\nContent-Encoding: gzip\r\n" in head) is compress
    assert b"\r\nContent-Type: application/json; charset=utf-8\r\n" in head


def test_redirects_are_answers() -> None:
    endpoint = Endpoint(b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n")

    assert statuses(post(endpoint)) == [302]
