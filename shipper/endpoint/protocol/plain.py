"""The short way from an ordinary event to its record.

Ordinary: flat, of texts, numbers and truth values, with a content, all within
the limits, of a request that adds nothing. What follows from an event's keys
alone is found once and kept for all events with the same keys. Whatever else
comes is `mapping`'s: this module says None and never anything else than that.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from shipper.endpoint.model import AttributeValue, Context, LogRecord
from shipper.endpoint.protocol.aliases import CONTENT, LOGLEVEL, RAW_CONTENT, TIMESTAMP, find, is_there, lowered
from shipper.endpoint.protocol.common import WARNINGS, common_attributes, settle
from shipper.endpoint.protocol.flatten import Event
from shipper.endpoint.protocol.limits import CLASSIC_PROFILES, Limits
from shipper.endpoint.protocol.severity import level_of, status_of
from shipper.endpoint.protocol.trim import cut

# A client with ever new keys must not fill the memory.
_MOST_KEYS: Final = 64
_MOST_LAYOUTS: Final = 1_024
_LEAST_INT: Final = -(1 << 63)
_GREATEST_INT: Final = (1 << 63) - 1


class _Layout(NamedTuple):
    """Under which keys events with the same keys have what the record names apart."""

    stamp: str | None
    level: str | None
    content: str


_layouts: Final[dict[tuple[tuple[str, ...], str, int], _Layout]] = {}


def plain_record(event: Event, context: Context, limits: Limits) -> LogRecord | None:
    """Return the record of an ordinary event without its `common_attributes`; None when the event is none.

    The content and every attribute of it are values of *event*, unchanged and under their own keys.
    """
    if context.query or context.header or len(event) > min(_MOST_KEYS, limits.attributes):
        return None
    layout = _layout(tuple(event), context.structure, limits)
    if layout is None or context.profile in CLASSIC_PROFILES:
        return None
    longest = limits.value_bytes // 4  # in characters of at most four bytes
    for value in event.values():
        kind = type(value)
        if kind is str:
            if len(value) > longest:  # type: ignore[arg-type] # a str
                return None
        elif kind is int:
            if not _LEAST_INT <= value <= _GREATEST_INT:  # type: ignore[operator] # an int
                return None
        elif kind is not bool and kind is not float:
            return None
    content = event[layout.content]
    if type(content) is not str or len(content) * 4 > limits.content_bytes:
        return None
    timestamp_ms, problem = settle(None if layout.stamp is None else event[layout.stamp], context.received_ms, limits)
    if problem:
        return None
    level = level_of(None if layout.level is None else event[layout.level])
    attributes: dict[str, AttributeValue] = event.copy()  # type: ignore[assignment] # scalars, as was seen
    for key in layout:
        attributes.pop(key, None)  # type: ignore[arg-type] # None is no key
    return LogRecord(timestamp_ms, level, status_of(level), content, attributes)


def _layout(keys: tuple[str, ...], structure: Literal["flattened", "raw"], limits: Limits) -> _Layout | None:
    known = _layouts.get((keys, structure, limits.key_bytes))
    if known is not None:
        return known
    found = dict[str, object].fromkeys(keys, "")
    if WARNINGS in found or not found.keys().isdisjoint(common_attributes("")):
        return None
    spellings = lowered(found)
    content = find(found, spellings, RAW_CONTENT if structure == "raw" else CONTENT, is_there)
    if content is None or any(cut(key, limits.key_bytes)[1] for key in keys):
        return None
    layout = _Layout(
        find(found, spellings, TIMESTAMP, is_there),
        find(found, spellings, LOGLEVEL, is_there),
        content,
    )
    if len(_layouts) >= _MOST_LAYOUTS:
        _layouts.clear()
    _layouts[keys, structure, limits.key_bytes] = layout
    return layout
