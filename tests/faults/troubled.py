"""An ingest endpoint with troubles below and beside HTTP: connections that are cut, answers that are none.

The receiver of the end-to-end tests decides answers; this one may also do what it likes with a connection.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

from tests.end_to_end.receiver import Event, Receiver
from tests.http_loop import Request


class Exchange(NamedTuple):
    """A request that was read whole, and the connection it came on."""

    endpoint: Troubled
    events: list[Event]
    writer: asyncio.StreamWriter

    def take(self, events: list[Event] | None = None) -> None:
        """Keep *events*, or all: they are stored, whatever becomes of the answer."""
        self.endpoint.take(self.events if events is None else events)

    async def say(self, text: str) -> None:
        """Write *text*, with line ends as HTTP has them."""
        self.writer.write(text.replace("\n", "\r\n").encode())
        await self.writer.drain()

    async def answer(self, status: int, body: str = "", **headers: str) -> None:
        """Write a whole answer; an underscore in a header's name is a hyphen."""
        fields = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
        length = "" if status == 204 else f"Content-Length: {len(body.encode())}\n"
        await self.say(f"HTTP/1.1 {status} X\n{fields}{length}\n{body}")


Trouble = Callable[[Exchange], Awaitable[bool]]
"""Deals with a request; whether the connection goes on."""


async def well(exchange: Exchange) -> bool:
    """Take everything."""
    exchange.take()
    await exchange.answer(204)
    return True


class Troubled(Receiver):
    """Serves one port as *trouble* has it; *met* counts the requests that it has spoiled."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host=host)
        self.trouble: Trouble = well
        self.closes_at_once = False
        self.met = 0

    def welcomes(self) -> bool:
        """Close at once, where that is the trouble."""
        self.met += self.closes_at_once
        self.changed.set()
        return not self.closes_at_once

    async def answer(self, request: Request) -> bool:
        """Do what the trouble does."""
        events = cast("list[Event]", json.loads(request.body))
        self.seen.append(events)
        trouble = self.trouble
        try:
            return await trouble(Exchange(self, events, request.writer))
        finally:
            self.met += trouble is not well
            self.changed.set()
