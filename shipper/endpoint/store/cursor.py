"""Where a page ended: the instant and id of its last event. Pure.

The next page begins behind them, so what arrives meanwhile moves nothing, and
a restart changes nothing.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from shipper.endpoint.store.trouble import BadCursor

Order = Literal["newest", "oldest"]

_CURSOR: Final = re.compile(r"([no])(-?\d{1,18})\.(\d{1,18})", re.ASCII)


class Place(NamedTuple):
    """Where an event stands in order of time."""

    timestamp_ms: int
    id: int


def write(order: Order, place: Place) -> str:
    """Return the cursor of a page that ended at *place*."""
    return f"{order[0]}{place.timestamp_ms}.{place.id}"


def read(text: str, order: Order) -> Place:
    """Return the place that a cursor names.

    Raises:
        BadCursor: It is none of ours, or of the other order.
    """
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise BadCursor(f"cursor: {text[:40]!r} is none of this endpoint; leave it out to begin anew")
    if found[1] != order[0]:
        raise BadCursor(f"cursor: it belongs to the other order than {order!r}")
    return Place(int(found[2]), int(found[3]))


def id_text(number: int) -> str:
    """Return an event's id as readers see it: of one length, so that it sorts by arrival."""
    return f"{number:016d}"
