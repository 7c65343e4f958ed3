"""The words of the endpoint as types: what a request brings, what is kept of it, what a reader gets.

Nothing here does anything. Instants are integers in milliseconds since
1970-01-01T00:00:00Z (``_ms``). What is kept is the *original* event, as the
client sent it, with the `Context` of its request: mapping it to a `LogRecord`
is a pure function of the two (`protocol.map_event`), applied when somebody
reads, so that another data model or another limit can be applied later.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Scalar = str | int | float | bool | None
AttributeValue = Scalar | list[Scalar]
Pairs = tuple[tuple[str, str | list[str]], ...]


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request says of all its events; kept with them.

    Attributes:
        received_ms: When it came.
        structure: The data model: reference page, section 4.3.
        query: Attributes from the query string, in order; a repeated key has a list.
        header: Attributes from ``X-Dynatrace-Attr``, likewise.
        profile: saas, classic or managed; "" is the endpoint's own default limits.
        format: ``dt.ingest.format`` of its events.
    """

    received_ms: int
    structure: Literal["flattened", "raw"] = "flattened"
    query: Pairs = ()
    header: Pairs = ()
    profile: str = ""
    format: str = "dtapi/json"


class Accepted(msgspec.Struct):
    """The events of one request that are to be kept, in its order.

    Attributes:
        context: Of the request.
        events: The original events: JSON objects joined by commas, without brackets.
        count: How many objects that is.
        oldest_ms, newest_ms: Of their resolved instants (what `LogRecord.timestamp_ms` will be).
    """

    context: Context
    events: bytes
    count: int
    oldest_ms: int
    newest_ms: int


class LogRecord(msgspec.Struct):
    """One event as a reader gets it.

    Attributes:
        timestamp_ms: Resolved: never missing.
        loglevel: EMERGENCY ALERT CRITICAL SEVERE ERROR WARN NOTICE INFO DEBUG NONE.
        status: ERROR WARN INFO NONE.
        content: The text.
        attributes: All others, flat; ``dt.ingest.warnings`` among them.
    """

    timestamp_ms: int
    loglevel: str
    status: str
    content: str
    attributes: dict[str, AttributeValue]


class Filter(msgspec.Struct, frozen=True):
    """What a reader asks for; empty fields ask for nothing.

    Attributes:
        since_ms, until_ms: Half-open [since, until) of `timestamp_ms`.
        levels: loglevels or statuses, upper case; any of them.
        source: Exact ``log.source``.
        text: Free text, searched in the content, case-insensitive; every word of it in any order.
        attributes: Exact values, as text.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    levels: frozenset[str] = frozenset()
    source: str | None = None
    text: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


class StoredRecord(msgspec.Struct):
    """A kept event with the id that it has for good (opaque, sortable by arrival)."""

    id: str
    record: LogRecord


class Page(msgspec.Struct):
    """Part of an answer; *next* is the cursor of what follows, None at the end."""

    events: list[StoredRecord]
    next: str | None = None


class Bucket(msgspec.Struct):
    """Counts by status of [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    counts: dict[str, int]
