"""State that is owned by a running agent: the lock held, commands answered on the control socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shipper.adapters.control import ControlServer
from shipper.core.letters import DeadLetter
from shipper.pipeline.state_commands import StateCommands, open_state
from tests.patience import PATIENCE_SECONDS

NOW_MS = 1_795_464_000_000


@contextmanager
def running_agent(state_dir: Path, running: bool) -> Iterator[None]:
    """Own *state_dir* in a thread, if it is to be *running*; its endpoint takes every letter but those of part 1."""
    if not running:
        yield
        return
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(state_dir, ready, stop),))
    thread.start()
    try:
        assert ready.wait(PATIENCE_SECONDS)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
        loop.close()


async def _serve(state_dir: Path, ready: threading.Event, stop: asyncio.Event) -> None:
    thread, letters = await open_state(state_dir, 1 << 30, "stop", now_ms=NOW_MS)
    commands = StateCommands(thread, letters, lambda: NOW_MS, replay=_take)
    server = ControlServer(state_dir, commands.handlers())
    await server.start()
    ready.set()
    await stop.wait()
    await server.stop()
    await thread.close()


async def _take(letters: Sequence[DeadLetter]) -> Sequence[str]:
    return [letter.id for letter in letters if letter.part != 1]
