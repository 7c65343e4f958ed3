"""A committer on a real state folder, and rows whose offsets move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.offsets import Life, OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.core.ledger import Entry
from shipper.core.letters import DeadLetter
from shipper.core.model import FileKey
from shipper.pipeline.committer import Committer
from shipper.pipeline.journal import Journal
from shipper.pipeline.state_commands import open_state

ROOM = 1 << 20


class File:
    """A row whose offset moves."""

    def __init__(self, file_id: int) -> None:
        self.key = FileKey(file_id, 0)
        self.offset = 0
        self.durable: list[int] = []
        self.entries: list[Entry] = []

    @property
    def unsaved_acked(self) -> int:
        return sum(entry.acked for entry in self.entries)

    def row(self, now_ms: int) -> Life:
        return Life(
            file_id=self.key.file_id, generation=0, source="a", path=f"/log/{self.key.file_id}.log", device=1,
            inode=self.key.file_id, offset=self.offset, changed_ms=now_ms,
        )  # fmt: skip

    def spans(self) -> list[Entry]:
        return list(self.entries)

    def saved(self, life: Life) -> None:
        self.durable.append(life.offset)
        self.entries.clear()


class Scene:
    def __init__(self, thread: OffsetThread, letters: DeadLetters) -> None:
        self.thread, self.letters = thread, letters
        self.said: list[str] = []
        self.committer = Committer(thread, Journal(self.said.append), lambda: 7)

    async def offsets(self) -> dict[int, int]:
        return {life.file_id: life.offset for life in await self.thread.run(OffsetStore.load)}


@asynccontextmanager
async def opened(state_dir: Path, max_bytes: int = ROOM) -> AsyncIterator[Scene]:
    thread, letters = await open_state(state_dir, max_bytes, "stop", now_ms=0)
    try:
        yield Scene(thread, letters)
    finally:
        await thread.close()


def play(state_dir: Path, story: Callable[[Scene], Awaitable[None]], max_bytes: int = ROOM) -> None:
    async def run() -> None:
        async with opened(state_dir, max_bytes) as scene:
            await story(scene)

    asyncio.run(run())


def letter(start: int, text: str = "x") -> DeadLetter:
    return DeadLetter(
        at="2026-11-23T20:00:00.000Z", source="a", path="/log/1.log", file_id=1, generation=0, start=start,
        end=start + 1, reason="rejected", event={"content": text},
    )  # fmt: skip
