"""A batch to the body of a request: what is too old by now left out, the rest one gzipped JSON array."""

from __future__ import annotations

import gzip
from typing import Final, NamedTuple

import msgspec

from shipper.endpoint.model import Context
from shipper.endpoint.protocol import Limits, event_instant
from shipper.endpoint.protocol.flatten import Event

GZIP_LEVEL: Final = 6
_decode_raw: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode: Final = msgspec.json.Decoder(dict).decode
_LIMITS: Final = Limits()


class Pack(NamedTuple):
    """A request to be.

    Attributes:
        events: That it has.
        too_old: How many were left out.
        size: Of the array, bytes.
        body: The array gzipped; empty when there is no event.
    """

    events: list[msgspec.Raw]
    too_old: int
    size: int
    body: bytes


def split(events: bytes) -> list[msgspec.Raw]:
    """Return objects joined by commas one by one."""
    return _decode_raw(b"[" + events + b"]")


def pack(events: list[msgspec.Raw], now_ms: int, max_age_ms: int) -> Pack:
    """Return the request for *events* at *now_ms*."""
    context = Context(now_ms)
    young = [event for event in events if _instant(event, context) >= now_ms - max_age_ms]
    if not young:
        return Pack([], len(events), 0, b"")
    array = b"[" + b",".join(young) + b"]"
    return Pack(young, len(events) - len(young), len(array), gzip.compress(array, GZIP_LEVEL, mtime=0))


def _instant(event: msgspec.Raw, context: Context) -> int:
    decoded: Event = _decode(event)
    return event_instant(decoded, context, _LIMITS)
