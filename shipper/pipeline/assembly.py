"""The agent's parts, put together from one configuration; what runs and stops them is agent.py.

Nothing here waits or decides: each part is made with what it needs of the
others, and may be looked up by its name afterwards.
"""

from __future__ import annotations

import contextlib
import gc
import random
import resource
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from shipper.adapters.dead_letters import DeadLetters
from shipper.adapters.discovery import Discovery, wanted_by
from shipper.adapters.http_output import HttpOutput
from shipper.adapters.offsets_thread import OffsetThread
from shipper.adapters.spill import Spill
from shipper.adapters.watch import Watcher
from shipper.config import Config, load_presets, rules
from shipper.core.batch import BatchLimits, Portion, Settlement
from shipper.pipeline.census import Census
from shipper.pipeline.clock import Clock
from shipper.pipeline.committer import Committer
from shipper.pipeline.conversion import Conversion
from shipper.pipeline.following import Following
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.health import Health
from shipper.pipeline.journal import Journal
from shipper.pipeline.lag import Unread
from shipper.pipeline.outlet import Outlet
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.sender import Sender
from shipper.pipeline.sent_before import SentBefore
from shipper.pipeline.spilling import Spilling
from shipper.pipeline.supervise import Beats
from shipper.pipeline.tailer import Tailer

MOST_DESCRIPTORS: Final = 65_536
BYTES_FOR_ONE: Final = 4  # of memory, for each byte on its way: request buffers, and what the allocator keeps
DESCRIPTORS_KEPT: Final = 40  # for the state, the control socket, connections, change events and scans
FEWEST_OPEN_FILES: Final = 8


def wall_clock_ms() -> int:
    """Return the wall clock in milliseconds; nothing waits on it."""
    return time.time_ns() // 1_000_000


class Parts:
    """Owns one of each; made on the event loop and the main thread, which the guard takes its signal on.

    Attributes:
        config: What they were made from, or exchanged for by a reload.
        readings: What reads each source's files, in the order of the sources.
        offsets: The offset store's thread.
        letters: The dead letters, on that thread too.
    """

    def __init__(
        self,
        config: Config,
        journal: Journal,
        offsets: OffsetThread,
        letters: DeadLetters,
        *,
        beats: Beats,
        wake: Callable[[], None] | None,
    ) -> None:
        """Make every part.

        Args:
            config: What the agent is to do.
            journal: Where the parts say what happens.
            offsets: The open offset store.
            letters: The open dead letters.
            beats: Hears each loop go round.
            wake: Called from the watcher's thread when there is news; None for no watcher.
        """
        self.config = config
        self.offsets = offsets
        self.letters = letters
        self.health = Health(wall_clock_ms, journal.say)
        self.guard = MatchGuard()
        self.committer = Committer(
            offsets, journal, wall_clock_ms, beat=beats.of("committer"), beat_seconds=beats.every_seconds
        )
        self.output = Outlet(output_of(config, self._unread_by_source), config.endpoint.timeout_seconds)
        self.sender = self._make_sender(journal, beats)
        clock = Clock(wall_clock_ms, time.monotonic)
        self.conversion = Conversion(self.sender, self.committer, self.guard, journal, clock)
        self.tailer = Tailer(
            self.conversion, self.sender, self.committer, journal, clock,
            budget_bytes=config.limits.memory_bytes // BYTES_FOR_ONE, open_files=config.limits.open_files,
            most_open_files=most_open_files(),
        )  # fmt: skip
        self.unread = Unread(self.tailer.followed, clock.monotonic)
        self.readings = readings_of(config)
        self.spilling = Spilling(
            Spill(config.state_dir, config.limits.spill_bytes), self.tailer, self.committer, journal,
            stalled=lambda: not self.sender.attempts.may_start,
        )  # fmt: skip
        self.census = Census(
            config.sources, self.readings, discovery_of(config), self.tailer, self.committer, offsets, journal,
            wall_clock_ms, self.spilling, SentBefore(config.state_dir, journal),
        )  # fmt: skip
        self.watcher = Watcher(config.state_dir, wake) if wake is not None else None
        self.following = Following(
            self.tailer, self.census, self.watcher, journal,
            scan_seconds=config.limits.scan_seconds, flush_seconds=config.endpoint.flush_interval_seconds,
            poll_seconds=poll_seconds(config), beat=beats.of("following"), beat_seconds=beats.every_seconds,
        )  # fmt: skip

    def _make_sender(self, journal: Journal, beats: Beats) -> Sender:
        endpoint = self.config.endpoint
        return Sender(
            self.output,
            batch_limits(self.config),
            now_ms=wall_clock_ms,
            monotonic=time.monotonic,
            jitter=random.random,
            on_settled=self._settled,
            say=journal.say,
            retry_initial_seconds=endpoint.retry.initial_seconds,
            retry_max_seconds=endpoint.retry.max_seconds,
            record_budget=self.guard.record_budget,
            beat=beats.of("sender"),
            beat_seconds=beats.every_seconds,
        )

    def _unread_by_source(self) -> dict[str, int]:
        return self.unread.by_source()  # made after the output, which says it

    def _settled(self, portion: Portion, settlement: Settlement) -> None:
        self.conversion.settled(portion, settlement)  # made after the sender, which it needs
        self.tailer.wake.set()


def raise_descriptor_limit() -> None:
    """Let this process open as many files as the system grants it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, MOST_DESCRIPTORS), hard))


def most_open_files() -> int:
    """Return how many log files may be open, by the process's limit: the rest is for the state, sockets and scans."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - DESCRIPTORS_KEPT, FEWEST_OPEN_FILES)


def output_of(config: Config, unread: Callable[[], Mapping[str, int]]) -> HttpOutput:
    """Return what posts to the endpoint of *config*; *unread*: bytes by source that are not read yet."""
    endpoint = config.endpoint
    return HttpOutput(
        endpoint.url,
        loopback=endpoint.is_loopback,
        authorization=endpoint.authorization,
        compress=endpoint.compresses,
        connect_timeout_seconds=endpoint.connect_timeout_seconds,
        timeout_seconds=endpoint.timeout_seconds,
        connections=endpoint.concurrency,
        unread=unread,
    )


def readings_of(config: Config) -> list[SourceReading]:
    """Return what reads each source's files, in the order of the sources."""
    presets = load_presets(config.preset_dirs)
    host = socket.gethostname()
    return [SourceReading(rules(config, source, presets, host), source.rate_limit_bytes) for source in config.sources]


def discovery_of(config: Config) -> Discovery:
    """Return what finds the files of *config*."""
    return Discovery([wanted_by(source) for source in config.sources], own=[str(config.state_dir)])


def batch_limits(config: Config) -> BatchLimits:
    """Return the limits of a request."""
    endpoint = config.endpoint
    return BatchLimits(
        endpoint.target_request_bytes,
        endpoint.flush_interval_seconds,
        endpoint.max_request_bytes,
        endpoint.max_request_events,
        endpoint.concurrency,
    )


def poll_seconds(config: Config) -> float | None:
    """Return how often the most impatient source wants its directories looked at; None where events may decide."""
    scan = config.limits.scan_seconds
    wanted = [scan if source.poll == "always" else source.poll for source in config.sources if source.poll != "auto"]
    return min((seconds for seconds in wanted if not isinstance(seconds, str)), default=None)


def calm_collector() -> None:
    """Let garbage be collected seldom: what start-up made stays, and what a chunk makes is freed without it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
