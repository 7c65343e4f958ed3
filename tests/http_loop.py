"""HTTP/1.1 on a raw asyncio server, for the endpoints that tests and benchmarks make up.

It reads whole requests and leaves everything else, also what breaks, to the one that answers.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self


class Request(NamedTuple):
    """A request that was read whole, and the connection that it came on."""

    head: bytes
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class HttpLoop:
    """Listens on one port while it is entered; the requests of a connection come to `answer` one after the other."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen on *port*; with 0 on a free one, which stays the same over stops and starts."""
        self.port = port
        self.host = host
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; on the same port as before when it was stopped."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=1 << 24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and cut every connection, whatever is on its way there; nothing where it is closed."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for _ in range(3):  # a connection that was accepted just now has its task with the next turn
            await asyncio.sleep(0)
        while self._writers:
            cut = dict(self._writers)
            for task, writer in cut.items():
                writer.transport.abort()
                task.cancel()
            await asyncio.wait(cut)
            for writer in cut.values():
                with suppress(ConnectionError):
                    await writer.wait_closed()
        await server.wait_closed()

    @property
    def open_connections(self) -> int:
        """Return how many are open."""
        return len(self._writers)

    def welcomes(self) -> bool:
        """Return whether requests of a connection that was made just now are read."""
        return True

    async def answer(self, request: Request) -> bool:
        """Deal with a request; return whether the connection goes on."""
        raise NotImplementedError

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._writers[task] = writer
        try:
            goes_on = self.welcomes()
            while goes_on:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                goes_on = await self.answer(Request(head, await reader.readexactly(length), reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # the other side is gone, or `stop` wants it so
        finally:
            del self._writers[task]
            writer.close()
