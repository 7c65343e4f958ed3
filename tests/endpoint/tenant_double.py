"""A tenant on loopback: a real HTTP(S) server that notes what it gets and answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from shipper.endpoint.forwarder import ForwardBatch, Forwarder, Pace
from tests.patience import PATIENCE_SECONDS

NOW_S = 1_771_795_739.0
TOKEN = "dt0c01.SAMPLE.NEVERSHOWN"

Events = list[dict[str, Any]]
Answering = Callable[[Events, int], web.StreamResponse]


class Got(NamedTuple):
    """A request that the tenant saw."""

    path: str
    headers: dict[str, str]
    events: Events


def taken(events: Events, number: int) -> web.Response:
    """Answer the 204."""
    del events, number
    return web.Response(status=204)


def error(status: int, message: str, **headers: str) -> web.Response:
    """Answer an ErrorEnvelope."""
    return web.json_response({"error": {"code": status, "message": message}}, status=status, headers=headers)


def in_turn(*answers: web.Response | type[ConnectionError]) -> Answering:
    """Answer these first, then always the 204; an error instead of an answer cuts the connection."""

    def answering(events: Events, number: int) -> web.Response:
        answer = answers[number] if number < len(answers) else taken(events, number)
        if isinstance(answer, type):
            raise answer
        return answer

    return answering


class TenantDouble:
    """Notes every request, and the events of those that it answered with 2xx."""

    def __init__(self, answering: Answering = taken) -> None:
        """Answer as *answering* says, given the events and the number of the request from 0."""
        self.answering = answering
        self.got: list[Got] = []
        self.kept: Events = []
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[TenantDouble]:
        """Listen on a free port of 127.0.0.1."""
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        # aiohttp inflates what says that it is gzip.
        assert request.headers["Content-Encoding"] == "gzip"
        events = msgspec.json.decode(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        self.got.append(Got(request.path, {k.lower(): v for k, v in request.headers.items()}, events))
        try:
            answer = self.answering(events, len(self.got) - 1)
        except ConnectionError:
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=500)
        if answer.status < 300:
            self.kept += events
        return answer


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(talk: Talk) -> AsyncIterator[str]:
    """Serve connections by *talk* and yield the URL; at the end every connection is closed."""
    under_way: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        if under_way:
            await asyncio.wait(under_way, timeout=PATIENCE_SECONDS)


class MemoryBacklog:
    """A backlog that a test fills; *emptied* is set whenever nothing waits."""

    def __init__(self, events: Events) -> None:
        """Begin with *events* waiting."""
        self.events = [msgspec.json.encode(event) for event in events]
        self.position = 0
        self.emptied = asyncio.Event()

    async def next(self, max_bytes: int, max_events: int) -> ForwardBatch | None:
        """Return what fits."""
        pieces: list[bytes] = []
        for piece in self.events[self.position : self.position + max_events]:
            if pieces and sum(map(len, pieces)) + len(pieces) + len(piece) > max_bytes:
                break
            pieces.append(piece)
        if not pieces:
            self.emptied.set()
            return None
        return ForwardBatch(str(self.position + len(pieces)), b",".join(pieces), len(pieces))

    async def done(self, batch: ForwardBatch) -> None:
        """Move on."""
        self.position = int(batch.position)

    def waiting(self) -> tuple[int, int]:
        """Return what waits."""
        rest = self.events[self.position :]
        return len(rest), sum(map(len, rest))


class Clock:
    """Notes every wait and makes none of it."""

    def __init__(self) -> None:
        """Begin at `NOW_S`."""
        self.now_s = NOW_S
        self.waits: list[float] = []
        self.on_wait: Callable[[int, float], None] = lambda number, seconds: None

    async def sleep(self, seconds: float) -> None:
        """Note *seconds*, but for looks at an empty backlog."""
        if seconds != IDLE_SECONDS:
            self.waits.append(seconds)
            self.now_s += seconds
            self.on_wait(len(self.waits) - 1, seconds)
        await asyncio.sleep(0)


IDLE_SECONDS = 0.123
PACE = Pace(idle_seconds=IDLE_SECONDS, max_events=100)


class Outcome(NamedTuple):
    """What came of it."""

    tenant: TenantDouble
    backlog: MemoryBacklog
    clock: Clock
    stats: dict[str, object]
    said: list[str]


def forward(
    events: Events,
    answering: Answering = taken,
    *,
    pace: Pace = PACE,
    on_wait: Callable[[MemoryBacklog, TenantDouble, Clock, int], None] | None = None,
    server_tls: ssl.SSLContext | None = None,
    path: str = "",
    until_waits: int | None = None,
    **options: Any,
) -> Outcome:
    """Forward *events* to a tenant that answers so, until nothing waits or *until_waits* waits were noted."""

    async def scenario() -> Outcome:
        backlog, clock, tenant = MemoryBacklog(events), Clock(), TenantDouble(answering)
        said: list[str] = []
        ended = asyncio.Event()

        def note(number: int, _seconds: float) -> None:
            if on_wait is not None:
                on_wait(backlog, tenant, clock, number)
            if until_waits is not None and number + 1 >= until_waits:
                ended.set()

        clock.on_wait = note
        async with tenant.serving(server_tls):
            forwarder = Forwarder(
                backlog,
                tenant.url + path,
                options.pop("token", TOKEN),
                pace=pace,
                speak=lambda event, **fields: said.append(f"{event} {fields}"),
                now_s=lambda: clock.now_s,
                sleep=clock.sleep,
                **options,
            )
            task = asyncio.create_task(forwarder.run())
            waiters = [task, *(asyncio.create_task(event.wait()) for event in (backlog.emptied, ended))]
            done, _ = await asyncio.wait(waiters, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            assert done, "nothing came of it in time"
            for waiter in waiters:
                waiter.cancel()
            results = await asyncio.gather(*waiters, return_exceptions=True)
            if isinstance(results[0], Exception):
                raise results[0]
            return Outcome(tenant, backlog, clock, forwarder.stats(), said)

    return asyncio.run(scenario())
