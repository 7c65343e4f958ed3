"""Events to be forwarded, known by their numbers, and a tenant that refuses some of them."""

from __future__ import annotations

from aiohttp import web

from shipper.endpoint.protocol import rfc_3339
from tests.endpoint.tenant_double import NOW_S, Answering, Events, error, taken


def events(count: int, start: int = 0, age_s: float = 60) -> Events:
    stamp = rfc_3339(round((NOW_S - age_s) * 1000))
    return [{"content": f"event {number}", "n": number, "timestamp": stamp} for number in range(start, start + count)]


def numbers(kept: Events) -> list[int]:
    return [event["n"] for event in kept]


def refusing(*bad: int, status: int = 400, message: str = "Invalid JSON") -> Answering:
    """Refuse every request that has one of the *bad* events."""

    def answering(sent: Events, number: int) -> web.StreamResponse:
        return error(status, message) if {*numbers(sent)} & {*bad} else taken(sent, number)

    return answering
