"""What a tenant's answer means for the events that got it.

Source: the reference page, sections 3 (codes, bodies, client action) and 10.
Written apart from the agent's own table on purpose: the endpoint shares no
idea with its client. Bodies need not be JSON; 200 is partial.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

import msgspec

LONGEST_WAIT_SECONDS: Final = 600.0
_LONGEST_MESSAGE: Final = 200
_NOT_INGESTED: Final = re.compile(r"(\d+)\s+events?\s+(?:was|were)\s+not\s+ingested([^;]*)", re.IGNORECASE)
_TIME_RANGE: Final = re.compile(r"correct\s+time\s+range", re.IGNORECASE)


class Verdict(enum.Enum):
    """What to do with the events."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # one or more of them: find out which
    TOO_LARGE = "too_large"  # halve
    RETRY = "retry"
    HOLD = "hold"  # nothing passes before somebody mends something


class Judgement(NamedTuple):
    """What an answer means.

    Attributes:
        verdict: What to do.
        message: What the tenant says, one line, shortened.
        too_old, refused: For DELIVERED: how many events were not, for their age or another reason. For REFUSED,
            *too_old* is 1 where the age is the reason.
        wait_seconds: For RETRY: what Retry-After asks for.
        mend: For HOLD: what the operator can do.
    """

    verdict: Verdict
    message: str = ""
    too_old: int = 0
    refused: int = 0
    wait_seconds: float | None = None
    mend: str = ""


_MEND: Final = {
    401: "the token is missing or not valid",
    402: "the licence or quota is used up",
    403: "the token lacks the scope logs.ingest",
    404: "nothing takes logs at this URL",
    405: "this URL does not take POST",
    415: "this URL does not take gzipped JSON",
    501: "log ingest is not available there",
}
_AGAIN: Final = frozenset({408, 425, 429})


def judge(status: int, headers: Mapping[str, str], body: bytes, now_s: float) -> Judgement:
    """Return what to do with events that got this answer.

    Args:
        status: Of the answer.
        headers: Lower-case names.
        body: Its first 64 KiB.
        now_s: Epoch seconds: Retry-After may be a date.
    """
    message = message_of(body)
    if status == 200:
        return _partial(body, message)
    if 200 <= status < 300:
        return Judgement(Verdict.DELIVERED, message)
    if 300 <= status < 400:
        return Judgement(Verdict.HOLD, message, mend="the URL leads elsewhere; use the final one")
    if status == 400:
        return Judgement(Verdict.REFUSED, message, too_old=1 if _TIME_RANGE.search(message) else 0)
    if status == 413:
        return Judgement(Verdict.TOO_LARGE, message)
    if status in _AGAIN or (status >= 500 and status not in _MEND):
        wait = wait_of(headers.get("retry-after", ""), now_s)
        return Judgement(Verdict.RETRY, message, wait_seconds=wait)
    return Judgement(Verdict.HOLD, message, mend=_MEND.get(status, "the tenant takes no such requests"))


def wait_of(retry_after: str, now_s: float) -> float | None:
    """Return the seconds that a Retry-After asks for, at most ten minutes; None for none and for nonsense."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), LONGEST_WAIT_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now_s
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def message_of(body: bytes) -> str:
    """Return what a body says: the envelope's message, or its text without tags."""
    envelope = _envelope(body)
    for key in ("error", "details", "success"):
        inner = envelope.get(key)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return _one_line(str(inner["message"]))
    return "" if envelope else _one_line(re.sub(r"<[^>]*>", " ", body[:2000].decode("utf-8", "replace")))


def _partial(body: bytes, message: str) -> Judgement:
    too_old = refused = 0
    for count, why in _NOT_INGESTED.findall(message):
        if _TIME_RANGE.search(why):
            too_old += int(count[:9])
        else:
            refused += int(count[:9])
    details = _envelope(body).get("details")
    named = details.get("rejected") if isinstance(details, dict) else None
    if isinstance(named, list):
        refused = max(len(named) - too_old, 0)
    return Judgement(Verdict.DELIVERED, message, too_old, refused)


def _envelope(body: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 3] + "..."
