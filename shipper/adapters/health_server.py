"""A few pages over HTTP, for Prometheus and for whoever asks whether the agent lives: read-only, on this host.

What the pages say is the caller's. A page of the web must not read them by way
of a name that it has bound to this host anew: on loopback, the name that was
asked for must be a loopback name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from aiohttp import web

from shipper.errors import ShipperError

_PORT: Final = re.compile(r":\d{1,5}\Z")
_STOP_SECONDS: Final = 1.0
_HEADERS: Final = {"Server": "shipper", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_TEXT: Final = "text/plain; charset=utf-8"


class Page(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    content_type: str = _TEXT


Pages = Mapping[str, Callable[[], Awaitable[Page]]]


class CannotListen(ShipperError):
    """The port is taken, or the address is not of this host."""


class HealthServer:
    """Serves *pages*, by path, on one address.

    An error of a page is answered with 500 and raised by `failed`, for the agent to stop on.
    """

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        """Port 0 takes a free one."""
        self._host = host
        self._port = port
        self._pages = pages
        self._runner: web.ServerRunner | None = None
        self._failure: asyncio.Future[None] | None = None

    async def start(self) -> int:
        """Listen; return the port.

        Raises:
            CannotListen: That address and port cannot be had.
        """
        self._failure = asyncio.get_running_loop().create_future()
        runner = web.ServerRunner(web.Server(self._answer), access_log=None, shutdown_timeout=_STOP_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise CannotListen(f"{self._host} port {self._port}: {error.strerror or error}") from error
        self._runner = runner
        port: int = runner.addresses[0][1]
        return port

    async def failed(self) -> None:
        """Wait until a page raises, and raise it."""
        if self._failure is None:
            raise RuntimeError("not started")
        await asyncio.shield(self._failure)

    async def stop(self) -> None:
        """Close the port and every connection; a second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        if self._failure is not None and not self._failure.done():
            self._failure.cancel()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        page = await self._page(request)
        return web.Response(
            status=page.status, body=page.body, headers={**_HEADERS, "Content-Type": page.content_type}
        )  # fmt: skip

    async def _page(self, request: web.BaseRequest) -> Page:
        if request.method not in ("GET", "HEAD"):
            return Page(405, b"only GET\n")
        if not self._is_meant(request.headers.get("Host", "")):
            return Page(403, b"ask for this host by its loopback name\n")
        make = self._pages.get(request.path)
        if make is None:
            return Page(404, f"there are: {' '.join(self._pages)}\n".encode())
        try:
            return await make()
        except Exception as error:  # noqa: BLE001 -- the outermost frame of a request; the agent stops on it
            if self._failure is not None and not self._failure.done():
                self._failure.set_exception(error)
            return Page(500, b"the agent failed\n")

    def _is_meant(self, authority: str) -> bool:
        return not is_loopback(self._host) or is_loopback(_PORT.sub("", authority).strip("[]"))


def is_loopback(name: str) -> bool:
    """Return whether *name* can only be this host."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
