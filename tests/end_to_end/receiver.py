"""An ingest endpoint for tests that misbehaves on demand and remembers what it acknowledged.

It can also hang, close half-way or answer nonsense. Only events that were
answered with 2xx count as acknowledged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import cast

from tests.http_loop import HttpLoop, Request
from tests.patience import PATIENCE_SECONDS

Event = dict[str, object]
Answer = tuple[int, bytes]
Script = Callable[[list[Event]], Answer | str]


def accept(_events: list[Event]) -> Answer:
    """Take everything."""
    return 204, b""


def always(status: int, body: bytes = b"") -> Script:
    """Answer every request with *status*."""
    return lambda _events: (status, body)


def hang(_events: list[Event]) -> str:
    """Never answer."""
    return "hang"


def close_half_way(_events: list[Event]) -> str:
    """Promise a body and close."""
    return "half"


def refuse_content(marker: str) -> Script:
    """Answer 400 to every request that holds an event with *marker* in its content."""

    def script(events: list[Event]) -> Answer:
        bad = any(marker in str(event["content"]) for event in events)
        return (400, b'{"error":{"code":400,"message":"bad event"}}') if bad else (204, b"")

    return script


def _fields_of(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines if name}


class Receiver(HttpLoop):
    """Serves one port while it is entered; *script* decides each answer and may be changed at any time."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        super().__init__(port, host)
        self.script: Script = accept
        self.acked: list[Event] = []
        self.distinct: set[str] = set()
        self.seen: list[list[Event]] = []
        self.heads: list[dict[str, str]] = []
        self.changed = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2/logs/ingest"

    def contents(self, marker: str = "") -> list[str]:
        """Return the acknowledged contents that hold *marker*, in order of arrival."""
        return [text for text in (str(event["content"]) for event in self.acked) if marker in text]

    def take(self, events: list[Event]) -> None:
        """Keep *events* as acknowledged."""
        self.acked.extend(events)
        self.distinct.update(str(event["content"]) for event in events)

    async def wait_for(self, reached: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until *reached*, looking again at each request and a few times a second."""
        async with asyncio.timeout(seconds):
            while not reached():
                self.changed.clear()
                try:
                    async with asyncio.timeout(0.02):
                        await self.changed.wait()
                except TimeoutError:
                    continue

    async def answer(self, request: Request) -> bool:
        """Answer as the script says."""
        try:
            self.heads.append(_fields_of(request.head))
            events = cast("list[Event]", json.loads(request.body))
            self.seen.append(events)
            return await self._answer(events, request)
        finally:
            self.changed.set()

    async def _answer(self, events: list[Event], request: Request) -> bool:
        answer = self.script(events)
        if answer == "hang":
            await request.reader.read()
            return False
        if answer == "half":
            await _write(request, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            return False
        status, body = cast("Answer", answer)
        if 200 <= status < 300:
            self.take(events)
        extra = b"" if status == 204 else b"Content-Length: %d\r\n" % len(body)
        await _write(request, b"HTTP/1.1 %d X\r\n%s\r\n%s" % (status, extra, body))
        return True


async def _write(request: Request, answer: bytes) -> None:
    request.writer.write(answer)
    await request.writer.drain()
