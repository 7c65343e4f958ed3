"""Whether a file is one that was sent before: by an earlier backfill, or by the agent.

A path, an inode, a size are hints; what decides is the text: its first bytes
and those before the offset up to which it is settled. A row stands for one
file: of two files alike only one can be it, and the other is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from shipper.adapters.offsets import Life, LifeState
from shipper.adapters.texts import Text
from shipper.adapters.texts_shared import Stat
from shipper.core.identity import HEAD_BYTES, NO_HEAD, Guard, Head, head_of
from shipper.core.ledger import BACKFILLED, BEFORE, COPY, HOLE, UNKNOWN, Entry, digest_of
from shipper.core.model import FileKey, Span
from shipper.core.ranges import merged
from shipper.core.shipped import Shipped
from shipper.errors import SourceError

R = TypeVar("R")

_DELIVERED: tuple[str, ...] = ("", BACKFILLED, BEFORE, COPY, HOLE)
"""Reasons of the agent's ledger with which bytes are no loss; others were passed over and are ours to send."""


class AgentFile(NamedTuple):
    """A file that the agent knows.

    Attributes:
        closed: Whether the agent has let it go.
        spans: What it has delivered.
    """

    life: Life
    closed: bool
    spans: list[Span]

    @property
    def goes_on(self) -> bool:
        """Whether the agent will read the rest of it."""
        return not self.closed and self.life.state in (LifeState.FOLLOWING, LifeState.DRAINING)


def delivered(entries: Sequence[Entry], life: Life) -> list[Span]:
    """Return the bytes that a generation's ledger accounts for; all below the offset where there is no ledger."""
    if not entries:
        return merged([Span(0, life.offset)])
    return merged(Span(entry.start, min(entry.end, life.offset)) for entry in entries if entry.dropped in _DELIVERED)


class Known:
    """What earlier backfills and the agent have sent; each row is taken by at most one file."""

    def __init__(self, shipped: Sequence[Shipped], agent: Sequence[tuple[Life, bool]],
                 ledger: Callable[[FileKey], Sequence[Entry]]) -> None:  # fmt: skip
        """*agent* is its rows and whether each is closed; *ledger* is asked for those that are met."""
        self._shipped = _ByHead((row.head, row) for row in shipped)
        self._agent = _ByHead(
            (Head(row[0].head_length, row[0].head_digest if row[0].head_length else NO_HEAD.digest), row)
            for row in agent
        )
        self._ledger = ledger

    def shipped(self, text: Text, status: Stat, seal: bytes) -> Shipped | None:
        """Return what was sent of *text*, and take that row."""
        first = text.read_at(0, HEAD_BYTES)
        rows = [row for row in self._shipped.fitting(first) if row.head.length]
        rows.sort(key=lambda row: (not (seal and row.seal == seal), not _same_inode(row, status)))
        for row in rows:
            frontier = row.frontier
            if (seal and row.seal == seal) or (frontier is not None and _stands(text, frontier.end, frontier.guard)):
                self._shipped.take(row)
                return row
        return None

    def agents(self, text: Text, status: Stat) -> AgentFile | None:
        """Return what the agent has of *text*, and take that row."""
        first = text.read_at(0, HEAD_BYTES)
        rows = [row for row in self._agent.fitting(first) if row[0].head_length or _same_inode(row[0], status)]
        rows.sort(key=lambda row: (not _same_inode(row[0], status), row[1]))
        for row in rows:
            life, closed = row
            if self._is(life, closed, text, status):
                self._agent.take(row)
                return AgentFile(life, closed, delivered(self._ledger(life.key), life))
        return None

    def _is(self, life: Life, closed: bool, text: Text, status: Stat) -> bool:
        if life.guard_length:
            return _stands(text, life.offset, Guard(life.guard_length, life.guard_digest))
        if not life.offset:  # nothing was acknowledged yet
            return _same_inode(life, status)
        entries = self._ledger(life.key) if closed else []  # an account has no guard, but its ledger has digests
        last = next((entry for entry in reversed(entries) if not entry.dropped and entry.digest != UNKNOWN), None)
        return _holds(text, last) if last is not None else _same_inode(life, status)


class _ByHead(Generic[R]):
    """Rows by the fingerprint of their first bytes, until they are taken."""

    def __init__(self, rows: Iterable[tuple[Head, R]]) -> None:
        self._rows: dict[Head, list[R]] = {}
        for head, row in rows:
            self._rows.setdefault(head, []).append(row)
        self._lengths = {head.length for head in self._rows}
        self._taken = set[int]()

    def fitting(self, first: bytes) -> list[R]:
        """Return the rows of files that begin as *first* does; those without a fingerprint among them."""
        heads = [head_of(first[:length]) for length in self._lengths if length <= len(first)]
        return [row for head in heads for row in self._rows.get(head, ()) if id(row) not in self._taken]

    def take(self, row: R) -> None:
        """Let no other file be that of *row*."""
        self._taken.add(id(row))


def _same_inode(row: Life | Shipped, status: Stat) -> bool:
    return bool(status.inode) and (row.device, row.inode) == (status.device, status.inode)


def _stands(text: Text, offset: int, guard: Guard) -> bool:
    try:
        return guard.fits(text.read_at(max(offset - guard.length, 0), guard.length))
    except SourceError:
        return False


def _holds(text: Text, entry: Entry) -> bool:
    """Return whether the bytes of *entry*, which has a digest, are those of *text*."""
    at, digest = entry.start, entry.seed
    try:
        while at < entry.end and (data := text.read_at(at, min(entry.end - at, 1 << 20))):
            digest = digest_of(data, digest)
            at += len(data)
    except SourceError:
        return False
    return at == entry.end and digest == entry.digest
