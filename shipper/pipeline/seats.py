"""Files taken from the running pipeline while a command changes their rows, and seated anew after that."""

from __future__ import annotations

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
        """Stop following *keys*, so that their rows can change under us."""
        self.detached.update(keys)
        await self._parts.committer.save()
        for key in keys:
            followed = self._parts.tailer.followed.get(key) or self.leaving.pop(key, None)
            if followed is not None:
                followed.detached = True
                self._parts.tailer.remove(followed)
                self._parts.committer.release(key)

    async def _seat_anew(self, keys: Sequence[FileKey]) -> None:
        """Follow *keys* again, from where their rows stand now."""
        lives = await self._parts.offsets.run(OffsetStore.load)
        taken = [life for life in lives if life.key in set(keys)]
        self._parts.census.forget(set(keys) - {life.key for life in taken})
        self._parts.census.take_up(taken)
        self.detached.difference_update(keys)
        self._parts.following.scan_soon()
