"""Who may ask: a loopback name with our port, and no page of another origin.

The endpoint has no authentication, and a web page can post `text/plain`
anywhere. Two things tell a page from a program on this host: the name it used
for us (``Host``: a rebound DNS name is a foreign one) and where it says it
comes from (``Origin``, ``Sec-Fetch-Site``: a browser sets them, a page cannot).
Pure; the server asks before it looks at the route. Reference page, section 10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_AUTHORITY: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?", re.IGNORECASE)
_HTTP_DEFAULT_PORT: Final = 80
# `same-site` is not enough: a page of http://localhost:3000 is of our site, but not ours.
_OWN_FETCH_SITES: Final = frozenset({"same-origin", "none"})


def refusal(
    *, port: int, hosts: Sequence[str], origins: Sequence[str], fetch_sites: Sequence[str], target: str
) -> str | None:
    """Return why a request is refused (403), or None.

    Args:
        port: The one we listen on.
        hosts: Values of ``Host``, one for each line of the request.
        origins: Values of ``Origin``, likewise.
        fetch_sites: Values of ``Sec-Fetch-Site``, likewise.
        target: The request target; in absolute form its authority counts as well.
    """
    if len(hosts) != 1 or not is_ours(hosts[0], port):
        return f"the Host header must be localhost, 127.0.0.1 or [::1] with port {port}"
    if not target.startswith(("/", "*")) and not _is_own_origin(target.split("/", 3)[:3], port):
        return "the request target names another host"
    if any(not _is_own_origin(origin.split("/"), port) for origin in origins):
        return "requests from pages of another origin are refused"
    if any(site.strip().lower() not in _OWN_FETCH_SITES for site in fetch_sites):
        return "cross-site requests are refused: open the address itself"
    return None


def is_ours(authority: str, port: int) -> bool:
    """Return whether *authority* (``host`` or ``host:port``) is a loopback name with our *port*."""
    match = _AUTHORITY.fullmatch(authority.strip(" \t"))
    return match is not None and int(match[1] or _HTTP_DEFAULT_PORT) == port


def _is_own_origin(parts: Sequence[str], port: int) -> bool:
    return len(parts) == 3 and parts[0].lower() == "http:" and not parts[1] and is_ours(parts[2], port)
