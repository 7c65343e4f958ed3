"""The agent: everything put together, started, run and stopped.

An unexpected error of any task stops the agent with a non-zero exit: half
alive is worse than restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Final, TypeVar

from shipper.adapters.control import ControlServer, Handler
from shipper.adapters.offsets import OffsetStore
from shipper.config import Config
from shipper.core.model import FileKey
from shipper.pipeline.assembly import Parts, wall_clock_ms
from shipper.pipeline.embedded import EmbeddedEndpoint
from shipper.pipeline.journal import Journal
from shipper.pipeline.progress import Progress
from shipper.pipeline.state_commands import StateCommands, open_state
from shipper.pipeline.state_replay import Replayer
from shipper.pipeline.totals import Totals, total

DRAIN_SECONDS: Final = 10.0
BACKUP_SECONDS: Final = 600.0
T = TypeVar("T")


class Agent:
    """One run over one configuration; owns every part."""

    def __init__(self, config: Config, journal: Journal, *, watching: bool = True) -> None:
        """Build nothing yet: `start` does, on the event loop and the main thread. *watching* off: scans alone."""
        self._config = config
        self._journal = journal
        self._watching = watching
        self._tasks: list[asyncio.Task[None]] = []
        self._stop_asked = asyncio.Event()
        self._backed_up = 0

    # -- starting ----------------------------------------------------------------------------------

    async def start(self, *, following: bool = True) -> None:
        """Open the state, serve the endpoint where configured, take up every file.

        Raises:
            StateError: The state directory is held by another agent, or damaged.
        """
        config, journal = self._config, self._journal
        _raise_descriptor_limit()
        self._loop = asyncio.get_running_loop()
        offsets, letters = await open_state(
            config.state_dir, config.dead_letters.max_bytes, config.dead_letters.when_full, now_ms=wall_clock_ms()
        )
        if offsets.recovered:
            journal.say("state_recovered", detail=offsets.recovered)
        await self._serve_endpoint()
        wake = self._wake_threadsafe if self._watching and following else None
        self.parts = parts = Parts(config, journal, offsets, letters, wake=wake)
        parts.census.take_up(await offsets.run(OffsetStore.load))
        _calm_collector()
        self._spawn(parts.sender.run(), parts.committer.run(), self._back_up())
        if following:
            self._control = ControlServer(config.state_dir, self._handlers())
            await self._control.start()
            self._spawn(self._control.failed(), parts.following.run())
            journal.say(
                "agent_started", state_dir=config.state_dir, sources=len(config.sources), endpoint=config.endpoint.url
            )

    async def _serve_endpoint(self) -> None:
        config = self._config
        self._embedded: EmbeddedEndpoint | None = None
        if config.endpoint.embedded:
            embedded = EmbeddedEndpoint(
                config.endpoint.port, config.state_dir / "endpoint", config.endpoint.profile, self._journal
            )
            if await embedded.start():
                self._embedded = embedded
                self._spawn(embedded.watch())

    def _handlers(self) -> dict[str, Handler]:
        endpoint = self._config.endpoint
        replayer = Replayer(endpoint.url, endpoint.token, endpoint.timeout_seconds, wall_clock_ms)
        commands = StateCommands(
            self.parts.offsets, self.parts.letters, wall_clock_ms,
            on_changing=self._detach, on_changed=self._seat_anew, replay=replayer,
        )  # fmt: skip
        return commands.handlers()

    # -- running -------------------------------------------------------------------------------------

    async def run(self, progress: Progress) -> None:
        """Follow until SIGTERM or SIGINT; then drain, save and stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_asked.set)
        loop.add_signal_handler(
            signal.SIGHUP,
            lambda: self._journal.say("reload_refused", hint="restart the agent to read agent.yaml again"),
        )
        await self.start()
        if progress.shown:
            self._spawn(self._show_progress(progress))
        try:
            await self._guarded(self._stop_asked.wait())
        finally:
            progress.close()
            drained = await self.stop(DRAIN_SECONDS)
            self._journal.say("agent_stopped", drained=drained, **_figures(self.totals()))

    async def run_once(self, patience: float | None) -> Totals:
        """Read every source to its end, wait for the last acknowledgement (*patience* seconds at most), stop."""
        await self.start(following=False)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._guarded(self._ship_everything())
        finally:
            await self.stop(0)
        return self.totals()

    async def _ship_everything(self) -> None:
        await self.parts.following.read_to_end()
        await self.parts.sender.drain(None)
        while not await self.parts.committer.save():
            await asyncio.sleep(0.2)

    async def stop(self, drain_seconds: float = DRAIN_SECONDS) -> bool:
        """Stop reading, wait for what is on its way, save, close; return whether everything was settled."""
        if self.parts.watcher is not None:
            self.parts.watcher.stop()
        control = getattr(self, "_control", None)
        if control is not None:
            await control.stop()
        self.parts.following.stopping = True
        drained = await self.parts.sender.drain(drain_seconds) if drain_seconds else self.parts.sender.held_bytes == 0
        await self.parts.committer.save()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.parts.output.close()
        await self.parts.committer.save()
        if not self.parts.committer.failing:
            await self.parts.offsets.run(OffsetStore.backup)
        await self.parts.offsets.close()
        for followed in list(self.parts.tailer.followed.values()):
            if followed.file is not None:
                followed.file.close()
        self.parts.guard.close()
        if self._embedded is not None:
            await self._embedded.stop()
        return drained

    async def scanned(self, scans: int) -> None:
        """Wait for *scans* further scans."""
        target = self.parts.census.scans + scans
        while self.parts.census.scans < target:
            await asyncio.sleep(0.01)

    @property
    def scans(self) -> int:
        """Scans since the start."""
        return self.parts.census.scans

    def totals(self) -> Totals:
        """Return what became of every record since the start."""
        counts = Counter(self.parts.tailer.counters)
        counts["pending"] = self.parts.tailer.pending_records
        return total(counts, len({followed.key.file_id for followed in self.parts.tailer.followed.values()}))

    # -- the control socket's hooks ------------------------------------------------------------------

    async def _detach(self, keys: Sequence[FileKey]) -> None:
        """Stop following *keys*, so that their rows can change under us."""
        await self.parts.committer.save()
        for key in keys:
            followed = self.parts.tailer.followed.get(key)
            if followed is not None:
                followed.detached = True
                self.parts.tailer.remove(followed)
                self.parts.committer.release(key)

    async def _seat_anew(self, keys: Sequence[FileKey]) -> None:
        """Follow *keys* again, from where their rows stand now."""
        lives = await self.parts.offsets.run(OffsetStore.load)
        self.parts.census.take_up([life for life in lives if life.key in set(keys)])
        self.parts.following.scan_soon()

    # -- tasks -----------------------------------------------------------------------------------------

    def _spawn(self, *coroutines: Coroutine[object, object, None]) -> None:
        self._tasks += [asyncio.create_task(coroutine) for coroutine in coroutines]

    async def _guarded(self, work: Coroutine[object, object, T]) -> None:
        """Wait for *work*, or for the first task that ends, which none should."""
        mine = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({mine, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            mine.cancel()
            raise
        for task in done:
            task.result()
        mine.cancel()

    async def _back_up(self) -> None:
        while True:
            await asyncio.sleep(BACKUP_SECONDS)
            if self.parts.committer.rounds != self._backed_up:
                self._backed_up = self.parts.committer.rounds
                await self.parts.offsets.run(OffsetStore.backup)

    async def _show_progress(self, progress: Progress) -> None:
        while True:
            health = self.parts.sender.health
            waiting = "" if health.state in ("answering", "unknown") else f"endpoint {health.state}: {health.message}"
            progress.update(self.totals(), self.parts.tailer.lag_bytes, waiting, time.monotonic())
            await asyncio.sleep(1.0)

    def _wake_threadsafe(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed while the observer still had something to say
            self._loop.call_soon_threadsafe(self.parts.tailer.wake.set)


def _calm_collector() -> None:
    """Let garbage be collected seldom: what start-up made stays, and what a chunk makes is freed without it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))


def _figures(totals: Totals) -> dict[str, int]:
    figures = {
        "read": totals.read,
        "acked": totals.acked,
        "filtered": sum(totals.filtered.values()),
        "dead_lettered": sum(totals.dead_lettered.values()),
        "refused_unnamed": totals.refused_unnamed,
        "pending": totals.pending,
    }
    return {name: count for name, count in figures.items() if count or name in ("read", "acked", "pending")}
