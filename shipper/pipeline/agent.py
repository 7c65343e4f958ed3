"""The agent: everything put together, started, run and stopped.

An unexpected error of any task stops the agent with a non-zero exit: half
alive is worse than restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from typing import Final

from shipper.adapters.control import ControlServer
from shipper.adapters.offsets import OffsetStore
from shipper.adapters.offsets_thread import OffsetThread
from shipper.config import Config
from shipper.errors import StateDamaged, StateError
from shipper.pipeline.assembly import Parts, calm_collector, raise_descriptor_limit, wall_clock_ms
from shipper.pipeline.embedded import EmbeddedEndpoint
from shipper.pipeline.journal import Journal
from shipper.pipeline.lag import lag_bytes_of
from shipper.pipeline.ledger_keeping import LedgerKeeper
from shipper.pipeline.monitoring import Monitoring
from shipper.pipeline.once import ship_everything
from shipper.pipeline.progress import Progress
from shipper.pipeline.reload import Reloader
from shipper.pipeline.seats import Seats
from shipper.pipeline.service import Service
from shipper.pipeline.stalls import Stalls
from shipper.pipeline.state_commands import open_state
from shipper.pipeline.status_line import StatusLine, figures_of
from shipper.pipeline.supervise import Beats, Supervisor, first
from shipper.pipeline.survey import shut_files
from shipper.pipeline.totals import Totals, said, total
from shipper.service_notify import Notifier

DRAIN_SECONDS: Final = 10.0
BACKUP_SECONDS: Final = 600.0
STOP_SECONDS: Final = 20.0  # for what follows the draining: the last commit, the copy of the store, the child


class Agent:
    """One run over one configuration; owns every part.

    Attributes:
        parts: From `start` on.
        reloader: While it follows: exchanges the configuration.
    """

    parts: Parts

    def __init__(
        self, config: Config, journal: Journal, *, watching: bool = True, notifier: Notifier | None = None
    ) -> None:
        """Build nothing yet: `start` does, on the event loop and the main thread.

        Args:
            config: What to do.
            journal: Where to say what happens.
            watching: Off: go by scans alone.
            notifier: The service manager, if one started us.
        """
        self._config = config
        self._journal = journal
        self._watching = watching
        self._notifier = notifier or Notifier()
        self._stop_asked = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing = contextlib.AsyncExitStack()
        self._control: ControlServer | None = None
        self._status_line = StatusLine()
        self.reloader: Reloader | None = None
        self._stalls: Stalls | None = None
        self._backed_up = 0

    # -- starting ----------------------------------------------------------------------------------

    async def start(self, *, following: bool = True) -> None:
        """Open the state, serve the endpoint where configured, take up every file; `stop` undoes what was done of it.

        Raises:
            StateError: The state directory is held by another agent, or damaged.
        """
        config, journal = self._config, self._journal
        raise_descriptor_limit()
        self._loop = asyncio.get_running_loop()
        self._tasks = Supervisor(journal.say)
        self._closing.push_async_callback(self._tasks.end)
        self._beats = Beats(time.monotonic, self._notifier.watchdog_seconds)
        self._service = Service(self._notifier, status=self._status_text, ails=self._ails, say=journal.say)
        if following:
            self._tasks.spawn("service", self._service.run())
        offsets, letters = await open_state(
            config.state_dir, config.dead_letters.max_bytes, config.dead_letters.when_full, now_ms=wall_clock_ms()
        )
        self._closing.push_async_callback(self._close_state, offsets)
        if offsets.recovered:
            journal.say("state_recovered", detail=offsets.recovered)
        await self._serve_endpoint()
        wake = self._wake_threadsafe if self._watching and following else None
        self.parts = parts = Parts(config, journal, offsets, letters, beats=self._beats, wake=wake)
        self._closing.callback(self._close_files)
        self._closing.push_async_callback(self._save_last)
        self._closing.push_async_callback(parts.output.close)
        self._closing.push_async_callback(self._tasks.end)
        await parts.census.take_up_all(offsets.pages())
        calm_collector()
        parts.sender.batches = await offsets.run(OffsetStore.last_batch)
        keeper = LedgerKeeper(offsets, journal, wall_clock_ms, config.limits.ledger_seconds)
        self._tasks.spawn("sender", parts.sender.run())
        self._tasks.spawn("ledger", keeper.run())
        self._tasks.spawn("committer", parts.committer.run())
        self._tasks.spawn("backup", self._back_up())
        if following:
            monitoring = Monitoring(parts, journal)
            self._closing.push_async_callback(monitoring.stop)
            seats = Seats(parts, journal)
            self.reloader = reloader = Reloader(
                parts, journal, on_begin=self._service.reloading, on_end=self._service.ready, seats=seats
            )
            handlers = seats.handlers() | monitoring.handlers() | {"reload": reloader.answer}
            self._control = ControlServer(config.state_dir, handlers, monitoring.streams())
            await self._control.start()
            for name, task in monitoring.tasks().items():
                self._tasks.spawn(name, task)
            self._tasks.spawn("control", self._control.failed())
            self._tasks.spawn("following", parts.following.run())
            self._tasks.spawn("reload", reloader.run())
            self._stalls = Stalls(parts, journal, self._beats, wall_clock_ms)
            self._tasks.spawn("stalls", self._stalls.run())
            self._tasks.spawn("ready", self._say_ready(), may_end=True)
            journal.say(
                "agent_started", state_dir=config.state_dir, sources=len(config.sources), endpoint=config.endpoint.url
            )

    async def _say_ready(self) -> None:
        await self.parts.following.scanned.wait()
        self._service.ready()

    async def _serve_endpoint(self) -> None:
        config = self._config
        if config.endpoint.embedded:
            embedded = EmbeddedEndpoint(
                config.endpoint.port, config.state_dir / "endpoint", config.endpoint.profile, self._journal
            )
            self._closing.push_async_callback(embedded.stop)
            if await embedded.start():
                self._tasks.spawn("embedded endpoint", embedded.watch())

    # -- running -------------------------------------------------------------------------------------

    async def run(self, progress: Progress) -> None:
        """Follow until SIGTERM or SIGINT; then drain, save and stop. A second one ends the draining."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._ask_to_reload)
        drained = False
        try:
            await first(self.start(), self._stop_asked.wait())
            if progress.shown:
                self._tasks.spawn("progress", self._show_progress(progress))
            await self._tasks.until(self._stop_asked.wait())
        finally:
            progress.close()
            drained = await self.stop(DRAIN_SECONDS)
            if hasattr(self, "parts"):
                self._journal.say("agent_stopped", drained=drained, **said(self.totals()))

    def _ask_to_reload(self) -> None:
        if self.reloader is not None:  # else it is read in a moment anyway
            self.reloader.ask()

    def _ask_to_stop(self) -> None:
        if self._stop_asked.is_set():
            self._hurry.set()
        self._stop_asked.set()

    async def run_once(self, patience: float | None) -> Totals:
        """Read every source to its end, wait for the last acknowledgement (*patience* seconds at most), stop."""
        try:
            await self.start(following=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._tasks.until(ship_everything(self.parts))
        finally:
            await self.stop(0)
        return self.totals()

    @property
    def shut(self) -> list[str]:
        """Files that match and cannot be opened, as of the last scan."""
        return shut_files(self.parts.census.last.skipped)

    async def stop(self, drain_seconds: float = DRAIN_SECONDS) -> bool:
        """Stop reading, wait for what is on its way, save, close; return whether everything was settled.

        What `start` had not done is not undone; a part that fails to stop does not keep the others from it.
        """
        async with self._closing:
            if self._control is not None:
                self._closing.push_async_callback(self._control.stop)
            parts: Parts | None = getattr(self, "parts", None)
            if parts is None:
                return True
            self._service.stopping(drain_seconds + STOP_SECONDS)
            if parts.watcher is not None:
                parts.watcher.stop()
            if self._control is not None:
                await self._control.stop()
            parts.following.stopping = True
            if drain_seconds and not parts.committer.damaged:  # what can not be saved would be sent again
                await first(parts.sender.drain(drain_seconds), self._hurry.wait())
            await parts.committer.save()
            return parts.sender.held_bytes == 0

    async def _save_last(self) -> None:
        """Save what was settled while the tasks ended, and keep a copy of the store where there is room for one."""
        parts = self.parts
        if await parts.committer.save():
            try:
                await parts.offsets.run(OffsetStore.backup)
            except StateError as error:
                self._journal.say("backup_failed", error=str(error), hint="the offsets themselves are saved")

    async def _close_state(self, offsets: OffsetThread) -> None:
        try:
            await offsets.close()
        except StateDamaged:
            raise
        except StateError as error:  # a full disk: only the history of decisions waited for this
            self._journal.once("state_not_saved", "state", error=str(error), hint="nothing is lost by that")

    def _close_files(self) -> None:
        for followed in list(self.parts.tailer.followed.values()):
            if followed.file is not None:
                followed.file.close()
        self.parts.guard.close()

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
        counts = Counter(self.parts.conversion.counters)
        counts["pending"] = self.parts.conversion.pending_records
        return total(counts, len({followed.key.file_id for followed in self.parts.tailer.followed.values()}))

    # -- tasks -----------------------------------------------------------------------------------------

    async def _back_up(self) -> None:
        while True:
            await asyncio.sleep(BACKUP_SECONDS)
            if self.parts.committer.rounds != self._backed_up:
                self._backed_up = self.parts.committer.rounds
                try:
                    await self.parts.offsets.run(OffsetStore.backup)
                except StateDamaged:
                    raise
                except StateError as error:  # a full disk: the offsets themselves are the committer's concern
                    self._journal.once("backup_failed", "backup", error=str(error))

    async def _show_progress(self, progress: Progress) -> None:
        while True:
            health = self.parts.sender.health
            waiting = "" if health.state in ("answering", "unknown") else f"endpoint {health.state}: {health.message}"
            behind = lag_bytes_of(self.parts.tailer.followed.values())
            progress.update(self.totals(), behind, waiting, time.monotonic())
            await asyncio.sleep(1.0)

    def _status_text(self) -> str:
        if not hasattr(self, "parts"):
            return "starting"
        return self._status_line.text(figures_of(self.parts, time.monotonic()))

    def _ails(self) -> list[str]:
        """Return why the watchdog must not be fed, if it must not."""
        return self._stalls.ails() if self._stalls is not None else []

    def _wake_threadsafe(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed while the observer still had something to say
            self._loop.call_soon_threadsafe(self.parts.tailer.wake.set)
