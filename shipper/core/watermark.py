"""Offsets that are safe to save.

Acks arrive in any order; files are read in one. This keeps, for one
generation of a file, the greatest offset below which everything is acked, and
hands on what the ledger is to say of the chunks below it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shipper.core.ledger import Entry
from shipper.core.model import Carry


class Safe(NamedTuple):
    """Where reading would begin again after a crash.

    Attributes:
        offset: Everything below is settled.
        carry: What the chunk that begins there must know.
        tail: The last bytes before *offset*, for the frontier guard; empty when nothing was acked yet.
    """

    offset: int
    carry: Carry
    tail: bytes


class Ticket:
    """One tracked chunk; ack it once.

    Attributes:
        accounts: What the ledger will say of the chunk, and before it of what was passed over in front of it.
        counts: What the file's counters gain by it.
    """

    __slots__ = ("accounts", "counts", "done", "end")

    def __init__(self, end: Safe) -> None:
        self.end = end
        self.done = False
        self.accounts: tuple[Entry, ...] = ()
        self.counts: Mapping[str, int] = {}


class Watermark:
    """The chunks of one generation, in file order; owned by the tailer.

    Attributes:
        safe: Where reading would begin again.
    """

    __slots__ = ("_accounts", "_counts", "_open", "safe")

    def __init__(self, start: int, carry: Carry) -> None:
        """Everything below *start* is settled already."""
        self.safe = Safe(start, carry, b"")
        # These only while something is on its way: most files are idle.
        self._accounts: list[Entry] | None = None
        self._counts: Counter[str] | None = None
        self._open: deque[Ticket] | tuple[()] = ()

    @property
    def pending(self) -> int:
        """Chunks that were tracked and are not below the safe offset."""
        return len(self._open)

    @property
    def acked_records(self) -> int:
        """Records that are acknowledged and that `take` has not handed on, also above what is not settled yet."""
        waiting = [account for ticket in self._open if ticket.done for account in ticket.accounts]
        return sum(account.acked for account in (*(self._accounts or ()), *waiting))

    def track(self, end: int, carry: Carry, tail: bytes) -> Ticket:
        """Note that a chunk up to *end* is on its way.

        Raises:
            ValueError: *end* is below an earlier one.
        """
        last = self._open[-1].end.offset if self._open else self.safe.offset
        if end < last:
            raise ValueError(f"a chunk that ends at {end} was tracked after one that ends at {last}")
        ticket = Ticket(Safe(end, carry, tail))
        if not isinstance(self._open, deque):
            self._open = deque()
        self._open.append(ticket)
        return ticket

    def ack(self, ticket: Ticket) -> bool:
        """Settle a chunk; return whether the safe offset moved.

        Raises:
            ValueError: It was acked before.
        """
        if ticket.done:
            raise ValueError("a chunk was acked twice")
        ticket.done = True
        moved = False
        while isinstance(self._open, deque) and self._open[0].done:
            settled = self._open.popleft()
            self._open = self._open or ()
            self.safe = settled.end
            self._note(settled)
            moved = True
        return moved

    def _note(self, settled: Ticket) -> None:
        if settled.accounts:
            self._accounts = [*(self._accounts or ()), *settled.accounts]
        if settled.counts:
            self._counts = self._counts or Counter()
            self._counts.update(settled.counts)

    def take(self) -> tuple[Sequence[Entry], Mapping[str, int]]:
        """Return what the ledger is to say of the chunks below the safe offset, in order, and their counts; once."""
        accounts, counts = self._accounts, self._counts
        self._accounts = self._counts = None
        return accounts or (), counts or {}
