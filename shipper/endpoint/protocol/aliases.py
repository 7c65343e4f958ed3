"""Under which keys an event has its timestamp, its level and its content.

Source: the reference page, section 4: the first key found wins, in the order
given there; not case sensitive, but of two keys that differ only in case the
exact one is preferred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shipper.endpoint.protocol.values import Json

TIMESTAMP: Final = (
    "timestamp", "@timestamp", "_timestamp", "eventtime", "date", "published_date", "syslog.timestamp", "time",
    "epochSecond", "startTime", "datetime", "ts", "timeMillis", "@t",
)  # fmt: skip
LOGLEVEL: Final = ("loglevel", "status", "severity", "level", "syslog.severity")
CONTENT: Final = ("content", "message", "payload", "body", "log")
RAW_CONTENT: Final = (*CONTENT, "_raw")

TIMESTAMP_LOWER: Final = frozenset(alias.lower() for alias in TIMESTAMP)

Fits = Callable[[Json], bool]


def lowered(flat: Mapping[str, Json]) -> dict[str, str]:
    """Return the first key of *flat* for each lower-case spelling."""
    found: dict[str, str] = {}
    for key in flat:
        found.setdefault(key.lower(), key)
    return found


def find(flat: Mapping[str, Json], spellings: Mapping[str, str], aliases: tuple[str, ...], fits: Fits) -> str | None:
    """Return the key under which *flat* has the first of *aliases* with a value that *fits*."""
    for alias in aliases:
        if alias in flat and fits(flat[alias]):
            return alias
        low = alias.lower()
        key = spellings.get(low)
        if key is None:
            continue
        if fits(flat[key]):
            return key
        others = (key for key in flat if key.lower() == low and fits(flat[key]))
        if (other := next(others, None)) is not None:
            return other
    return None


def is_there(value: Json) -> bool:
    """Not null: in both models a timestamp or a level that is null is not there."""
    return value is not None


def is_primitive(value: Json) -> bool:
    """A content of the flattened model."""
    return value is not None and not isinstance(value, dict | list)


def is_anything(value: Json) -> bool:
    """A content of the raw model."""
    del value
    return True
