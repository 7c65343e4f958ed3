"""Posts batches to the ingest endpoint; maps every network error to EndpointUnreachable.

Source: the reference page, sections 1, 2 and 7: a JSON array; no token and no
gzip to loopback; loopback bypasses proxies; 127.0.0.1 before ::1; a 204 may
announce a body (http_output_heads.py).
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult

from shipper import __version__
from shipper.adapters.http_output_heads import HeadConnector
from shipper.core.delivery import Response
from shipper.errors import EndpointUnreachable

LONGEST_ANSWER_BYTES: Final = 65_536
GZIP_LEVEL: Final = 6
_SHOWN_CHARACTERS: Final = 200
_JOIN_BELOW_BYTES: Final = 65_536

Piece = bytes | memoryview


class _Pieces(aiohttp.Payload):
    """A body in pieces of known size, written without joining them."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__(pieces, content_type="application/json; charset=utf-8")
        self._pieces = pieces
        self._size = sum(map(len, pieces))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._pieces).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        for piece in self._pieces:
            await writer.write(piece)


class _LoopbackResolver(AbstractResolver):
    """`localhost` is 127.0.0.1 first, then ::1: an endpoint that listens on one of them only is mostly at that one."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        found = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for address, kind in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


class HttpOutput:
    """One session to one URL; owned by the sender."""

    def __init__(
        self,
        url: str,
        *,
        loopback: bool,
        authorization: str | None = None,
        compress: bool = False,
        connect_timeout_seconds: float = 3.0,
        timeout_seconds: float = 12.0,
        connections: int = 4,
        unread: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        """Prepare to post.

        Args:
            url: Where to.
            loopback: It is on this host: no proxy, no authorization.
            authorization: The whole value of the header, never sent to loopback.
            compress: Whether bodies are gzipped.
            connect_timeout_seconds: For a connection.
            timeout_seconds: For a whole answer.
            connections: Kept open at most.
            unread: Bytes that are known and not read yet, by source: said to an endpoint on this host, for its viewer.
        """
        self._unread = unread
        self._url = url
        self._loopback = loopback
        self._compress = compress
        self._headers = {"User-Agent": f"shipper/{__version__}", "Accept": "application/json"}
        if authorization and not loopback:
            self._headers["Authorization"] = authorization
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=connect_timeout_seconds)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def post(self, pieces: Sequence[Piece]) -> Response:
        """Send a body and return the answer.

        Raises:
            EndpointUnreachable: No connection, no answer in time, or an answer cut short.
        """
        session = self._session or self._open()
        headers = dict(self._headers)
        if self._loopback and (unread := self._unread()):
            headers["X-Shipper-Unread"] = urlencode(unread)
        if self._compress:
            raw = await asyncio.to_thread(lambda: gzip.compress(b"".join(pieces), GZIP_LEVEL, mtime=0))
            pieces = [raw]
            headers["Content-Encoding"] = "gzip"
        elif len(pieces) > 1 and sum(map(len, pieces)) < _JOIN_BELOW_BYTES:
            pieces = [b"".join(pieces)]
        try:
            async with session.post(self._url, data=_Pieces(pieces), headers=headers, allow_redirects=False) as answer:
                body = await _body_of(answer)
                lowered = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, lowered, body)
        except TimeoutError:
            raise EndpointUnreachable("no answer in time") from None
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            raise EndpointUnreachable(_cause(error)) from None

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=HeadConnector(
                limit=self._connections,
                resolver=_LoopbackResolver() if self._loopback else None,
                happy_eyeballs_delay=None if self._loopback else 0.25,
            ),
            timeout=self._timeout,
            trust_env=not self._loopback,  # loopback bypasses proxies
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self._session


async def _body_of(answer: aiohttp.ClientResponse) -> bytes:
    """Return the whole body, as far as it is looked at: an answer that is cut short must not count as one."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) >= LONGEST_ANSWER_BYTES:
            answer.close()  # the rest is not read, so the connection ends here
            break
    return bytes(body[:LONGEST_ANSWER_BYTES])


def _cause(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError | aiohttp.ClientSSLError):
        refused = getattr(error, "certificate_error", error)
        said = getattr(refused, "verify_message", "") or " ".join(str(refused).split())[:_SHOWN_CHARACTERS]
        return f"TLS: {said}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name cannot be resolved"
    if isinstance(error, ConnectionRefusedError) or isinstance(
        getattr(error, "os_error", None), ConnectionRefusedError
    ):
        return "connection refused: nothing listens there"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError | aiohttp.ClientPayloadError):
        return "the connection was closed before the answer was complete"
    return " ".join(str(error).split())[:_SHOWN_CHARACTERS] or type(error).__name__
