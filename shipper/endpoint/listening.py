"""The sockets the endpoint listens on: 127.0.0.1 and ::1 at one port, and nothing else.

Clients say `localhost`, which is either; so both are taken, or neither. A host
without IPv6 is served on 127.0.0.1 alone. Reference page, sections 7 and 10.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

from shipper.endpoint.occupant import occupant_of
from shipper.errors import ShipperError, UsageError

IPV4: Final = "127.0.0.1"
IPV6: Final = "::1"
BACKLOG: Final = 1_024
_FREE_PORT_TRIES: Final = 20
_NO_IPV6: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})
_ADDRESSES: Final = {"localhost": (IPV4, IPV6), IPV4: (IPV4, IPV6), IPV6: (IPV6,)}


class PortTaken(ShipperError):
    """Something else listens there."""


def addresses(host: str) -> tuple[str, ...]:
    """Return the addresses to bind for ``--host`` *host*.

    Raises:
        UsageError: it is not a loopback address; there is no authentication, so no other is ever bound.
    """
    found = _ADDRESSES.get(host.strip("[]").lower())
    if found is None:
        raise UsageError(
            f"--host {host}: the endpoint has no authentication and listens on loopback only; "
            f"use {IPV4} (with {IPV6}), localhost or {IPV6}"
        )
    return found


def listen(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets, all at the same port; 0 takes a free one.

    Raises:
        UsageError: as `addresses`.
        PortTaken: something else has the port.
        ShipperError: the port may not be bound at all.
    """
    wanted = addresses(host)
    for tries_left in range(_FREE_PORT_TRIES, 0, -1):
        try:
            sockets = _listen_on_all(wanted, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ShipperError(f"port {port}: {error.strerror}; choose another with --port") from error
            # A free port of the one family may be taken in the other.
            if port or tries_left == 1:
                raise PortTaken(_taken(port)) from error
        else:
            if not sockets:
                raise ShipperError(f"this host has no {' and no '.join(wanted)} to listen on")
            return sockets
    raise AssertionError("unreachable")


def _listen_on_all(wanted: tuple[str, ...], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for address in wanted:
            bound = _bind(address, sockets[0].getsockname()[1] if sockets else port)
            if bound is not None:
                sockets.append(bound)
    except OSError:
        for opened in sockets:
            opened.close()
        raise
    return sockets


def _bind(address: str, port: int) -> socket.socket | None:
    """Return a listening socket, or None where the host has no IPv6."""
    try:
        bound = socket.socket(socket.AF_INET6 if address == IPV6 else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno in _NO_IPV6:
            return None
        raise
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address == IPV6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        if address == IPV6 and error.errno in _NO_IPV6:
            return None
        raise
    return bound


def _taken(port: int) -> str:
    who = occupant_of(port)
    ours = f"no endpoint of ours is needed: point the shipper at http://{IPV4}:{port}/v2/logs/ingest"
    other = "choose another with --port or --set-port"
    if who.is_oneagent:
        return f"port {port} is taken by {who}: a OneAgent, which takes logs there itself; {ours}, or {other}"
    if who.pid:
        return f"port {port} is taken by {who}; stop that, or {other}"
    see = f"see who it is with 'ss -ltnp sport = :{port}' as root"
    return f"port {port} is taken by {who}; {see}. Should it be a OneAgent, {ours}. Otherwise {other}"
