"""Parsed keys as attributes: flat names, reserved ones moved aside, limits kept.

Sources: the spec page ("The event on the wire"); the reference page, sections
4.3 (flattening, arrays), 4.2 (`status` is no level where it is HTTP's) and 5
(limits: trimmed and accepted).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Final

import msgspec

from shipper.core.model import AttributeValue, Event, Scalar
from shipper.core.rule import EventLimits, Rule

RESERVED: Final = frozenset(
    [
        "content",
        "timestamp",
        "severity",
        "loglevel",
        "event.type",
        "log.source",
        "log.file.path",
        "log.file.name",
        "log.part",
        "log.record_id",
        "log.trimmed",
        "log.timestamp_source",
        "log.original_timestamp",
        "log.raw_level",
        "log.unparsed",
        "host.name",
        "dt.ingest.origin",
    ]
)
RESERVED_SPACES: Final = ("dt.ingest.", "dt.openpipeline.", "dt.retain.", "dt.system.")
MOVED: Final = "app."

_json = msgspec.json.Encoder()
_names: dict[str, str] = {}


def attribute_name(name: str) -> str:
    """Return the name under which a parsed key is sent."""
    known = _names.get(name)
    if known is None:
        lower = name.lower()
        moved = lower in RESERVED or lower.startswith(RESERVED_SPACES)
        known = MOVED + name if moved else name
        if len(_names) < 10_000:
            _names[name] = known
    return known


def group_name(name: str) -> str:
    """Return the attribute that a pattern's group stands for: `__` means a dot."""
    return name.replace("__", ".")


def place(event: Event, name: str, value: AttributeValue) -> None:
    """Put a parsed key into *event*, beside what is there already."""
    if name.lower() == "status":
        name = beside("http.status_code" if is_http_status(value) else MOVED + name, event)
    else:
        name = placed_name(name, event)
    event[name] = value


def placed_name(name: str, taken: Container[str]) -> str:
    """Return the attribute that the key *name*, which is not `status`, becomes beside the names *taken*."""
    return beside(attribute_name(name), taken)


def beside(name: str, taken: Container[str]) -> str:
    """Return *name*, moved aside as often as it is taken."""
    while name in taken:
        name = MOVED + name
    return name


def is_http_status(value: AttributeValue) -> bool:
    """Return whether *value* looks like an HTTP status."""
    text = str(value)
    return len(text) == 3 and text.isascii() and text.isdigit() and "1" <= text[0] <= "5"


def flatten(
    value: dict[str, object], nesting: int, prefix: str = "", depth: int = 1
) -> Iterator[tuple[str, AttributeValue]]:
    """Yield the scalars and lists of a JSON object under dotted names, in document order; deeper ones as JSON text."""
    for key, item in value.items():
        name = prefix + key
        if isinstance(item, dict):
            if depth >= nesting:
                yield name, _json.encode(item).decode()
            else:
                yield from flatten(item, nesting, name + ".", depth + 1)
        elif isinstance(item, list):
            yield name, flat_list(item)
        elif item is not None:
            yield name, scalar(item)


def scalar(item: object) -> Scalar:
    """Return a JSON scalar as it is sent."""
    return item if isinstance(item, str | int | float | bool) else str(item)


def flat_list(items: list[object]) -> list[Scalar]:
    """Return a JSON array as a list of one type: all numbers, else all texts; null fits anywhere."""
    numeric = all(item is None or (isinstance(item, int | float) and not isinstance(item, bool)) for item in items)
    boolean = all(item is None or isinstance(item, bool) for item in items)
    if numeric or boolean:
        return [item for item in items if item is None or isinstance(item, int | float)]
    return [None if item is None else item if isinstance(item, str) else _json.encode(item).decode() for item in items]


def cut_utf8(text: str, limit: int) -> str:
    """Return the beginning of *text* that fits into *limit* UTF-8 bytes, whole characters only."""
    if len(text) * 4 <= limit:
        return text
    raw = text.encode("utf-8", "surrogatepass")
    return text if len(raw) <= limit else raw[:limit].decode("utf-8", "ignore")


def trim(event: Event, limits: EventLimits, fixed: frozenset[str]) -> int:
    """Cut keys, values and counts of *event* that the endpoint would cut; name them in `log.trimmed`.

    Args:
        event: Changed in place; keys in *fixed* are ours and stay.
        limits: Of the receiving side, in UTF-8 bytes.
        fixed: Names that are never trimmed.

    Returns:
        How many attributes were trimmed or left out.
    """
    trimmed: list[str] = []
    room = limits.attributes - sum(1 for name in event if name in fixed)
    for name in [name for name in event if name not in fixed]:
        value = event[name]
        short = cut_utf8(name, limits.key_bytes)
        cut = _cut_value(value, limits)
        room -= 1
        if room < 0 or short != name or cut is not value:
            trimmed.append(short)
            del event[name]
            if room >= 0:
                event.setdefault(short, cut)
    if trimmed:
        event["log.trimmed"] = cut_utf8(",".join(trimmed), limits.value_bytes)
    return len(trimmed)


def _cut_value(value: AttributeValue, limits: EventLimits) -> AttributeValue:
    if isinstance(value, str):
        cut = cut_utf8(value, limits.value_bytes)
        return value if cut == value else cut
    if isinstance(value, list):
        items = [cut_utf8(i, limits.value_bytes) if isinstance(i, str) else i for i in value[: limits.values]]
        return value if items == value else items
    return value


def static_attributes(rule: Rule, file_names: Sequence[str]) -> dict[str, str]:
    """Return the attributes that are the same on every event; what the file's path says wins."""
    static = {"log.source": rule.source, **rule.attributes}
    return {name: value for name, value in static.items() if name not in file_names}
