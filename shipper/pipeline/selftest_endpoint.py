"""A private ingest endpoint for `shipper selftest`: it refuses when it is told to, and remembers what it took.

It answers 204 to what it takes, as the reference page says; it stores nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from aiohttp import web

from shipper.errors import ShipperError

_HOST = "127.0.0.1"
_LARGEST_BYTES = 16 << 20

Refusal = Callable[[int], web.Response | None]


class _Event(msgspec.Struct):
    content: str


_decode = msgspec.json.Decoder(list[_Event]).decode


def take_all(events: int) -> web.Response | None:
    """Refuse nothing."""
    del events
    return None


def busy(events: int) -> web.Response | None:
    """Answer 429, and ask for a pause of a second."""
    del events
    return _error(HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": "1"})


def small_requests(most: int) -> Refusal:
    """Return what answers 413 to requests with more than *most* events."""
    return lambda events: _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {}) if events > most else None


class DrillEndpoint:
    """Serves one port of this host; owned by the self-test.

    Attributes:
        taken: How often each content was acknowledged.
        refusals: Requests that were refused.
        answer_seconds: How long the answer takes, once the events are taken.
        refuse: Given the number of a request's events, answers it, or None to take it; may be changed at any time.
    """

    def __init__(self) -> None:
        """Serve nothing yet."""
        self.taken = Counter[str]()
        self.refusals = 0
        self.answer_seconds = 0.0
        self.refuse: Refusal = take_all
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where events are posted."""
        return f"http://{_HOST}:{self._port}/v2/logs/ingest"

    async def start(self) -> None:
        """Listen, on the same port as before when it was stopped.

        Raises:
            ShipperError: The port cannot be served.
        """
        app = web.Application(client_max_size=_LARGEST_BYTES)
        app.router.add_post("/v2/logs/ingest", self._ingest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, _HOST, self._port, reuse_address=True).start()
        except OSError as error:
            raise ShipperError(f"the private endpoint cannot listen on {_HOST}: {error.strerror or error}") from error
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _ingest(self, request: web.Request) -> web.Response:
        events = _decode(await request.read())
        answer = self.refuse(len(events))
        if answer is not None:
            self.refusals += 1
            return answer
        self.taken.update(event.content for event in events)
        await asyncio.sleep(self.answer_seconds)
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _error(status: HTTPStatus, headers: dict[str, str]) -> web.Response:
    return web.json_response(
        {"error": {"code": int(status), "message": status.phrase}}, status=int(status), headers=headers
    )
