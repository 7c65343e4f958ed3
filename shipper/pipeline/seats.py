"""Files taken from the running pipeline while a command changes their rows, and seated anew after that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from shipper.adapters.control import Handler
from shipper.adapters.offsets import Life, OffsetStore
from shipper.core.letters import DeadLetter
from shipper.core.model import FileKey
from shipper.errors import StateDamaged, StateError
from shipper.pipeline.assembly import Parts, wall_clock_ms
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal
from shipper.pipeline.state_commands import StateCommands
from shipper.pipeline.state_replay import Replayer

RETRY_SECONDS: Final = 1.0


class Seats:
    """Owns which files are out of their seats; used from the event loop only.

    Attributes:
        detached: Files that a command has now: nobody else may seat them.
        leaving: Files that a reload has let go and whose last records are still on their way.
    """

    def __init__(self, parts: Parts, journal: Journal) -> None:
        """Take files from *parts*; complain to *journal*."""
        self.detached: set[FileKey] = set()
        self.leaving: dict[FileKey, Followed] = {}
        self._parts = parts
        self._journal = journal
        self._holds: dict[tuple[FileKey, ...], tuple[asyncio.Future[None], asyncio.Future[None]]] = {}

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
        taken, seated = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def hold() -> None:
            await self._take(keys)
            taken.set()
            await seated

        holding = asyncio.ensure_future(self._parts.following.between_turns(hold))
        reached = asyncio.ensure_future(taken.wait())
        try:
            await asyncio.wait({holding, reached}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            seated.set_result(None)
            holding.cancel()
            raise
        finally:
            reached.cancel()
        if holding.done():  # not begun, or failed: nobody took them
            self.detached.difference_update(keys)
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
        """Follow *keys* again, from where their rows stand now.

        Raises:
            StateDamaged: The rows cannot be read any more; the agent stops.
        """
        holding, seated = self._holds.pop(tuple(keys))
        try:
            lives = await self._lives()
            taken = [life for life in lives if life.key in set(keys)]
            self._parts.census.forget(set(keys) - {life.key for life in taken})
            self._parts.census.take_up(taken)
            self.detached.difference_update(keys)
        except BaseException as error:
            # Nobody would follow them, or a scan would take them for new: reading must not go on like that.
            seated.set_exception(error)
            await asyncio.wait({holding})
            raise
        seated.set_result(None)
        await holding
        self._parts.following.scan_soon()

    async def _lives(self) -> list[Life]:
        """Return every row; a disk that fails is asked again, for as long as it does."""
        while True:
            try:
                lives = await self._parts.offsets.run(OffsetStore.load)
            except StateDamaged:
                raise
            except StateError as error:
                hint = "nothing is read until the rows that a command has changed can be: it is tried again"
                self._journal.once("state_not_read", "state", error=str(error), hint=hint)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._journal.over("state_not_read", "state")
                return lives
