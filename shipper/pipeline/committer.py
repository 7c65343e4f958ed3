"""Saves what is safe: one transaction a round, dead letters before the offsets that pass them.

Acks only mark a file as changed; whatever has changed while a transaction was
under way goes into the next one, so a slow disk makes the rounds larger, not
longer. A transaction that fails (full disk, full dead letters) is tried again
with everything in it: nothing counts as saved until it is. A damaged database
ends the agent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from shipper.adapters.dead_letters import DeadLettersFull
from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.core.ledger import Entry, goes_on
from shipper.core.letters import DeadLetter
from shipper.core.model import FileKey
from shipper.errors import StateDamaged, StateError
from shipper.pipeline.journal import Journal

RETRY_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.05  # under load one commit for several answers: 6 % of the agent's CPU

_LAST_KEPT: Final = 2048  # rows of the ledger that may go on growing
_MEND: Final = (
    "the agent stops; what is not saved is sent again after the next start,"
    " which sets the database aside and goes on from its good copy"
)


class Row(Protocol):
    """Something whose row can be saved: a followed file."""

    @property
    def key(self) -> FileKey:
        """Identity of the row."""

    @property
    def unsaved_acked(self) -> int:
        """Records of it that are acknowledged and not saved."""

    def row(self, now_ms: int) -> Life:
        """Return the row as it should be saved now."""

    def spans(self) -> Sequence[Entry]:
        """Return the part of the ledger that goes with the last `row`, as far as it is not saved."""

    def saved(self, life: Life) -> None:
        """*life* is durable, and its spans."""


class Round(NamedTuple):
    """What one transaction saves."""

    changed: dict[FileKey, Row]
    lives: list[Life]
    spans: list[tuple[FileKey, Entry]]
    gone: list[FileKey]
    letters: list[DeadLetter]
    decisions: list[tuple[FileKey, str, str]]
    now_ms: int

    @property
    def empty(self) -> bool:
        """Whether there is nothing to save."""
        return not (self.lives or self.gone or self.letters or self.decisions)


class Committer:
    """Owns what waits to be saved; used from the event loop only.

    Attributes:
        failing: Why the last round failed; None while saving works.
        letters_full: Whether that was for want of room for dead letters.
        damaged: Set with the first sign that the database is damaged: nothing is written to it any more.
    """

    def __init__(
        self,
        offsets: OffsetThread,
        journal: Journal,
        now_ms: Callable[[], int],
        *,
        beat: Callable[[], None] = lambda: None,
        beat_seconds: float = 60.0,
    ) -> None:
        """Save through *offsets*, complain to *journal*; *beat* hears each turn of `run`."""
        self._beat, self._beat_seconds = beat, beat_seconds
        self._offsets = offsets
        self._journal = journal
        self._now_ms = now_ms
        self._changed: dict[FileKey, Row] = {}
        self._under_way: dict[FileKey, Row] = {}
        self._gone: list[FileKey] = []
        self._letters: list[DeadLetter] = []
        self._decisions: list[tuple[FileKey, str, str]] = []
        self._wake = asyncio.Event()
        self._round = asyncio.Lock()
        self._last: dict[FileKey, Entry] = {}
        self.failing: str | None = None
        self.letters_full = False
        self.damaged = False
        self.rounds = 0

    @property
    def unsaved_acked(self) -> int:
        """Records that are acknowledged and not saved: after a crash they would be sent again."""
        return sum(row.unsaved_acked for row in {**self._under_way, **self._changed}.values())

    def changed(self, row: Row) -> None:
        """Save *row* with the next round."""
        self._changed[row.key] = row
        self._wake.set()

    def forget(self, key: FileKey) -> None:
        """Remove the row of *key* with the next round; what waits to be saved of it goes into its account before."""
        self._gone.append(key)
        self._wake.set()

    def release(self, key: FileKey) -> None:
        """Save nothing of *key* any more: somebody else changes its row."""
        self._changed.pop(key, None)
        self._last.pop(key, None)

    def refused(self, letters: Sequence[DeadLetter]) -> None:
        """Keep *letters* with the next round; the offsets that pass them must be marked after this call."""
        self._letters.extend(letters)
        self._wake.set()

    def decided(self, key: FileKey, what: str, evidence: str) -> None:
        """Note in the file's history what was made of it; it goes along with a later round."""
        self._decisions.append((key, what, evidence))

    async def run(self) -> None:
        """Save whenever there is something; runs until cancelled."""
        while True:
            self._beat()
            try:
                async with asyncio.timeout(self._beat_seconds):
                    await self._wake.wait()
            except TimeoutError:
                continue
            if await self.save():
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def save(self) -> bool:
        """Save everything that waits; return whether it is durable.

        Cancelled, it ends the round first: what was taken for one would else be nobody's.

        Raises:
            StateDamaged: The database is. Nothing of this round is saved, nor of any later one: a second call
                returns False, so that the agent can stop in order.
        """
        async with self._round:
            self._wake.clear()
            if self.damaged:
                return False
            saving = self._take()
            if saving.empty:
                return True
            writing = asyncio.ensure_future(self._offsets.run(lambda store: _commit(store, saving)))
            cancelled = await _is_cancelled_before(writing)
            durable = self._end(saving, writing)
            if cancelled:
                raise asyncio.CancelledError
            return durable

    def _end(self, saving: Round, writing: asyncio.Future[None]) -> bool:
        """Count *saving* as saved, or put it back, as *writing* has it."""
        self._under_way = {}
        try:
            writing.result()
        except StateDamaged as error:
            self.damaged = True
            self._put_back(saving, str(error))
            raise StateDamaged(f"{error}; {_MEND}") from error
        except StateError as error:
            self._put_back(saving, str(error))
            self.letters_full = isinstance(error, DeadLettersFull)
            self._journal.once("state_not_saved", "state", error=str(error), hint="nothing is lost: it is tried again")
            return False
        self._saved(saving)
        return True

    def _take(self) -> Round:
        """Return what waits; it waits no longer."""
        now_ms = self._now_ms()
        changed, self._changed = self._changed, {}
        self._under_way = changed
        lives = [row.row(now_ms) for row in changed.values()]
        spans = [(key, entry) for key, row in changed.items() for entry in self._going_on(key, row.spans())]
        saving = Round(changed, lives, spans, self._gone, self._letters, self._decisions, now_ms)
        self._gone, self._letters, self._decisions = [], [], []
        return saving

    def _going_on(self, key: FileKey, spans: Sequence[Entry]) -> Sequence[Entry]:
        """Let the row that was saved last grow, while it is young, rather than make one a round."""
        last = self._last.get(key)
        grown = goes_on(last, spans[0]) if last is not None and spans else None
        return [grown, *spans[1:]] if grown is not None else spans

    def _put_back(self, saving: Round, why: str) -> None:
        self._changed = {**saving.changed, **self._changed}
        self._gone = saving.gone + self._gone
        self._letters = saving.letters + self._letters
        self.failing = why  # the decisions are the store's by now

    def _saved(self, saving: Round) -> None:
        self.rounds += 1
        if self.failing is not None:
            self.failing, self.letters_full = None, False
            self._journal.over("state_not_saved", "state")
            self._journal.say("state_saved_again")
        for row, life in zip(saving.changed.values(), saving.lives, strict=True):
            row.saved(life)
        for key, entry in saving.spans:
            self._last.pop(key, None)
            self._last[key] = entry
        for key in saving.gone:
            self._last.pop(key, None)
        while len(self._last) > _LAST_KEPT:
            del self._last[next(iter(self._last))]


async def _is_cancelled_before(writing: asyncio.Future[None]) -> bool:
    """Wait for the end of *writing*, and return whether we were to give that up meanwhile."""
    cancelled = False
    while not writing.done():
        try:
            await asyncio.wait({writing})
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


def _commit(store: OffsetStore, saving: Round) -> None:
    for key, what, evidence in saving.decisions:
        store.decide(key, what, evidence, saving.now_ms)
    store.commit(saving.lives, saving.gone, saving.letters, saving.spans, saving.now_ms)
