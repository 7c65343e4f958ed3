"""What the endpoint says: the documented envelopes and texts.

Source: the reference page, section 3. A 204 has no body and no
Content-Length, unlike the OneAgent's printed sample. Over the documented
shape, a partial 200 names the refused events in ``details.rejected``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

SERVER: Final = "EEC"
ALL_TOO_OLD: Final = "All logs are out of correct time range."
SOME_TOO_OLD: Final = "{} events were not ingested because of timestamp out of correct time range"
SOME_NOT_OBJECTS: Final = "{} events were not ingested because of invalid JSON format"
TOO_NESTED: Final = "Event(s) have attributes that are too nested for records: {}"
PROCESSED_TOO_LARGE: Final = "Message size limit exceeded after preprocessing on ingest endpoint"
NO_SPACE: Final = "Usable space limit reached"
UNSUPPORTED_TYPE: Final = "Unsupported Content-Type"
_NESTED_NAMED: Final = 100


class Answer(NamedTuple):
    """A status, headers as they are to be written, and the whole body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Violation(NamedTuple):
    """One of an ErrorEnvelope's ``constraintViolations``."""

    path: str
    message: str
    where: Literal["HEADER", "PATH", "PAYLOAD_BODY", "QUERY"]


def all_kept() -> Answer:
    """Return the 204."""
    return Answer(204, {"Server": SERVER}, b"")


def partly_kept(too_old: Sequence[int], not_objects: Sequence[int], nested: Sequence[int]) -> Answer:
    """Return the 200 that says what was not kept whole; indexes are from 0, of the request's events."""
    parts = _refusals(too_old, not_objects)
    if nested:
        named = ", ".join(map(str, nested[:_NESTED_NAMED])) + (", ..." if len(nested) > _NESTED_NAMED else "")
        parts.append(TOO_NESTED.format(named))
    rejected = sorted([*too_old, *not_objects])
    return _json(200, {"details": {"code": 200, "message": "; ".join(parts), "rejected": rejected}})


def none_kept(too_old: Sequence[int], not_objects: Sequence[int]) -> Answer:
    """Return the 400 for a request all of whose events were refused one by one."""
    if not not_objects:
        return refuse(400, ALL_TOO_OLD)
    return refuse(400, "; ".join(_refusals(too_old, not_objects)))


def refuse(
    status: int, message: str, *, headers: Mapping[str, str] | None = None, violations: Iterable[Violation] = ()
) -> Answer:
    """Return an ErrorEnvelope; *headers* are added to it (``Allow``, ``Retry-After``)."""
    error: dict[str, object] = {"code": status, "message": message}
    named = [{"path": v.path, "message": v.message, "parameterLocation": v.where} for v in violations]
    if named:
        error["constraintViolations"] = named
    answer = _json(status, {"error": error})
    answer.headers.update(headers or {})
    return answer


def _refusals(too_old: Sequence[int], not_objects: Sequence[int]) -> list[str]:
    texts = ((SOME_TOO_OLD, too_old), (SOME_NOT_OBJECTS, not_objects))
    return [text.format(len(indexes)) for text, indexes in texts if indexes]


def _json(status: int, content: object) -> Answer:
    return Answer(status, {"Server": SERVER, "Content-Type": "application/json"}, msgspec.json.encode(content))
