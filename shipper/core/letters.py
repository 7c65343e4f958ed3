"""A dead letter: an event that was refused for good, with the bytes that it was read from.

Only its shape and its name; where letters are kept is the dead_letters
adapter's business. The fields are those of the lines in
``state_dir/dead_letters/*.ndjson``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from shipper.core.model import Event
from shipper.core.timestamps import utc_text

UNNAMED: Final = "refused_unnamed"
"""Reason of a letter that stands for a number of events of a batch: which ones, the endpoint did not say."""


class DeadLetter(msgspec.Struct, kw_only=True):
    """One refused event.

    Attributes:
        id: Made from the key (file, generation, start, part), so that the same bytes give the same
            letter after a crash: ``12.0.88213``, ``12.0.88213.2`` for part 2; with a ``u`` behind where
            the reason is `UNNAMED`: the count of a batch and its first event are two letters.
        at: When it was refused, RFC 3339 in UTC.
        source, path: As in the event; the path is printable.
        start, end: Bytes of the record in its file.
        part: Number of the piece of a split record, 0 for a whole one.
        reason: One word, see `shipper.core.model.Refused`.
        status: The endpoint's answer, None where nothing was sent.
        detail: What the endpoint or the rule said: one line, no log content.
        event: As it would have been sent, masked; None where the mask failed and for `UNNAMED`.
    """

    id: str = ""
    at: str
    source: str
    path: str
    file_id: int
    generation: int
    start: int
    end: int
    part: int = 0
    reason: str
    status: int | None = None
    detail: str = ""
    event: Event | None = None

    def __post_init__(self) -> None:
        """Give the letter the name that its key has."""
        self.id = letter_id(self.file_id, self.generation, self.start, self.part, self.reason)


def letter_id(file_id: int, generation: int, start: int, part: int, reason: str) -> str:
    """Return the name of the letter for these bytes."""
    tail = f".{part}" if part else ""
    return f"{file_id}.{generation}.{start}{tail}{'u' if reason == UNNAMED else ''}"


def for_replay(event: Event, now_ms: int, oldest_accepted_ms: int) -> Event:
    """Return *event* as it can be sent now: one that has become too old is stamped anew.

    Its own stamp is kept in ``log.original_timestamp``. Whoever replays a letter wants it delivered,
    whatever the policy for events of the first sending is.
    """
    stamp = event.get("timestamp")
    stamp_ms = _epoch_ms(stamp) if isinstance(stamp, str) else None
    if stamp_ms is None or stamp_ms >= oldest_accepted_ms:
        return event
    return {"log.original_timestamp": stamp, **event, "timestamp": utc_text(now_ms)}


def _epoch_ms(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(moment.timestamp() * 1000) if moment.tzinfo else None
