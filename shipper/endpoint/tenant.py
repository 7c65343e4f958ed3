"""One HTTP client for the tenant's ingest URL; network errors become `EndpointUnreachable`.

The token is in the one header that needs it: never in the URL, in an error or
in a repr. Certificates are verified, without a way to switch that off; an own
CA is named by its file.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from shipper import __version__
from shipper.errors import ConfigError, EndpointUnreachable

INGEST_PATH: Final = "/api/v2/logs/ingest"
LONGEST_ANSWER_BYTES: Final = 65_536
CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 12.0
_SCHEMES: Final = ("Api-Token ", "Bearer ")


class Reply(NamedTuple):
    """An answer: status, headers with lower-case names, at most 64 KiB of body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Tenant:
    """Posts to one URL, one request at a time. Use it as an async context."""

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        *,
        ca_file: Path | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: As `ingest_url` takes it.
            token: Asked for each request, so that a token renewed in its file is used.
            ca_file: Trusted in place of the system's authorities.
            connect_seconds, answer_seconds: Time limits; the second is for the whole request.

        Raises:
            ConfigError: *url* or *ca_file* cannot be used.
        """
        self.url = ingest_url(url)
        self._token = token
        self._tls = _tls(ca_file)
        self._is_near = _is_loopback(urlsplit(self.url).hostname or "")
        self._timeout = aiohttp.ClientTimeout(total=answer_seconds, sock_connect=connect_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._secret = ""

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def post(self, body: bytes) -> Reply:
        """Return the answer to *body*, a gzipped JSON array.

        Raises:
            EndpointUnreachable: There is none.
            ConfigError: The token cannot be had.
        """
        if self._session is None:
            raise EndpointUnreachable("the session is not open")
        credentials = authorization(self._token())
        self._secret = credentials.partition(" ")[2]
        headers = {
            "Authorization": credentials,
            "Content-Type": "application/json; charset=utf-8",
            "Content-Encoding": "gzip",
            "User-Agent": f"shipper/{__version__}",
        }
        try:
            # A redirect would take the token to a host that nobody named.
            async with self._session.post(self.url, data=body, headers=headers, allow_redirects=False) as response:
                reply = await _reply(response)
        except aiohttp.ClientConnectorCertificateError as error:
            reason = getattr(error.certificate_error, "verify_message", "") or "verification failed"
            raise EndpointUnreachable(f"the certificate of {error.host} is not trusted: {reason}") from None
        except TimeoutError:
            raise EndpointUnreachable("no answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            # Not the error's own text: some quote the request, and its headers have the token.
            raise EndpointUnreachable(_reason(error)) from None
        if reply.status == 204 and reply.headers.get("content-length", "0") != "0":
            # A 204 has no body: what comes all the same would be taken for the next answer.
            await self._session.close()
            self._session = self._connect()
        return reply

    def redact(self, text: str) -> str:
        """Return *text* without the token, should an answer repeat it."""
        return text.replace(self._secret, "***") if self._secret else text

    def _connect(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=1),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=True,
            trust_env=not self._is_near,
        )


def ingest_url(url: str) -> str:
    """Return *url* with the ingest path, which is appended to the base of an environment once.

    Raises:
        ConfigError: It is no http(s) URL, would send the token in clear text, or has a token in it.
    """
    parts = urlsplit(url.strip())
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigError(["forward URL: write it like https://abc12345.live.dynatrace.com"])
    if parts.username or parts.password or "api-token" in parts.query.lower():
        raise ConfigError(["forward URL: it must not hold a token; name a file or set the variable"])
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigError([f"forward URL: {host} would get the token in clear text; use https"])
    path = parts.path.rstrip("/")
    if not path.endswith("/logs/ingest"):
        path = path.removesuffix("/api/v2") + INGEST_PATH
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def authorization(token: str) -> str:
    """Return the header's value; a token that comes with its scheme keeps it.

    Raises:
        ConfigError: No header can hold it.
    """
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise ConfigError(["the forward token is empty or holds characters that no token has"])
    return token if token.startswith(_SCHEMES) else _SCHEMES[0] + token


async def _reply(response: aiohttp.ClientResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = b""
    try:
        while len(body) < LONGEST_ANSWER_BYTES:
            piece = await response.content.read(LONGEST_ANSWER_BYTES - len(body))
            if not piece:
                return Reply(response.status, headers, body)
            body += piece
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass  # the status is here, and it is what counts
    response.close()
    return Reply(response.status, headers, body)


def _reason(error: Exception) -> str:
    system = getattr(error, "os_error", error)
    words = getattr(system, "strerror", None)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise ConfigError([f"{ca_file}: no CA certificates: {error.strerror or error}"]) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
