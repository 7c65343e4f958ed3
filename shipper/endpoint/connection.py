"""One client's connection: how long it may dawdle, and what it is told when it does not speak HTTP.

aiohttp's protocol does the work. Added here: a head (request line and headers)
must be complete within `Patience.read_seconds` of its first byte, however long
a kept-alive connection may be idle; who does not take an answer is cut off; past `most` connections the one that has
idled longest makes room; and no error page is ever HTML or a traceback.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from shipper.endpoint import answers
from shipper.endpoint.options import Patience
from shipper.endpoint.saying import say

LONGEST_HEADER_BYTES: Final = 8_190
MOST_HEADERS: Final = 100
# After an early answer (413) the rest of the body is read and thrown away this
# long: a client that is cut off while it sends never reads the answer.
_DRAIN_SECONDS: Final = 5.0
_LATE_HEAD: Final = b"HTTP/1.1 408 Request Timeout\r\nServer: EEC\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connection(web.RequestHandler):
    """A connection and its two clocks.

    Attributes:
        busy: A request of it is being answered; the server sets it.
        has_said_all: It closed its half, waiting for an answer; there is no next request.
        gone: Set when the client has closed its half, or the connection has ended: who streams without end stops.
    """

    __slots__ = ("_head_timer", "_patience", "_write_timer", "busy", "gone", "has_said_all")

    def __init__(self, server: web.Server, patience: Patience, *, loop: asyncio.AbstractEventLoop) -> None:
        """*server* counts it among its connections."""
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=patience.idle_seconds,
            access_log=None,  # type: ignore[arg-type]  # "access_log (None for disabled)", its documentation says
            max_line_size=LONGEST_HEADER_BYTES,
            max_field_size=LONGEST_HEADER_BYTES,
            max_headers=MOST_HEADERS,
            lingering_time=_DRAIN_SECONDS,
            auto_decompress=False,
        )
        self.busy = False
        self.has_said_all = False
        self.gone = asyncio.Event()
        self._patience = patience
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Start the head's clock with its first byte."""
        if not self.busy and self._head_timer is None:
            self._head_timer = asyncio.get_running_loop().call_later(self._patience.read_seconds, self._cut_off)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the clocks and tell who waits for it."""
        self.gone.set()
        self._stop_head_clock()
        self._stop_write_clock()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's: True keeps the transport open for writing
        """Let a client that has said everything, and closed its half, have its answer."""
        is_idle = self._waiter is not None and not self._waiter.done()
        is_cut_short = self._current_request is not None and not self._current_request.content.is_eof()
        self.has_said_all = not (is_idle or is_cut_short)
        self.gone.set()
        if self.has_said_all:
            # Its answer may be on its way already, and say that the connection is kept: nobody else would end it
            # before `idle_seconds`.
            self.close()
        return self.has_said_all

    def pause_writing(self) -> None:
        """Start the clock of a client that does not take its answer."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = asyncio.get_running_loop().call_later(self._patience.body_seconds, self._abort)

    def resume_writing(self) -> None:
        """Stop it."""
        self._stop_write_clock()
        super().resume_writing()

    def begin(self) -> None:
        """Note that a head is complete and its request is being answered."""
        self._stop_head_clock()
        self.busy = True

    def end(self) -> None:
        """Note that the answer is given."""
        self.busy = False

    def forgo_rest(self) -> None:
        """Do not wait for what is left of the request's body: it is not coming."""
        self._lingering_time = 0.0

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Return the envelope for what the parser refused, or for a fault of ours.

        What the client sent is not repeated: it may be a log's content.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: the connection can only be ended")
        if status < 500:
            if isinstance(exc, LineTooLong):
                response = answers.error(431, "Request header fields too large")
            else:
                response = answers.error(400, "The request is not valid HTTP/1.1")
        else:
            frames = traceback.extract_tb(exc.__traceback__) if exc else []
            say(
                "request_failed", error=type(exc).__name__, path=request.path,
                at=" < ".join(f"{f.filename}:{f.lineno}" for f in reversed(frames[-4:])),
            )  # fmt: skip
            response = answers.error(500, "Internal error; see the endpoint's own log")
        response.force_close()
        return response

    def _cut_off(self) -> None:
        self._head_timer = None
        if not self.busy and self.transport is not None:
            self.transport.write(_LATE_HEAD)
            self.force_close()

    def _abort(self) -> None:
        self._write_timer = None
        if self.transport is not None:
            self.transport.abort()

    def _stop_head_clock(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_write_clock(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


class Connections(web.Server):
    """All connections of the endpoint; makes each, and keeps their number down to *most*."""

    def __init__(self, handler: Handler, patience: Patience, *, most: int) -> None:
        """*handler* answers every request."""
        super().__init__(handler)
        self._patience = patience
        self._most = most

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return Connection(self, self._patience, loop=asyncio.get_running_loop())

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Make room by closing the connection that has been idle longest, or the new one when all are busy."""
        super().connection_made(handler, transport)
        if len(self._connections) <= self._most:
            return
        idle = (one for one in self._connections if isinstance(one, Connection) and not one.busy)
        next(idle, handler).force_close()
