"""Short ways to ask the protocol one question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from shipper.endpoint.model import Accepted, Context, LogRecord
from shipper.endpoint.protocol import Answer, Limits, Request, limits_for, map_event, receive

NOW_MS = 1_771_795_739_169
NOW = "2026-02-22T21:28:59.169Z"
LIMITS = limits_for("")
JSON = {"content-type": "application/json; charset=utf-8"}
LINES = {"content-type": "application/x-ndjson"}
TEXT = {"content-type": "text/plain"}

Query = Sequence[tuple[str, str]]
Structure = Literal["flattened", "raw"]


def post(body: bytes, headers: dict[str, str] | None = None, query: Query = ()) -> Request:
    """Return an ingest request."""
    return Request("POST", "/v2/logs/ingest", list(query), JSON if headers is None else headers, body)


def answer_to(
    body: bytes,
    headers: dict[str, str] | None = None,
    query: Query = (),
    limits: Limits = LIMITS,
    structure: Structure = "flattened",
) -> tuple[Answer, Accepted | None, dict[str, int]]:
    """Return what `receive` says to *body* at `NOW`."""
    return receive(post(body, headers, query), limits, NOW_MS, structure=structure)


def message_of(answer: Answer) -> str:
    """Return the envelope's message; fail if its code is not the status."""
    envelope = msgspec.json.decode(answer.body)
    inner = envelope["details" if answer.status == 200 else "error"]
    assert inner["code"] == answer.status
    return str(inner["message"])


def kept(accepted: Accepted | None) -> list[object]:
    """Return the events that are to be stored, decoded."""
    assert accepted is not None
    events = msgspec.json.decode(b"[" + accepted.events + b"]", type=list[object])
    assert len(events) == accepted.count
    return events


def record_of(
    event: dict[str, object],
    structure: Structure = "flattened",
    limits: Limits = LIMITS,
    profile: str = "",
    query: Query = (),
    headers: dict[str, str] | None = None,
) -> LogRecord:
    """Return the record that a request of one event makes, by way of its bytes."""
    request = post(msgspec.json.encode(event), {**JSON, **(headers or {})}, query)
    answer, accepted, _ = receive(request, limits, NOW_MS, structure=structure, profile=profile)
    assert accepted is not None, answer
    return map_event(msgspec.json.decode(accepted.events), accepted.context, limits)


def own_attributes(record: LogRecord) -> dict[str, object]:
    """Return a record's attributes but for those that the server sets on every one."""
    common = {"event.type", "dt.openpipeline.source", "dt.openpipeline.source_type", "dt.ingest.format"}
    return {key: value for key, value in record.attributes.items() if key not in common}


def warnings_of(record: LogRecord) -> object:
    """Return ``dt.ingest.warnings``, None when there are none."""
    return record.attributes.get("dt.ingest.warnings")


def context(**said: object) -> Context:
    """Return the context of a request received at `NOW`."""
    return msgspec.convert({"received_ms": NOW_MS, **said}, Context)
