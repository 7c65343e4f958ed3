"""Which URL events are posted to, and whether it stays on this host.

Source: the reference page, section 1. The local endpoint has no `/api` prefix;
an environment's base URL gets the right path once, whatever part of it the
operator has written already.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

INGEST_PATH: Final = "/v2/logs/ingest"
_API: Final = "/api"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Return whether *host* names this machine and nothing else."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_and_port(url: str) -> tuple[str, int]:
    """Return what to connect to; *url* has been through `request_url`."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def request_url(text: str) -> str:
    """Return the URL that is posted to, with the ingest path appended where it is missing.

    Raises:
        ValueError: no such URL can be posted to. The message never repeats a user name, password or query.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is no URL ({error}); write one such as http://127.0.0.1:14499{INGEST_PATH}") from None
    problem = _problem(parts, port)
    if problem is not None:
        raise ValueError(problem)
    path = _request_path(parts.path.rstrip("/"), is_local=is_loopback(parts.hostname or ""))
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _problem(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in _DEFAULT_PORTS:
        return f"the scheme is {parts.scheme!r}; it must be http or https"
    if not parts.hostname or any(c.isspace() for c in parts.netloc):
        return f"names no host; write one such as http://127.0.0.1:14499{INGEST_PATH}"
    if port == 0:
        return "port 0 cannot be connected to"
    if parts.username is not None or parts.password is not None:
        return "a user name or password has no place in it; use endpoint.token"
    if "token" in parts.query.lower():
        return "a token in the query ends up in other people's logs; use endpoint.token"
    if parts.fragment:
        return "a part after # is never sent; take it away"
    return None


def _request_path(path: str, *, is_local: bool) -> str:
    if path.endswith(INGEST_PATH):
        return path
    if is_local and path == "":
        return INGEST_PATH
    for written in ("/v2/logs", "/v2"):
        if path.endswith(written):
            return path.removesuffix(written) + INGEST_PATH
    return path.removesuffix(_API) + _API + INGEST_PATH
