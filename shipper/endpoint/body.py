"""A request's body as it comes in: counted, inflated and timed while it is read, never after.

What is held in memory is bounded for one request by the limits and for all of
them together by `Bodies`: a thousand clients that stop in the middle of 10 MB
cost a bounded amount, and each is cut off in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

from shipper.endpoint.connection import Connection
from shipper.endpoint.options import Patience
from shipper.endpoint.protocol import Answer, Inflater, Limits, is_compressed, refuse
from shipper.endpoint.protocol.request import too_large

ALL_BODIES_BYTES: Final = 128 * 1024 * 1024
_SLICE_BYTES: Final = 8 * 1024


class Bodies:
    """Reads bodies; owns the count of what all of them hold in memory."""

    def __init__(self, limits: Limits, patience: Patience, most_bytes: int = ALL_BODIES_BYTES) -> None:
        """*most_bytes* for all requests that are being read or stored."""
        self._limits = limits
        self._patience = patience
        self._most_bytes = most_bytes
        self._held_bytes = 0

    async def read(self, request: web.BaseRequest, headers: Mapping[str, str]) -> bytes | Answer:
        """Return the body, inflated; or the 400, 408, 413 or 503 that refuses it, after which the connection ends.

        Whoever gets a body says `release` when it is stored.
        """
        reader = _Reader(self, self._limits, inflate=is_compressed(headers))
        whole = False
        try:
            answer = await reader.read_all(request, self._patience)
            whole = answer is None
        except TimeoutError:
            answer = refuse(408, "The body did not arrive in time")
            if isinstance(request.protocol, Connection):
                request.protocol.forgo_rest()
        except (RequestPayloadError, HttpProcessingError, ConnectionError):
            answer = refuse(400, "The body is cut short or its chunks are malformed")
        finally:
            if not whole:
                self.release(reader.held_bytes)
        if answer is None:
            return reader.body()
        answer.headers["Connection"] = "close"
        return answer

    def hold(self, count: int) -> bool:
        """Count *count* bytes more as held; return whether all together are within bounds."""
        self._held_bytes += count
        return self._held_bytes <= self._most_bytes

    def release(self, count: int) -> None:
        """Count *count* bytes as let go."""
        self._held_bytes -= count


class _Reader:
    """One body on its way in."""

    def __init__(self, bodies: Bodies, limits: Limits, *, inflate: bool) -> None:
        self.held_bytes = 0
        self._bodies = bodies
        self._limits = limits
        self._inflater = Inflater(limits) if inflate else None
        self._pieces: list[bytes] = []
        self._wire_bytes = 0

    async def read_all(self, request: web.BaseRequest, patience: Patience) -> Answer | None:
        """Read to the end, or return what refuses the body at the piece that shows it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + patience.body_seconds
        async with asyncio.timeout(None) as clock:
            while True:
                clock.reschedule(min(loop.time() + patience.read_seconds, end))
                piece = await request.content.readany()
                if not piece:
                    return self._inflater.finish() if self._inflater else None
                refused = self._take(piece)
                if refused is not None:
                    return refused

    def body(self) -> bytes:
        """Return what was read."""
        return self._inflater.body if self._inflater else b"".join(self._pieces)

    def _take(self, piece: bytes) -> Answer | None:
        self._wire_bytes += len(piece)
        if self._wire_bytes > self._limits.body_bytes:
            return too_large(self._limits)
        if self._inflater is None:
            self._pieces.append(piece)
        elif (refused := _inflate(self._inflater, piece)) is not None:
            return refused
        size = self._inflater.size if self._inflater else self._wire_bytes
        grown, self.held_bytes = size - self.held_bytes, size
        if not self._bodies.hold(grown):
            return refuse(503, "Too many requests are being read; try again", headers={"Retry-After": "1"})
        return None


def _inflate(inflater: Inflater, piece: bytes) -> Answer | None:
    # In slices: the rest of a piece is copied at each gzip member's end, and a body may be all members' ends.
    slices = (piece[at : at + _SLICE_BYTES] for at in range(0, len(piece), _SLICE_BYTES))
    return next(filter(None, map(inflater.feed, slices)), None)
