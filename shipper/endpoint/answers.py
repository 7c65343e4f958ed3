"""Answers as aiohttp writes them; their shapes are the protocol's."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from shipper.endpoint.protocol import Answer, Violation, refuse
from shipper.endpoint.protocol.answers import SERVER

# Nothing here is for another page: no CORS header is ever sent, no type is guessed, nothing is kept in a cache.
HEADERS: Final = {
    "Server": SERVER,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_JSON: Final = {**HEADERS, "Content-Type": "application/json; charset=utf-8"}


def respond(answer: Answer) -> web.Response:
    """Return the protocol's *answer*; a 204 gets neither body nor Content-Length (RFC 9110, 8.6)."""
    return web.Response(status=answer.status, body=answer.body or None, headers={**HEADERS, **answer.headers})


def json(body: object) -> web.Response:
    """Return *body* as JSON."""
    return web.Response(body=msgspec.json.encode(body), headers=_JSON)


def text(body: bytes, content_type: str) -> web.Response:
    """Return *body* of *content_type* (with its charset)."""
    return web.Response(body=body, headers={**HEADERS, "Content-Type": content_type})


def error(status: int, message: str) -> web.Response:
    """Return an ErrorEnvelope."""
    return respond(refuse(status, message))


def bad_parameter(name: str, message: str) -> web.Response:
    """Return the 400 that names the query parameter to blame."""
    return respond(refuse(400, message, violations=[Violation(name, message, "QUERY")]))
