"""Saves what is safe: one transaction a round, dead letters before the offsets that pass them.

Acks only mark a file as changed; whatever has changed while a transaction was
under way goes into the next one, so a slow disk makes the rounds larger, not
longer. A transaction that fails (full disk, full dead letters) is tried again
with everything in it: nothing counts as saved until it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.core.letters import DeadLetter
from shipper.core.model import FileKey
from shipper.errors import StateDamaged, StateError
from shipper.pipeline.journal import Journal

RETRY_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.05  # under load one commit for several answers: 6 % of the agent's CPU


class Row(Protocol):
    """Something whose row can be saved: a followed file."""

    @property
    def key(self) -> FileKey:
        """Identity of the row."""

    def row(self, now_ms: int) -> Life:
        """Return the row as it should be saved now."""

    def saved(self, life: Life) -> None:
        """*life* is durable."""


class Committer:
    """Owns what waits to be saved; used from the event loop only.

    Attributes:
        failing: Why the last round failed; None while saving works.
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
        self._gone: list[FileKey] = []
        self._letters: list[DeadLetter] = []
        self._decisions: list[tuple[FileKey, str, str]] = []
        self._wake = asyncio.Event()
        self._round = asyncio.Lock()
        self.failing: str | None = None
        self.rounds = 0

    def changed(self, row: Row) -> None:
        """Save *row* with the next round."""
        self._changed[row.key] = row
        self._wake.set()

    def forget(self, key: FileKey) -> None:
        """Remove the row of *key* with the next round."""
        self._changed.pop(key, None)
        self._gone.append(key)
        self._wake.set()

    def release(self, key: FileKey) -> None:
        """Save nothing of *key* any more: somebody else changes its row."""
        self._changed.pop(key, None)

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
        """Save everything that waits; return whether it is durable."""
        async with self._round:
            self._wake.clear()
            changed, self._changed = self._changed, {}
            gone, self._gone = self._gone, []
            letters, self._letters = self._letters, []
            decisions, self._decisions = self._decisions, []
            now = self._now_ms()
            lives = [(row, row.row(now)) for row in changed.values()]
            if not (lives or gone or letters or decisions):
                return True
            try:
                await self._offsets.run(
                    lambda store: _commit(store, [life for _, life in lives], gone, letters, decisions, now)
                )
            except StateDamaged:
                raise
            except StateError as error:
                self._changed = {**changed, **self._changed}
                self._gone = gone + self._gone
                self._letters = letters + self._letters
                self.failing = str(error)
                self._journal.once(
                    "state_not_saved", "state", error=str(error), hint="nothing is lost: it is tried again"
                )
                return False
            self.rounds += 1
            if self.failing is not None:
                self.failing = None
                self._journal.over("state_not_saved", "state")
                self._journal.say("state_saved_again")
            for row, life in lives:
                row.saved(life)
            return True


def _commit(
    store: OffsetStore,
    lives: list[Life],
    gone: list[FileKey],
    letters: list[DeadLetter],
    decisions: list[tuple[FileKey, str, str]],
    now_ms: int,
) -> None:
    for key, what, evidence in decisions:
        store.decide(key, what, evidence, now_ms)
    store.commit(lives, gone, letters)
