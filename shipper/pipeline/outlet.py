"""Where requests go: one output at a time, which a reload may exchange while requests are under way.

A request that has not ended long after its own timeout is given up here,
whatever it hangs in: nothing of the pipeline waits for it any longer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final, Protocol

from shipper.core.delivery import Response
from shipper.errors import EndpointUnreachable
from shipper.pipeline.attempts import Pieces

GRACE: Final = 1.5
GRACE_SECONDS: Final = 2.0


class Closable(Protocol):
    """An output that holds connections."""

    async def post(self, pieces: Pieces) -> Response:
        """Send a body; raises EndpointUnreachable."""

    async def close(self) -> None:
        """Close every connection."""


class Outlet:
    """Owns the output in use and those that requests of old are still with; used from the event loop only.

    Attributes:
        given_up: Requests that hung beyond their timeout.
        hangs: Whether the last request that ended was one of those.
    """

    def __init__(self, output: Closable, timeout_seconds: float) -> None:
        """Send by *output*, which ends a request after *timeout_seconds* by itself."""
        self.given_up = 0
        self.hangs = False
        self._users: Counter[Closable] = Counter()
        self._closing: set[asyncio.Task[None]] = set()
        self.exchange(output, timeout_seconds)

    def exchange(self, output: Closable, timeout_seconds: float) -> None:
        """Send by *output* from now on; the one before is closed when its last request has ended."""
        before: Closable | None = getattr(self, "_output", None)
        self._output = output
        self._patience_seconds = timeout_seconds * GRACE + GRACE_SECONDS
        if before is not None and not self._users[before]:
            self._close(before)

    async def post(self, pieces: Pieces) -> Response:
        """Send a body.

        Raises:
            EndpointUnreachable: No answer, or none in time.
        """
        output = self._output
        self._users[output] += 1
        request = asyncio.ensure_future(output.post(pieces))
        request.add_done_callback(lambda done: self._ended(output, done))
        try:
            done, _ = await asyncio.wait({request}, timeout=self._patience_seconds)
        except asyncio.CancelledError:
            request.cancel()
            raise
        self.hangs = not done
        if not done:
            self.given_up += 1
            request.cancel()
            raise EndpointUnreachable("the request hung beyond its timeout and was given up")
        return request.result()

    async def close(self) -> None:
        """Close every connection of every output."""
        for output in {self._output, *self._users}:
            await output.close()
        await asyncio.gather(*self._closing)

    def _ended(self, output: Closable, request: asyncio.Future[Response]) -> None:
        if not request.cancelled():
            request.exception()  # it may have come too late for anybody to ask
        self._users[output] -= 1
        self._users = +self._users
        if output is not self._output and not self._users[output]:
            self._close(output)

    def _close(self, output: Closable) -> None:
        closing = asyncio.ensure_future(output.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
