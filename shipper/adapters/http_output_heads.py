"""Keeps what follows a 204 away from the HTTP parser.

The documented sample answer of the local endpoint is ``204 No Content`` with
``Content-Length: 116``. A 204 has no body; where one is sent all the same it
stands where the next answer would begin, and the parser takes the whole
connection for broken, the 204 with it: a delivered batch would be sent again
for ever. So the head of a 204 is passed on alone, and the connection ends
with it. Source: the reference page, section 3, "The local endpoint's success
sample".
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

import aiohttp
from aiohttp.connector import Connection

_LONGEST_HEAD_BYTES: Final = 65_536
_STATUS: Final = re.compile(rb"HTTP/1\.\d (\d\d\d)")
_LENGTH: Final = re.compile(rb"\r\n(?:content-length: *[1-9]\d*|transfer-encoding:[^\r]*)(?=\r\n|\Z)", re.IGNORECASE)


class HeadConnector(aiohttp.TCPConnector):
    """Puts a `_Heads` between each connection's transport and its parser."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[aiohttp.tracing.Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a connection whose next bytes are the beginning of an answer."""
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        if transport is not None and connection.protocol is not None:
            transport.set_protocol(_Heads(connection.protocol))
        return connection


class _Heads(asyncio.Protocol):
    """Collects the head of one answer; everything else goes through as it is."""

    def __init__(self, parser: asyncio.Protocol) -> None:
        self._parser = parser
        self._head: bytes | None = b""
        self._over = False

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        if self._head is None:
            self._parser.data_received(data)
            return
        self._head += data
        while self._head:
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end and len(head) < _LONGEST_HEAD_BYTES:
                return
            status = _STATUS.match(head)
            if status is not None and end and status[1].startswith(b"1"):
                self._parser.data_received(head + end)
                self._head = rest
                continue
            self._head = None
            if status is not None and status[1] == b"204" and (rest or _LENGTH.search(head)):
                self._over = True
                head, rest = _LENGTH.sub(b"", head) + b"\r\nConnection: close", b""
            self._parser.data_received(head + end + rest)

    def eof_received(self) -> bool | None:
        self._pass_on()
        return self._parser.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pass_on()
        self._parser.connection_lost(exc)

    def _pass_on(self) -> None:
        head, self._head = self._head, None
        if head:
            self._parser.data_received(head)

    def pause_writing(self) -> None:
        self._parser.pause_writing()

    def resume_writing(self) -> None:
        self._parser.resume_writing()
