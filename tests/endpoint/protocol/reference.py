"""The ingest rules once more: plain, slow, and without a line of the code under test.

It reads bodies with the standard library's JSON, stamps with `datetime`, and
does for every event everything that the page says, in the page's order.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

KEYS = [
    "timestamp", "@timestamp", "_timestamp", "eventtime", "date", "published_date", "syslog.timestamp", "time",
    "epochSecond", "startTime", "datetime", "ts", "timeMillis", "@t",
]  # fmt: skip
DAY_MS = 86_400_000
TEN_MINUTES_MS = 600_000


class Expected(NamedTuple):
    """What must come out: a status, the rejected indexes, the nested ones, the kept events, their instants."""

    status: int
    rejected: list[int]
    nested: list[int]
    events: list[Any]
    instants: list[int]


def expected_of(records: list[Any], added: dict[str, Any], structure: str, now_ms: int) -> Expected:
    """Return what a request with these *records* (Ellipsis for one that is no JSON) must lead to."""
    rejected, nested, events, instants = [], [], [], []
    for index, record in enumerate(records):
        instant = _instant(record, added, structure, now_ms) if isinstance(record, dict) else None
        if instant is None or instant < now_ms - DAY_MS:
            rejected.append(index)
            continue
        if structure == "flattened" and _levels(record) > 6:
            nested.append(index)
        events.append(record)
        instants.append(instant)
    status = 400 if not events else 200 if rejected or nested else 204
    return Expected(status, rejected, nested, events, instants)


def line_of(text: str) -> Any:
    """Return a line of JSON lines decoded, Ellipsis for one that is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return ...


def _instant(record: dict[str, Any], added: dict[str, Any], structure: str, now_ms: int) -> int:
    flat: list[tuple[str, Any]] = list(added.items())
    _walk(record, "", 5 if structure == "flattened" else 1, flat, objects=structure == "raw")
    taken: dict[str, Any] = {}
    for key, value in flat:
        if value is not None and key not in taken:
            taken[key] = value
    for key in KEYS:
        spellings = [key, *(other for other in taken if other.lower() == key.lower())]
        for spelling in spellings:
            if spelling in taken:
                instant = _read(taken[spelling])
                return now_ms if instant is None or instant > now_ms + TEN_MINUTES_MS else instant
    return now_ms


def _walk(record: dict[str, Any], prefix: str, levels: int, flat: list[tuple[str, Any]], *, objects: bool) -> None:
    for key, value in record.items():
        if isinstance(value, dict) and not objects:
            if levels > 1:
                _walk(value, prefix + key + ".", levels - 1, flat, objects=False)
        else:
            flat.append((prefix + key, value))


def _levels(value: Any) -> int:
    """Return how many objects are inside one another, an empty one not counted."""
    if not isinstance(value, dict) or not value:
        return 1
    return 1 + max(map(_levels, value.values()))


def _read(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _number(value)
    if not isinstance(value, str):
        return None
    if value.isdecimal():
        return _number(int(value))
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int((whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1000 + moment.microsecond // 1000


def _number(value: int) -> int | None:
    if value < 0:
        return None
    for limit, to_ms in ((10**11, 1000), (10**14, 1)):
        if value <= limit:
            return value * to_ms
    return value // (1000 if value < 10**16 else 1_000_000)
