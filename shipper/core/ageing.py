"""Events that grew too old while they waited: the source's `too_old` policy, applied once more.

Between conversion and sending an outage may pass. What is still within the
limit keeps its bytes: an event that was sent before is sent as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from shipper.core.model import Event, Produced, Refused
from shipper.core.rule import TooOld
from shipper.core.timestamps import utc_text


class Aged(NamedTuple):
    """What is left of some events.

    Attributes:
        events: To be sent, in order.
        dropped_records: Records of which nothing is sent: the policy says drop.
        refused: For the dead letters.
    """

    events: list[Produced]
    dropped_records: int
    refused: list[Refused]


def age(events: Iterable[Produced], oldest_ms: int, now_ms: int, policy: TooOld) -> Aged:
    """Return *events* with the policy applied to those stamped before *oldest_ms*."""
    oldest = utc_text(max(oldest_ms, 0))
    kept: list[Produced] = []
    dropped: set[int] = set()
    refused: list[Refused] = []
    for produced in events:
        stamp = str(produced.event["timestamp"])
        if stamp >= oldest:
            kept.append(produced)
        elif policy is TooOld.RESTAMP:
            kept.append(produced._replace(event=restamped(produced.event, now_ms)))
        elif policy is TooOld.DROP:
            dropped.add(produced.span.start)
        else:
            detail = f"its time {stamp} passed the endpoint's age limit while it waited"
            refused.append(Refused(produced.span, "too_old", detail, produced.event))
    return Aged(kept, len(dropped), refused)


def restamped(event: Event, now_ms: int) -> Event:
    """Return *event* as of now; its own time stays in ``log.original_timestamp``."""
    own = event.get("log.original_timestamp", event["timestamp"])
    return {**event, "timestamp": utc_text(now_ms), "log.original_timestamp": own}
