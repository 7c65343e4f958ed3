"""JSON values to attribute values, in either data model.

Source: the reference page, section 4.3 ("Arrays", "Scalars").
"""

from __future__ import annotations

import json
from typing import Final, TypeAlias

import msgspec

from shipper.endpoint.model import AttributeValue, Scalar

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

# msgspec, and most readers of JSON, hold integers in 64 bits; longer ones are kept as text.
_LEAST_INT: Final = -(1 << 63)
_GREATEST_INT: Final = (1 << 63) - 1


def text_of(value: Json, *, spaced: bool = False) -> str:
    """Return *value* as text: a string as it is, anything else as JSON; *spaced* as the raw model prints it."""
    if isinstance(value, str):
        return value
    if spaced:
        return json.dumps(value, ensure_ascii=False)
    try:
        return msgspec.json.encode(value).decode()
    except OverflowError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def attribute_of(value: Json, *, spaced: bool = False) -> AttributeValue:
    """Return *value* as an attribute holds it: a scalar, or an array of one type; an object as JSON text."""
    if isinstance(value, dict):
        return text_of(value, spaced=spaced)
    if isinstance(value, list):
        return _array(value, spaced=spaced)
    return _scalar(value)


def as_text(value: AttributeValue) -> AttributeValue:
    """Return *value* as the Classic store keeps it: every scalar a string."""
    if isinstance(value, list):
        return [None if item is None else text_of(item) for item in value]
    return text_of(value)


def _scalar(value: Scalar) -> Scalar:
    if isinstance(value, int) and not _LEAST_INT <= value <= _GREATEST_INT:
        return str(value)
    return value


def _array(items: list[Json], *, spaced: bool) -> list[Scalar]:
    flat = [text_of(i, spaced=spaced) if isinstance(i, dict | list) else _scalar(i) for i in items]
    kinds = {_kind(item) for item in flat if item is not None}
    if len(kinds) <= 1:
        return flat
    return [None if item is None else text_of(item) for item in flat]


def _kind(item: Scalar) -> str:
    if isinstance(item, str):
        return "text"
    return "truth" if isinstance(item, bool) else "number"
