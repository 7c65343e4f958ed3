"""agent.yaml read again while the agent runs: built and checked beside what is in use, then exchanged in one go.

Only what has changed is touched. A file whose rules have changed is read on
from its last converted chunk; a file whose source is gone is let go with its
row, and what was read of it is still delivered; one that another source reads
now (its source was given another name, or the patterns were moved) goes over
with its offset. Offsets are never reset.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from shipper.adapters.offsets import LifeState, OffsetStore
from shipper.config import Config, load
from shipper.errors import ConfigError, ShipperError
from shipper.pipeline.assembly import (
    BYTES_FOR_ONE,
    Parts,
    batch_limits,
    discovery_of,
    output_of,
    poll_seconds,
    readings_of,
)
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.reload_plan import Changes, Plan, plan
from shipper.pipeline.seats import Seats

APPLY_SECONDS: Final = 60.0


class Outcome(msgspec.Struct, frozen=True):
    """What became of a reload.

    Attributes:
        generation: Of the configuration in use: 1 from the start, one more with each reload that changed something.
        changes: What was exchanged, or would have been.
        problems, excerpts: Why the new configuration is wrong, as ConfigError has them.
        restart: Keys that need a restart: nothing was applied.
        failed: Why it could not be tried at all.
    """

    path: str
    generation: int
    changes: Changes = Changes()
    problems: list[str] = []
    excerpts: list[str] = []
    restart: list[str] = []
    failed: str = ""

    @property
    def applied(self) -> bool:
        """Whether the new configuration is in use now."""
        return not (self.problems or self.restart or self.failed)


class Reloader:
    """Owns the configuration in use; used from the event loop only."""

    def __init__(
        self,
        parts: Parts,
        journal: Journal,
        *,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
        seats: Seats,
    ) -> None:
        """Exchange what *parts* go by.

        Args:
            parts: Of the running agent.
            journal: Where to say what happened.
            on_begin, on_end: Called around each reload, whatever becomes of it.
            seats: Who is out of it: taken by a command for as long as that changes their rows, or let go by us.
        """
        self._parts = parts
        self._journal = journal
        self._on_begin = on_begin
        self._on_end = on_end
        self._seats = seats
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()
        self.generation = 1

    def ask(self) -> None:
        """Reload soon; asked several times before that, once."""
        self._asked.set()

    async def run(self) -> None:
        """Reload whenever it is asked for; runs until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.reload()

    async def answer(self, _args: dict[str, object]) -> object:
        """Reload, for the control socket; return the outcome in plain values."""
        return msgspec.to_builtins(await self.reload())

    async def reload(self) -> Outcome:
        """Read the configuration again and use it if it is right; return what became of that."""
        async with self._turn:
            self._on_begin()
            try:
                outcome = await self._reload()
            finally:
                self._on_end()
        self._say(outcome)
        return outcome

    async def _reload(self) -> Outcome:
        path = str(self._parts.config.path)
        try:
            new = await asyncio.to_thread(self._plan)
        except ConfigError as error:
            return Outcome(path, self.generation, problems=error.problems, excerpts=error.excerpts)
        except Exception as error:  # noqa: BLE001 -- a fault in building what is not used yet must not end what runs
            return Outcome(path, self.generation, failed=f"{type(error).__name__}: {error}")
        if new.restart:
            return Outcome(path, self.generation, new.changes, restart=new.restart)
        if new.changes.any:
            try:
                async with asyncio.timeout(APPLY_SECONDS):
                    await self._parts.following.between_turns(lambda: self._exchange(new))
            except TimeoutError:
                return Outcome(path, self.generation, failed="reading does not go round: see 'shipper status'")
            except ShipperError as error:
                return Outcome(path, self.generation, failed=str(error))
            self.generation += 1
        self._parts.config = new.config  # a test of a rule is no change, and is the configuration's all the same
        return Outcome(path, self.generation, new.changes)

    def _plan(self) -> Plan:
        """Return the new graph, compiled; runs on a thread of its own, beside the loop that reads."""
        old = self._parts.config
        config = load(old.path, os.environ)
        new = plan(old, self._parts.readings, config, readings_of(config))
        for reading in new.readings:
            if not reading.chooses:
                reading.converter(reading.rule.layout)
        return new

    # -- between two turns ---------------------------------------------------------------------------

    async def _exchange(self, new: Plan) -> None:
        """Put *new* in the place of what is in use; nothing is read or scanned meanwhile."""
        parts = self._parts
        if new.changes.added or new.changes.removed or new.changes.changed:
            await self._exchange_sources(new)
        self._exchange_limits(parts.config, new.config)
        parts.config, parts.readings = new.config, new.readings
        parts.following.scan_soon()

    async def _exchange_sources(self, new: Plan) -> None:
        parts = self._parts
        await parts.committer.save()
        lives = await parts.offsets.run(OffsetStore.load)
        parts.census.exchange(new.config.sources, new.readings, discovery_of(new.config))
        names = {source.name for source in new.config.sources}
        for followed in list(parts.tailer.followed.values()):
            await self._reassign(followed, names)
        self._rejoin(names)
        taken = parts.tailer.followed.keys() | self._seats.leaving.keys() | self._seats.detached
        parts.census.take_up([life for life in lives if life.key not in taken])

    async def _reassign(self, followed: Followed, names: Collection[str]) -> None:
        """Give *followed* to the source that reads it now, or let it go."""
        owner = self._owner_of(followed, names)
        if owner is None:
            await self._parts.spilling.keep_of(followed)
            self._parts.tailer.remove(followed)
            if followed.watermark.pending:
                self._seats.leaving[followed.key] = followed
            self._journal.say("file_left", file=followed.path, source=followed.source, offset=followed.chunk_end)
            return
        reading, attributes = self._parts.census.reading_of(owner, followed.path)
        self._read_by(followed, owner, reading, attributes)

    def _owner_of(self, followed: Followed, names: Collection[str]) -> str | None:
        """Return who reads *followed*: by its name while it has one, else its source, or its lineage's new one."""
        if followed.live:
            return self._parts.census.owner_of(followed.path)
        if followed.source in names:
            return followed.source
        kin = [one for one in self._parts.tailer.followed.values() if one.lineage == followed.lineage and one.live]
        owners = [self._parts.census.owner_of(one.path) for one in kin]
        return next((owner for owner in owners if owner is not None), None)

    def _read_by(self, followed: Followed, owner: str, reading: SourceReading, attributes: dict[str, str]) -> None:
        same = (followed.source, followed.path_attributes) == (owner, attributes) and followed.reading is reading
        # What has lost its file cannot be read once more: it is finished as it was begun.
        if same or followed.state is LifeState.ORPHAN:
            return
        if followed.source != owner:
            self._parts.committer.decided(followed.key, "handed over", f"from source {followed.source} to {owner}")
            self._journal.say("file_handed_over", file=followed.path, source=owner, before=followed.source)
        self._parts.tailer.read_by(followed, owner, reading, attributes)
        self._parts.committer.changed(followed)

    def _rejoin(self, names: Collection[str]) -> None:
        """Follow again what was let go by an earlier reload, is wanted again, and still on its way."""
        tailer, census = self._parts.tailer, self._parts.census
        for key, followed in list(self._seats.leaving.items()):
            if not followed.watermark.pending:
                del self._seats.leaving[key]
                continue
            owner = census.owner_of(followed.path) if followed.live else followed.source
            if owner in names and owner is not None:
                del self._seats.leaving[key]
                if followed.state is LifeState.SPILLED:
                    self._parts.spilling.take_up(followed)
                tailer.add(followed)
                tailer.suspects.add(key)  # nobody has looked at it meanwhile: the next scan does
                tailer.read_by(followed, owner, *census.reading_of(owner, followed.path))

    # -- settings --------------------------------------------------------------------------------------

    def _exchange_limits(self, old: Config, new: Config) -> None:
        parts, endpoint = self._parts, new.endpoint
        if old.endpoint != endpoint:
            parts.output.exchange(output_of(new, parts.unread.by_source), endpoint.timeout_seconds)
            parts.sender.limit(batch_limits(new), endpoint.retry.initial_seconds, endpoint.retry.max_seconds)
        parts.tailer.limit(new.limits.memory_bytes // BYTES_FOR_ONE, new.limits.open_files)
        parts.letters.limit(new.dead_letters.max_bytes, new.dead_letters.when_full)
        parts.following.retime(
            scan_seconds=new.limits.scan_seconds,
            flush_seconds=endpoint.flush_interval_seconds,
            poll_seconds=poll_seconds(new),
        )

    def _say(self, outcome: Outcome) -> None:
        changes = outcome.changes
        if outcome.problems:
            self._journal.say(
                "reload_refused", config=outcome.path, problems=len(outcome.problems), first=outcome.problems[0],
                hint="the configuration before stays in use; see 'shipper check'",
            )  # fmt: skip
        elif outcome.restart:
            self._journal.say(
                "reload_refused", config=outcome.path, restart_needed=",".join(outcome.restart),
                hint="nothing was applied: restart the agent to use this configuration",
            )  # fmt: skip
        elif outcome.failed:
            self._journal.say("reload_failed", config=outcome.path, reason=outcome.failed)
        else:
            self._journal.say(
                "reloaded", generation=outcome.generation, added=len(changes.added), removed=len(changes.removed),
                changed=len(changes.changed), unchanged=len(changes.unchanged),
                settings=",".join(changes.settings) or None,
            )  # fmt: skip
