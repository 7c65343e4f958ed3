"""What an answer of the endpoint means for the batch that got it.

Source: the reference page, sections 3 (codes and client actions), 7 (the
local endpoint) and 8 (bugs of other clients to avoid). Bodies need not be
JSON: gateways answer HTML.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

import msgspec

LONGEST_RETRY_AFTER_SECONDS: Final = 600.0
_COUNT: Final = re.compile(r"(\d+) events? (?:was|were) not ingested", re.IGNORECASE)
_NESTED: Final = re.compile(r"too nested", re.IGNORECASE)
_TIME_RANGE: Final = re.compile(r"out of correct time range", re.IGNORECASE)
_PAGE: Final = re.compile(rb"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


class Action(enum.Enum):
    """What to do with a batch."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"
    BISECT = "bisect"
    EXPIRED = "expired"
    SPLIT = "split"
    RETRY = "retry"
    HOLD = "hold"


class Response(NamedTuple):
    """An answer: status, headers with lower-case names, and at most 64 KiB of body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Verdict(NamedTuple):
    """What an answer means.

    Attributes:
        action: What to do.
        message: What the endpoint said, one line, shortened.
        refused: For PARTIAL: how many events were refused.
        indexes: For PARTIAL: which ones, where the endpoint names them.
        wait_seconds: For RETRY: what Retry-After asks for.
        mend: For HOLD: what the operator can do.
    """

    action: Action
    message: str = ""
    refused: int = 0
    indexes: tuple[int, ...] = ()
    wait_seconds: float | None = None
    mend: str = ""


_HOLDS: Final = {
    401: "the token is missing or wrong: see endpoint.token",
    402: "the licence or quota is used up",
    403: "the token lacks the scope logs.ingest, or the endpoint refuses this host",
    404: "nothing takes logs at this URL: see endpoint.url; on a OneAgent, is log ingest switched on?",
    405: "this URL does not take POST: see endpoint.url",
    415: "this URL does not take JSON: see endpoint.url",
    501: "log ingest is not available there",
}
_RETRIES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


def classify(response: Response, now_s: float) -> Verdict:
    """Return what to do with a batch that got *response*; *now_s* (epoch seconds) is for dates in Retry-After."""
    status = response.status
    message = message_of(response.body)
    if 200 <= status < 300:
        if _PAGE.match(response.body):
            return Verdict(Action.HOLD, message, mend="a web page answers at this URL: see endpoint.url")
        return _partial(response.body, message) if status == 200 else Verdict(Action.ACCEPTED)
    if status == 400:
        return Verdict(Action.EXPIRED if _TIME_RANGE.search(message) else Action.BISECT, message)
    if status == 413:
        return Verdict(Action.SPLIT, message)
    if status in _RETRIES or (status >= 500 and status not in _HOLDS):
        return Verdict(Action.RETRY, message, wait_seconds=retry_after(response.headers.get("retry-after"), now_s))
    if 300 <= status < 400:
        where = response.headers.get("location", "elsewhere")
        return Verdict(
            Action.HOLD, message, mend=f"the endpoint sends us to {where}: set endpoint.url to the final address"
        )
    return Verdict(Action.HOLD, message, mend=_HOLDS.get(status, "the endpoint refuses these requests"))


def retry_after(text: str | None, now_s: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, at most ten minutes; None for nonsense."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now_s
        except ValueError:
            return None
    return min(seconds, LONGEST_RETRY_AFTER_SECONDS) if seconds > 0 else None


def message_of(body: bytes) -> str:
    """Return what an answer's body says, in one line."""
    envelope = _object(body)
    for key in ("error", "details", "success"):
        inner = envelope.get(key)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return _one_line(str(inner["message"]))
    return _one_line(re.sub(r"<[^>]*>", " ", body[:2000].decode("utf-8", "replace")))


def _partial(body: bytes, message: str) -> Verdict:
    details = _object(body).get("details")
    named = details.get("rejected") if isinstance(details, dict) else None
    if isinstance(named, list):
        indexes = tuple(index for index in named if type(index) is int and index >= 0)
        return Verdict(Action.PARTIAL if indexes else Action.ACCEPTED, message, len(indexes), indexes)
    count = _COUNT.search(message)
    if count is not None:
        return Verdict(Action.PARTIAL, message, int(count[1]))
    if _NESTED.search(message) or not message:
        return Verdict(Action.ACCEPTED, message)
    return Verdict(Action.PARTIAL, message, 0)


def _object(body: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
