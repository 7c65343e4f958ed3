"""Pages over HTTP: read-only, for this host, and a page that fails is not passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp
import pytest

from shipper.adapters.health_server import CannotListen, HealthServer, Page, is_loopback
from tests.patience import PATIENCE_SECONDS


class Answer(NamedTuple):
    status: int
    body: str
    headers: dict[str, str]


async def fine() -> Page:
    return Page(200, b"ok\n")


async def red() -> Page:
    return Page(503, b'{"colour":"red"}', "application/json")


async def broken() -> Page:
    raise ZeroDivisionError("secret")


PAGES: dict[str, Callable[[], Awaitable[Page]]] = {"/livez": fine, "/health": red, "/broken": broken}


async def request(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{path}", headers=headers) as answer,
    ):
        return Answer(answer.status, await answer.text(), dict(answer.headers))


def asked(path: str, method: str = "GET", *, host: str = "127.0.0.1", **headers: str) -> Answer:
    async def scenario() -> Answer:
        server = HealthServer(host, 0, PAGES)
        port = await server.start()
        try:
            return await request(port, path, method, **headers)
        finally:
            await server.stop()
            await server.stop()

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "method", "status", "body"),
    [
        ("/livez", "GET", 200, "ok\n"),
        ("/livez?probe=1", "GET", 200, "ok\n"),
        ("/livez", "HEAD", 200, ""),
        ("/health", "GET", 503, '{"colour":"red"}'),
        ("/livez", "POST", 405, "only GET\n"),
        ("/nothing", "GET", 404, "there are: /livez /health /broken\n"),
    ],
)
def test_a_page_is_what_its_maker_says(path: str, method: str, status: int, body: str) -> None:
    answer = asked(path, method)

    assert (answer.status, answer.body) == (status, body)
    assert (answer.headers["Server"], answer.headers["Cache-Control"]) == ("shipper", "no-store")


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:9", 200), ("127.0.0.1", 200), ("[::1]:14498", 200), ("evil.example.com", 403), ("10.0.0.1:80", 403)],
)
def test_on_loopback_a_name_that_is_bound_to_this_host_anew_is_refused(host: str, status: int) -> None:
    assert asked("/livez", Host=host).status == status


def test_beyond_loopback_any_name_will_do() -> None:
    assert asked("/livez", host="0.0.0.0", Host="pod-7:14498").status == 200


def test_a_page_that_fails_is_answered_without_its_text_and_stops_the_agent() -> None:
    async def scenario() -> Answer:
        server = HealthServer("127.0.0.1", 0, PAGES)
        port = await server.start()
        answer = await request(port, "/broken")
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(server.failed(), PATIENCE_SECONDS)
        await server.stop()
        return answer

    answer = asyncio.run(scenario())

    assert (answer.status, answer.body) == (500, "the agent failed\n")


def test_a_port_that_is_taken_is_said() -> None:
    async def scenario() -> None:
        first = HealthServer("127.0.0.1", 0, PAGES)
        port = await first.start()
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1 port {port}: "):
            await HealthServer("127.0.0.1", port, PAGES).start()
        await first.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "loopback"),
    [("localhost", True), ("127.8.8.8", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("a.example", False)],
)
def test_loopback_is_what_can_only_be_this_host(name: str, loopback: bool) -> None:
    assert is_loopback(name) is loopback
