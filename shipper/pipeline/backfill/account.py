"""What of a piece is settled, in file order: bytes, counts and dead letters, until they are reported."""

from __future__ import annotations

from collections import Counter, deque

import msgspec

from shipper.core.identity import NO_GUARD, Guard, guard_of
from shipper.core.letters import DeadLetter
from shipper.core.model import Chunk, Span
from shipper.core.ranges import without
from shipper.core.shipped import Settled
from shipper.core.watermark import Safe, Ticket

_encode_carry = msgspec.json.Encoder().encode


class Underway(msgspec.Struct, eq=False):
    """A chunk on its way.

    Attributes:
        outside: Its bytes that are not of the time asked for.
        counts: Its records by fate; those of its settling are added.
        guards: Of the end of what of it is sent, by that end: later bytes may be left out.
    """

    ticket: Ticket
    outside: list[Span]
    counts: Counter[str]
    letters: list[DeadLetter] = []
    guards: dict[int, Guard] = {}

    def note_guard(self, chunk: Chunk) -> None:
        """Keep how the file is known again by what of *chunk*, which this stands for, is sent."""
        kept = without([Span(chunk.start, chunk.end)], self.outside)
        self.guards = {span.end: guard_of(chunk.data[: span.end - chunk.start]) for span in kept[-1:]}


class Account:
    """Owns the chunks under way, and what is settled of a piece and not reported."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._underway: deque[Underway] = deque()
        self._outside: list[Span] = []
        self._guards: dict[int, Guard] = {}
        self._counts: Counter[str] = Counter()
        self._letters: list[DeadLetter] = []

    def open(self, chunk: Underway) -> None:
        """Take *chunk*, the next one of the file."""
        self._underway.append(chunk)

    def close(self) -> bool:
        """Count what is settled and has nothing under way before it; return whether nothing is under way at all."""
        while self._underway and self._underway[0].ticket.done:
            first = self._underway.popleft()
            self._counts.update(first.counts)
            self._letters += first.letters
            self._outside += first.outside
            self._guards.update(first.guards)
        return not self._underway

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to report."""
        return not (self._letters or self._counts)

    def settled(self, begin: int, safe: Safe) -> list[Settled]:
        """Return what of [begin, safe) is settled; each with the guard of its end, the last with its carry."""
        spans = without([Span(begin, safe.offset)], self._outside)
        settled = [Settled(span.start, span.end, guard=self._guards.get(span.end, NO_GUARD)) for span in spans]
        if settled and settled[-1].end == safe.offset:
            settled[-1] = settled[-1]._replace(carry=_encode_carry(safe.carry), guard=guard_of(safe.tail))
        return settled

    def take(self) -> tuple[dict[str, int], list[DeadLetter]]:
        """Return counts and letters, and begin anew."""
        counts, letters = dict(self._counts), self._letters
        self._counts, self._letters = Counter(), []
        self._outside, self._guards = [], {}
        return counts, letters
