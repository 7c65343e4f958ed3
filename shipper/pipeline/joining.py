"""Carries the open record of a rotated file over into the file that follows it.

The younger file waits for the older one; what it begins with is offered to
the record that is open there. Where it goes on, both leave as one record of
the older file, and the offsets of both pass it together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shipper.adapters.files import Turn
from shipper.core.lineage_join import Join, can_go_on, join
from shipper.core.model import FileKey
from shipper.pipeline.followed import Followed


class Offer(NamedTuple):
    """What *younger* begins with; *turn* was read from its first byte on."""

    younger: Followed
    turn: Turn


class Joining:
    """Owns what is offered; belongs to the tailer."""

    def __init__(self, followed: Mapping[FileKey, Followed]) -> None:
        """*followed* are the tailer's files."""
        self._followed = followed
        self._offers: dict[FileKey, Offer] = {}

    def elder_of(self, younger: Followed) -> Followed | None:
        """Return the file that *younger*, of which nothing was read yet, waits for to close its last record."""
        if len(younger.waits_for) != 1 or younger.read_offset or younger.framer is not None:
            return None
        older = self._followed.get(next(iter(younger.waits_for)))
        if (
            older is None
            or not older.at_end
            or older.reading is not younger.reading
            or older.lineage != younger.lineage
        ):
            return None
        held = older.held
        if held is None or older.converter is None or not can_go_on(older.converter.rule, older.carry, held):
            return None
        return older

    def offer(self, older: Followed, younger: Followed, turn: Turn, monotonic: float) -> Join | None:
        """Return what becomes of the open record of *older*; None where more must be seen, or nothing goes on."""
        before = self._offers.pop(older.key, None)
        joined = _join(older, turn.data, final=False)
        if joined is None:
            if turn.data and (before is None or len(turn.data) > len(before.turn.data)):
                older.quiet_since = monotonic  # the record is not quiet: it grows over there
            self._offers[older.key] = Offer(younger, turn)
            return None
        return joined if joined.lead else None

    def last_chance(self, older: Followed) -> tuple[Join, Offer] | None:
        """Return what becomes of the open record of *older*, which nobody waits for any longer; None for no join."""
        offer = self._offers.pop(older.key, None)
        if offer is None or self.elder_of(offer.younger) is not older:
            return None
        joined = _join(older, offer.turn.data, final=True)
        return (joined, offer) if joined is not None and joined.lead else None


def _join(older: Followed, begin: bytes, *, final: bool) -> Join | None:
    held = older.held
    if held is None or older.converter is None:
        return None
    return join(older.converter.rule, older.carry, held, begin, final=final)
