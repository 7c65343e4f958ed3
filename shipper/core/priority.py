"""How much a lineage is in a hurry: live, behind with a deadline, or past the endpoint's window.

The endpoint discards what is older than its window (24 h) when it arrives, so
after an outage what is unread of one lineage may expire while another's fresh
lines are read. What is decided here is between lineages only: within one,
order wins, and what expires follows the source's `too_old`.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

LIVE_BYTES: Final = 1 << 20
LIVE_AGE_MS: Final = 60_000
URGENT_SHARE: Final = 8
"""A backlog is urgent when less than an eighth of its window is left: 3 of 24 hours."""


class Standing(NamedTuple):
    """Where reading of a lineage stands.

    Attributes:
        oldest_ms: Stamp at the read offset; None where nothing was read yet, or the lines have none of their own.
        unread_bytes: That are known to be there.
        window_ms: How old a stamp may be when it arrives.
    """

    oldest_ms: int | None
    unread_bytes: int
    window_ms: int


class Hurry(enum.Enum):
    """Which hand a lineage is dealt from."""

    LIVE = "live"
    BEHIND = "behind"
    EXPIRED = "expired"


class Rank(NamedTuple):
    """What a lineage is to its neighbours.

    Attributes:
        deadline_ms: When its next line passes the window; 0 where that is of no account.
        urgent_ms: From when on its deadline counts for more than live lines.
    """

    hurry: Hurry
    deadline_ms: int = 0
    urgent_ms: int = 0


LIVE: Final = Rank(Hurry.LIVE)
EXPIRED: Final = Rank(Hurry.EXPIRED)


def rank_of(standing: Standing, now_ms: int) -> Rank:
    """Return how a lineage ranks.

    Lines without a stamp never expire, so their lineage is live whatever is
    unread: its turns are its fair share. So is one that a few turns bring to
    its end, however old it is: sending a little late costs others nothing.
    """
    oldest = standing.oldest_ms
    if oldest is None or standing.unread_bytes <= LIVE_BYTES or now_ms - oldest <= LIVE_AGE_MS:
        return LIVE
    deadline = oldest + standing.window_ms
    if deadline <= now_ms:
        return EXPIRED
    return Rank(Hurry.BEHIND, deadline, deadline - standing.window_ms // URGENT_SHARE)
