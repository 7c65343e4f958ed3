"""The endpoint's HTTP server: every request past the gatekeeper to its route, and a stop that loses nothing.

Routes are a table; an unknown path is a 404 and a wrong method a 405, both as
an ErrorEnvelope, whoever asks. No access log: it would hold the clients' query
strings, which become attributes of their events.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from aiohttp import web

from shipper.endpoint import answers, gatekeeper
from shipper.endpoint.attached import Attached
from shipper.endpoint.connection import Connection, Connections, Handler
from shipper.endpoint.figures import Figures
from shipper.endpoint.listening import BACKLOG
from shipper.endpoint.options import Settings
from shipper.endpoint.pages import Pages
from shipper.endpoint.parameters import BadParameter
from shipper.endpoint.protocol import INGEST_PATHS, limits_for, refuse
from shipper.endpoint.refusals import Refusals
from shipper.endpoint.routes_ingest import IngestRoute
from shipper.endpoint.routes_read import Numbers, ReadRoutes
from shipper.endpoint.routes_tail import TailRoute
from shipper.endpoint.store import Store

STOP_SECONDS: Final = 5.0  # the agent gives its child 10
_VERSIONS: Final = {(1, 0), (1, 1)}
_READ_METHODS: Final = ("GET", "HEAD")


class EndpointServer:
    """Serves one store on given sockets; owns the figures, the refusals and the routes, not the store.

    Attributes:
        fault: Fails when the store does; the endpoint is to end then.
    """

    def __init__(
        self, store: Store, settings: Settings, now_ms: Callable[[], int], forwarding: Numbers = dict[str, object]
    ) -> None:
        """*forwarding* are the forwarder's numbers, read when somebody asks."""
        self.fault: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._now_ms = now_ms
        self._stopping = asyncio.Event()
        self._answered = asyncio.Event()
        self._under_way = 0
        self._port = 0
        self._figures = Figures(now_ms())
        self._refusals = Refusals()
        self._pages = Pages()
        attached = Attached()
        self._ingest = IngestRoute(
            store, limits_for(settings.profile), self._figures, self._refusals, now_ms, settings.patience, self._fail,
            attached, profile=settings.profile, rates=settings.rates, lenient=settings.lenient,
        )  # fmt: skip
        read = ReadRoutes(store, self._figures, self._refusals, now_ms, forwarding, attached)
        self._routes: dict[str, Handler] = {
            "/v1/events": read.events,
            "/v1/histogram": read.histogram,
            "/v1/stats": read.stats,
            "/v1/sources": read.sources,
            "/v1/refused": read.refused,
            "/v1/tail": TailRoute(store, self._stopping),
            "/metrics": read.metrics,
            "/livez": read.livez,
            "/readyz": self._readyz,
        }
        connections = Connections(self._serve, settings.patience, most=settings.most_connections)
        self._runner = web.ServerRunner(connections, shutdown_timeout=1.0)
        self._figures.watch("store", store.stats)
        self._figures.watch("forwarder", forwarding)
        self._figures.watch("server", lambda: {"connections": len(connections.connections)})

    async def start(self, sockets: list[socket.socket]) -> None:
        """Accept requests on *sockets*, which all have one port."""
        self._port = sockets[0].getsockname()[1]
        await self._runner.setup()
        for listening in sockets:
            await web.SockSite(self._runner, listening, backlog=BACKLOG).start()

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Accept no more, let requests under way finish for up to *seconds*, end every connection."""
        self._stopping.set()
        for site in list(self._runner.sites):
            await site.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._under_way:
                    self._answered.clear()
                    await self._answered.wait()
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, Connection):
            raise TypeError(f"a request of a {type(connection).__name__}")
        self._under_way += 1
        connection.begin()
        try:
            response = await self._answer(request)
            if self._stopping.is_set() or connection.has_said_all:
                response.force_close()
            return response
        finally:
            self._under_way -= 1
            self._answered.set()
            connection.end()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        if tuple(request.version) not in _VERSIONS:
            return self._turn_away(request, 400, "Only HTTP/1.1 and HTTP/1.0 are spoken here")
        refusal = gatekeeper.refusal(
            port=self._port,
            hosts=headers.getall("Host", []),
            origins=headers.getall("Origin", []),
            fetch_sites=headers.getall("Sec-Fetch-Site", []),
            target=request.raw_path,
        )
        if refusal is not None:
            return self._turn_away(request, 403, refusal)
        path = request.rel_url.raw_path
        if path in INGEST_PATHS:
            return await self._ingest(request)
        route = self._routes.get(path)
        if route is None and path not in self._pages:
            return self._turn_away(request, 404, "Not found; logs are taken by POST /v2/logs/ingest")
        if request.method not in _READ_METHODS:
            return answers.respond(refuse(405, "Method not allowed", headers={"Allow": ", ".join(_READ_METHODS)}))
        if route is None:
            return self._pages.answer(path)
        try:
            return await route(request)
        except BadParameter as error:
            return answers.bad_parameter(error.name, str(error))
        except TimeoutError:
            return answers.error(503, "The question took too long; narrow its time range")

    def _fail(self, error: Exception) -> None:
        if not self.fault.done():
            self.fault.set_exception(error)

    def _turn_away(self, request: web.BaseRequest, status: int, reason: str) -> web.Response:
        self._figures.refused[str(status)] += 1
        self._refusals.note(request.headers.get("User-Agent", ""), status, reason, 0, self._now_ms())
        return answers.error(status, reason)

    async def _readyz(self, _request: web.BaseRequest) -> web.StreamResponse:
        if self._stopping.is_set():
            return answers.error(503, "The endpoint is stopping")
        if self._ingest.is_full:
            return answers.error(503, "Usable space limit reached")
        return answers.text(b"ready\n", "text/plain; charset=utf-8")
