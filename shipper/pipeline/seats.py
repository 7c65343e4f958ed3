"""Files taken from the running pipeline while a command changes their rows, and seated anew after that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shipper.adapters.control import Handler
from shipper.adapters.offsets import OffsetStore
from shipper.core.letters import DeadLetter
from shipper.core.model import FileKey
from shipper.pipeline.assembly import Parts, wall_clock_ms
from shipper.pipeline.followed import Followed
from shipper.pipeline.state_commands import StateCommands
from shipper.pipeline.state_replay import Replayer


class Seats:
    """Owns which files are out of their seats; used from the event loop only.

    Attributes:
        detached: Files that a command has now: nobody else may seat them.
        leaving: Files that a reload has let go and whose last records are still on their way.
    """

    def __init__(self, parts: Parts) -> None:
        """Take files from *parts*."""
        self.detached: set[FileKey] = set()
        self.leaving: dict[FileKey, Followed] = {}
        self._parts = parts
        self._holds: dict[tuple[FileKey, ...], tuple[asyncio.Future[None], asyncio.Event]] = {}

    def handlers(self) -> dict[str, Handler]:
        """Return the commands on the state, by their name on the control socket."""
        commands = StateCommands(
            self._parts.offsets, self._parts.letters, wall_clock_ms,
            on_changing=self._detach, on_changed=self._seat_anew, replay=self._replay,
        )  # fmt: skip
        return commands.handlers()

    async def _replay(self, letters: Sequence[DeadLetter]) -> Sequence[str]:
        endpoint = self._parts.config.endpoint
        replayer = Replayer(endpoint.url, endpoint.token, endpoint.timeout_seconds, wall_clock_ms)
        return await replayer(letters)

    async def _detach(self, keys: Sequence[FileKey]) -> None:
        """Stop following *keys*, so that their rows can change under us.

        Until they are seated anew nothing is read and no scan begins: it would take them for new files.
        """
        self.detached.update(keys)
        taken, seated = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            await self._take(keys)
            taken.set()
            await seated.wait()

        holding = asyncio.ensure_future(self._parts.following.between_turns(hold))
        reached = asyncio.ensure_future(taken.wait())
        try:
            await asyncio.wait({holding, reached}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            seated.set()
            holding.cancel()
            raise
        finally:
            reached.cancel()
        if holding.done():  # not begun, or failed
            holding.result()
        self._holds[tuple(keys)] = holding, seated

    async def _take(self, keys: Sequence[FileKey]) -> None:
        await self._parts.committer.save()
        for key in keys:
            followed = self._parts.tailer.followed.get(key) or self.leaving.pop(key, None)
            if followed is not None:
                followed.detached = True
                self._parts.tailer.remove(followed)
                self._parts.committer.release(key)

    async def _seat_anew(self, keys: Sequence[FileKey]) -> None:
        """Follow *keys* again, from where their rows stand now."""
        holding, seated = self._holds.pop(tuple(keys))
        try:
            lives = await self._parts.offsets.run(OffsetStore.load)
            taken = [life for life in lives if life.key in set(keys)]
            self._parts.census.forget(set(keys) - {life.key for life in taken})
            self._parts.census.take_up(taken)
            self.detached.difference_update(keys)
        finally:
            seated.set()
        await holding
        self._parts.following.scan_soon()
