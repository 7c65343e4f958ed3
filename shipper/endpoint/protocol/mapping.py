"""An event as it was sent to the record that a reader gets.

Source: the reference page, section 4 as a whole, and 5 for what is trimmed.
The rules apply in this order: the request's attributes and the data model
(`flatten`), the three keys (`aliases`), then attribute values, trimming and
what the server adds.
"""

from __future__ import annotations

from typing import Final

from shipper.endpoint.model import Context, LogRecord
from shipper.endpoint.protocol.aliases import (
    CONTENT,
    LOGLEVEL,
    RAW_CONTENT,
    TIMESTAMP,
    find,
    is_anything,
    is_primitive,
    is_there,
    lowered,
)
from shipper.endpoint.protocol.common import WARNINGS, common_attributes, settle
from shipper.endpoint.protocol.flatten import Event, flatten
from shipper.endpoint.protocol.limits import CLASSIC_PROFILES, Limits
from shipper.endpoint.protocol.plain import plain_record
from shipper.endpoint.protocol.severity import level_of, status_of
from shipper.endpoint.protocol.trim import Attributes, cut
from shipper.endpoint.protocol.values import text_of

UNPARSED: Final = "unparsed_timestamp"


def map_event(event: Event, context: Context, limits: Limits) -> LogRecord:
    """Return the record that *event* of a request with *context* is.

    Args:
        event: As it was sent, decoded.
        context: Of its request.
        limits: Content, keys, values and attributes over these are trimmed and named in ``dt.ingest.warnings``.
    """
    record = plain_record(event, context, limits)
    if record is None:
        return map_by_rule(event, context, limits)
    record.attributes.update(common_attributes(context.format))
    return record


def map_by_rule(event: Event, context: Context, limits: Limits) -> LogRecord:
    """Return what `map_event` does, rule by rule, for any event."""
    flat = flatten(event, context, limits.nesting)
    spellings = lowered(flat)
    stamp_key = find(flat, spellings, TIMESTAMP, is_there)
    level_key = find(flat, spellings, LOGLEVEL, is_there)
    raw = context.structure == "raw"
    aliases, fits = (RAW_CONTENT, is_anything) if raw else (CONTENT, is_primitive)
    content_key = find(flat, spellings, aliases, fits)

    attributes = Attributes(limits, classic=context.profile in CLASSIC_PROFILES, spaced=raw)
    stamp = None if stamp_key is None else flat[stamp_key]
    timestamp_ms, problem = settle(stamp, context.received_ms, limits)
    if problem == "future":
        attributes.warn("timestamp_corrected")
    content, is_cut = cut(_content(event, flat, content_key, raw=raw), limits.content_bytes)
    if is_cut:
        attributes.warn("content_trimmed")
    for key, value in flat.items():
        if value is not None and key not in (stamp_key, level_key, content_key):
            attributes.add(key, value)
    if problem == "unparsed":
        attributes.add(UNPARSED, text_of(stamp))
    level = level_of(None if level_key is None else flat[level_key])
    return LogRecord(
        timestamp_ms, level, status_of(level), content, attributes.finish(common_attributes(context.format), WARNINGS)
    )


def event_instant(event: Event, context: Context, limits: Limits) -> int:
    """Return what `map_event` would give *event* as its ``timestamp_ms``."""
    flat = flatten(event, context, limits.nesting)
    key = find(flat, lowered(flat), TIMESTAMP, is_there)
    return settle(None if key is None else flat[key], context.received_ms, limits)[0]


def _content(event: Event, flat: Event, key: str | None, *, raw: bool) -> str:
    if key is not None:
        return text_of(flat[key], spaced=raw)
    return "" if raw else text_of(event)
