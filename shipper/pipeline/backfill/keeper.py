"""Saves what is settled, one transaction a round: dead letters before the bytes that they are of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Self

import msgspec

from shipper.adapters.backfill_store import DIRECTORY, BackfillStore
from shipper.adapters.dead_letters import DeadLetters, WhenFull
from shipper.core.letters import DeadLetter
from shipper.core.restart import RestartPoint
from shipper.core.shipped import Shipped

PAUSE_SECONDS: Final = 0.02


class Keeper:
    """Owns the store and the letters on a thread of their own; used from the event loop only."""

    def __init__(self, executor: ThreadPoolExecutor, store: BackfillStore, letters: DeadLetters) -> None:
        """Use `open` instead."""
        self._executor = executor
        self._store = store
        self._letters = letters
        self._shipped: dict[int, Shipped] = {}
        self._points: list[tuple[int, RestartPoint]] = []
        self._refused: list[DeadLetter] = []
        self._done: list[int] = []
        self._then: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self._round = asyncio.Lock()

    @classmethod
    async def open(cls, state_dir: Path, max_bytes: int, when_full: WhenFull) -> tuple[Self, list[Shipped]]:
        """Open both under *state_dir*; return all that was sent before, too. Errors are those of the stores."""
        executor = ThreadPoolExecutor(1, "backfill")
        loop = asyncio.get_running_loop()
        try:
            store = await loop.run_in_executor(executor, BackfillStore.open, state_dir)
            directory = state_dir / DIRECTORY
            letters = await loop.run_in_executor(executor, DeadLetters.open, directory, max_bytes, when_full)
            return cls(executor, store, letters), await loop.run_in_executor(executor, store.load)
        except BaseException:
            executor.shutdown(wait=False)
            raise

    async def add(self, fresh: Sequence[Shipped]) -> None:
        """Give new files an id and save them: not a byte of them may be sent before."""
        for shipped in fresh:
            if not shipped.file_id:
                shipped.file_id = self._store.next_file_id()
        await self._run(partial(self._store.save, list(fresh)))

    async def points(self, file_id: int) -> list[RestartPoint]:
        """Return the restart points of a compressed file."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._store.points, file_id)

    def moved(
        self,
        shipped: Shipped,
        points: Sequence[RestartPoint],
        letters: Sequence[DeadLetter],
        then: Callable[[], None] | None = None,
    ) -> None:
        """Save *shipped* with the next round, after *letters*; *then* is called when all of it is durable."""
        if then is not None:
            self._then.append(then)
        self._shipped[shipped.file_id] = shipped
        self._points += [(shipped.file_id, point) for point in points]
        self._refused += letters
        self._wake.set()

    def done(self, shipped: Shipped) -> None:
        """All of a file is settled: it needs no restart points any more."""
        self._shipped[shipped.file_id] = shipped
        self._done.append(shipped.file_id)
        self._wake.set()

    async def run(self) -> None:
        """Save whenever there is something; runs until cancelled."""
        while True:
            await self._wake.wait()
            await self.save()
            await asyncio.sleep(PAUSE_SECONDS)

    async def save(self) -> None:
        """Save everything that waits; durable on return.

        Raises:
            StateError: The disk refuses, or there is no room for dead letters. Nothing is lost by stopping here.
        """
        async with self._round:
            self._wake.clear()
            shipped, self._shipped = self._shipped, {}
            points, self._points = self._points, []
            refused, self._refused = self._refused, []
            done, self._done = self._done, []
            then, self._then = self._then, []
            if not (shipped or points or refused or done):
                return
            # As they stand now: what is settled while this is written has its letters in the next round.
            files = [msgspec.structs.replace(each) for each in shipped.values()]
            call = partial(_save, self._store, self._letters, files, points, refused, done)
            try:
                await self._run(call)
            except BaseException:
                # Also where only the waiting was cut short: to save twice does no harm.
                self._shipped = {**shipped, **self._shipped}
                self._points, self._refused, self._done = (
                    points + self._points, refused + self._refused, done + self._done,
                )  # fmt: skip
                self._then = then + self._then
                raise
            for call_back in then:
                call_back()

    async def _run(self, call: partial[None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def close(self) -> None:
        """Close both; a second call does nothing."""
        await self._run(partial(self._store.close))
        self._executor.shutdown(wait=True)


def _save(
    store: BackfillStore,
    letters: DeadLetters,
    shipped: list[Shipped],
    points: list[tuple[int, RestartPoint]],
    refused: list[DeadLetter],
    done: list[int],
) -> None:
    if refused:
        letters.append(refused)
    store.save(shipped, points)
    if done:
        store.drop_points(done)
