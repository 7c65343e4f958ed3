"""An ingest endpoint for tests that misbehaves on demand and remembers what it acknowledged.

It speaks HTTP/1.1 on a raw asyncio server, so that it can also hang, close
half-way or answer nonsense. Only events whose 2xx was written count as
acknowledged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import cast

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


class Receiver:
    """Serves one port; *script* decides each answer and may be changed at any time."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.script: Script = accept
        self.acked: list[Event] = []
        self.distinct: set[str] = set()
        self.seen: list[list[Event]] = []
        self.heads: list[dict[str, str]] = []
        self.changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen; on the same port as before when it was stopped."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            for _ in range(3):  # a connection that was accepted just now has its writer with the next turn
                for writer in list(self._writers):
                    writer.transport.abort()
                await asyncio.sleep(0)
            await self._server.wait_closed()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2/logs/ingest"

    def contents(self, marker: str = "") -> list[str]:
        """Return the acknowledged contents that hold *marker*, in order of arrival."""
        return [text for text in (str(event["content"]) for event in self.acked) if marker in text]

    async def wait_for(self, reached: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until *reached*, looking again at each request and a few times a second."""
        async with asyncio.timeout(seconds):
            while not reached():
                self.changed.clear()
                try:
                    async with asyncio.timeout(0.02):
                        await self.changed.wait()
                except TimeoutError:
                    continue

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(_fields_of(head))
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                events = cast("list[Event]", json.loads(await reader.readexactly(length)))
                self.seen.append(events)
                answer = self.script(events)
                if answer == "hang":
                    await reader.read()
                    return
                if answer == "half":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                    await writer.drain()
                    return
                status, body = cast("Answer", answer)
                if 200 <= status < 300:
                    self.acked.extend(events)
                    self.distinct.update(str(event["content"]) for event in events)
                extra = b"" if status == 204 else b"Content-Length: %d\r\n" % len(body)
                writer.write(b"HTTP/1.1 %d X\r\n%s\r\n%s" % (status, extra, body))
                await writer.drain()
                self.changed.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.changed.set()
            self._writers.discard(writer)
            writer.close()
