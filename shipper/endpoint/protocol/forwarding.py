"""An event as it goes on to the tenant: the original, complete in itself.

Source: the reference page, section 10 ("Forwarding"). The tenant's own data
model is to apply, so nothing is flattened and nothing that `map_event` adds
is there. What the event only had from its request (time of receipt,
attributes of the query and header) is put in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from shipper.endpoint.model import Context
from shipper.endpoint.protocol.aliases import TIMESTAMP, find, is_there, lowered
from shipper.endpoint.protocol.flatten import Flat, added_attributes, flatten
from shipper.endpoint.protocol.limits import Limits

_decode: Final = msgspec.json.Decoder(dict[str, object]).decode
_decode_raw: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def forward_form(event: bytes, context: Context, limits: Limits) -> bytes:
    """Return *event* (one JSON object) with its request's attributes, and with a timestamp if it had none."""
    if context.query or context.header:
        event = _merge(event, context)
    decoded = _decode(event)
    if decoded.get("timestamp") is None or isinstance(decoded["timestamp"], dict):
        # What was merged above is in the event now: not once more.
        flat = flatten(decoded, Context(context.received_ms, context.structure), limits.nesting)  # type: ignore[arg-type] # decoded JSON
        if find(flat, lowered(flat), TIMESTAMP, is_there) is None:
            return _with_timestamp(event, decoded, rfc_3339(context.received_ms))
    return event


def rfc_3339(instant_ms: int) -> str:
    """Return *instant_ms* as ``2026-02-22T21:28:59.169Z``."""
    moment = datetime.fromtimestamp(instant_ms // 1000, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{instant_ms % 1000:03}Z"


def _with_timestamp(event: bytes, decoded: dict[str, object], text: str) -> bytes:
    """Return *event* with the stamp under the first key that is free; an object's key is not."""
    key = next((alias for alias in TIMESTAMP if decoded.get(alias) is None), None)
    if key is None:
        return event
    if key in decoded:
        return msgspec.json.encode({**_decode_raw(event), key: text})
    return b'{"%s":"%s"%s%s' % (key.encode(), text.encode(), b"," if decoded else b"", event.lstrip()[1:])


def _merge(event: bytes, context: Context) -> bytes:
    flat: Flat[msgspec.Raw] = Flat()
    flat.values.update(
        {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in added_attributes(context).items()}
    )
    for key, value in _decode_raw(event).items():
        _put(flat, key, value, context)
    return msgspec.json.encode(flat.values)


def _put(flat: Flat[msgspec.Raw], key: str, value: msgspec.Raw, context: Context) -> None:
    """Add a field; an object whose key is taken loses it only in the raw model: flattened, its own keys are longer."""
    if key in flat.values and context.structure == "flattened" and bytes(value).startswith(b"{"):
        for inner, inner_value in _decode_raw(value).items():
            _put(flat, f"{key}.{inner}", inner_value, context)
    else:
        flat.put(key, value)
