"""What was refused lately, for whoever asks why a client's events do not appear: who, when, why, how often.

No content: reasons are words of ours. Bounded in number and in length.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

MOST: Final = 200
_LONGEST_CLIENT: Final = 200


class Refusal(msgspec.Struct):
    """Requests refused alike.

    Attributes:
        client: ``User-Agent``, cut; "" without one.
        status: Of the answer; 200 is a partial one.
        reason: In our words.
        requests, events: How many; *events* counts what is known of them.
    """

    client: str
    status: int
    reason: str
    first_ms: int
    last_ms: int
    requests: int = 0
    events: int = 0


class Refusals:
    """The latest kinds of refusals; the one that was seen least lately goes first. The server owns it."""

    def __init__(self) -> None:
        """Nothing is refused yet."""
        self._kinds: OrderedDict[tuple[str, int, str], Refusal] = OrderedDict()

    def note(self, client: str, status: int, reason: str, events: int, now_ms: int) -> None:
        """Count one request; *client* is cut to a bounded length."""
        client = client[:_LONGEST_CLIENT].encode("utf-8", "backslashreplace").decode("utf-8")
        key = (client, status, reason)
        kind = self._kinds.setdefault(key, Refusal(client, status, reason, now_ms, now_ms))
        self._kinds.move_to_end(key)
        kind.last_ms = now_ms
        kind.requests += 1
        kind.events += events
        if len(self._kinds) > MOST:
            self._kinds.popitem(last=False)

    def latest(self) -> list[Refusal]:
        """Return all of them, the latest first."""
        return list(reversed(self._kinds.values()))
