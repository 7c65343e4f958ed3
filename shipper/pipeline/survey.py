"""Looks at the running parts and says how they do: the one source of status, top, metrics and `/health`.

Looking costs what there are files, so whoever asks soon after another gets the
same answer, and a look at many files gives way to the pipeline again and
again: it is never more than a fiftieth of the agent's time.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from shipper import __version__
from shipper.errors import UsageError
from shipper.pipeline.assembly import BYTES_FOR_ONE, Parts
from shipper.pipeline.clock import Clock
from shipper.pipeline.followed import Followed
from shipper.pipeline.health import Colour
from shipper.pipeline.lag import Gathered, file_status
from shipper.pipeline.rates import LONG_SECONDS, SAMPLE_SECONDS, SHORT_SECONDS, Counts, Rates
from shipper.pipeline.status import (
    Answers,
    Backlog,
    DeadLetterStatus,
    EndpointStatus,
    FileStatus,
    Latency,
    Problem,
    Rate,
    SourceStatus,
    Status,
)
from shipper.pipeline.totals import total

FRESH_SECONDS: Final = 0.25
LOOKS_PER_COST: Final = 50
FILES_AT_ONCE: Final = 500
MOST_FILES: Final = 10_000  # in one answer: to write it holds up the pipeline for some 50 ms
ALL_SOURCES: Final = ""
LOOK_AT_HEALTH_EVERY: Final = 3  # samples


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of ``status``.

    Attributes:
        source: Only this one, with its files.
        files: How many files to list at most; -1 for as many as one answer may hold.
    """

    source: str | None = None
    files: int = 0


# Why a file that matches is not read although it should be: a binary or an old one is left alone on purpose.
CANNOT_BE_READ: Final = frozenset(
    os.strerror(code) for code in (errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ELOOP)
)


def shut_files(skipped: Mapping[str, str]) -> list[str]:
    """Return of *skipped*, paths and why, the files that match and should be read; of folders nobody knows."""
    return sorted(path for path, why in skipped.items() if why in CANNOT_BE_READ and not path.endswith("/"))


class Survey:
    """Owns the samples of counts, and the last answer."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        """Look at *parts*; nothing is sampled yet."""
        self._parts = parts
        self._clock = clock
        self._started_ms = clock.now_ms()
        self._rates = Rates()
        self._unreadable = set[str]()
        self._last: Status | None = None
        self._fresh_until = 0.0
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Take a sample of the counts every two seconds, look at what ails less often; runs until cancelled."""
        turn = 0
        while True:
            self._rates.sample(self._clock.monotonic(), self._counts())
            if turn % LOOK_AT_HEALTH_EVERY == 0:
                self.note_health()
            turn += 1
            await asyncio.sleep(SAMPLE_SECONDS)

    def note_health(self) -> None:
        """Say in the agent's health which sources have files that cannot be read, and what will be lost."""
        health, problems = self._parts.health, dict[str, list[str]]()
        for followed in self._parts.tailer.followed.values():
            if followed.last_error is not None:
                problems.setdefault(followed.source, []).append(followed.last_error)
        for source in {*self.sources(), *self._unreadable}:
            said = problems.get(source, [])
            if said:
                text = f"{source}: {len(said)} {'file' if len(said) == 1 else 'files'} cannot be read: {said[-1]}"
                health.raise_("files_unreadable", text, colour=Colour.YELLOW, source=source)
            elif source in self._unreadable:
                health.clear("files_unreadable", source=source)
        self._unreadable = set(problems)
        self._note_shut()
        forecasts = self._parts.tailer.forecasts.current
        if forecasts:
            health.raise_("loss_forecast", "; ".join(one.text for one in forecasts[:3]), colour=Colour.YELLOW)
        else:
            health.clear("loss_forecast")

    async def answer(self, args: dict[str, object]) -> object:
        """Answer ``status`` on the control socket."""
        try:
            asked = msgspec.convert(args, Asked)
        except msgspec.ValidationError as error:
            raise UsageError(f"wrong arguments: {error}") from error
        status = await self.status()
        if asked.source is not None and asked.source not in self.sources():
            raise UsageError(f"{asked.source}: no such source; there are: {', '.join(self.sources())}")
        shown = msgspec.structs.replace(status)
        if asked.source is not None:
            shown.sources = [source for source in status.sources if source.name == asked.source]
        if asked.files:
            most = asked.files if 0 < asked.files < MOST_FILES else MOST_FILES
            shown.files, shown.files_left_out = await self._first_files(asked.source, most)
        return msgspec.to_builtins(shown)

    def sources(self) -> list[str]:
        """Return the names of the sources, in the order of the configuration."""
        return [source.name for source in self._parts.config.sources]

    async def status(self) -> Status:
        """Return how everything does, without its files: just looked at, or a moment ago."""
        async with self._looking:
            if self._last is None or self._clock.monotonic() >= self._fresh_until:
                self._last = await self._look()
            self._last.health = self._parts.health.view()  # costs nothing, and decides over exit codes
            return self._last

    # -- looking -----------------------------------------------------------------------------------

    async def _look(self) -> Status:
        spent, now_ms, tailer = 0.0, self._clock.now_ms(), self._parts.tailer
        gathered = {name: Gathered(name) for name in self.sources()}
        for slice_ in _slices(list(tailer.followed.values())):
            started = self._clock.monotonic()
            for followed in slice_:
                if followed.source not in gathered:
                    gathered[followed.source] = Gathered(followed.source)
                gathered[followed.source].add(followed, now_ms)
            spent += self._clock.monotonic() - started
            await asyncio.sleep(0)
        started = self._clock.monotonic()
        status = self._put_together(gathered, now_ms)
        finished = self._clock.monotonic()
        self._fresh_until = finished + max(FRESH_SECONDS, (spent + finished - started) * LOOKS_PER_COST)
        return status

    def _put_together(self, gathered: dict[str, Gathered], now_ms: int) -> Status:
        parts, at, counts = self._parts, self._clock.monotonic(), self._counts()
        for name, of_source in gathered.items():
            of_source.status.rate = self._rate(at, name, counts.get(name, (0, 0)))
            of_source.status.steps = self._rates.steps(name, 0)
            of_source.status.counts = dict(parts.conversion.by_source.get(name, {}))
        sources = [of_source.finished() for of_source in gathered.values()]
        sums = Counter(parts.conversion.counters)
        sums["pending"] = parts.conversion.pending_records
        timings, watcher = parts.conversion.append_to_ack, parts.watcher
        return Status(
            at_ms=now_ms,
            version=__version__,
            pid=os.getpid(),
            started_ms=self._started_ms,
            state_dir=str(parts.config.state_dir),
            config=str(parts.config.path),
            ready=parts.census.scans > 0,
            health=parts.health.view(),
            endpoint=self._endpoint(),
            backlog=self._backlog(sources),
            rate=self._rate(at, ALL_SOURCES, counts[ALL_SOURCES]),
            steps=self._rates.steps(ALL_SOURCES, 0),
            append_to_ack=Latency(timings.count, timings.quantile(0.5), timings.quantile(0.99)),
            totals=total(sums, sum(source.files_followed for source in sources)),
            dead_letters=DeadLetterStatus(
                parts.letters.count, parts.letters.bytes, parts.config.dead_letters.max_bytes
            ),
            saving_problem=parts.committer.failing,
            unsaved_records=parts.committer.unsaved_acked,
            spill_bytes=parts.spilling.spill.used_bytes,
            spill_limit_bytes=parts.config.limits.spill_bytes,
            forecasts=list(parts.tailer.forecasts.current),
            sources=sources,
            scans=parts.census.scans,
            saves=parts.committer.rounds,
            watcher_restarts=watcher.restarts if watcher is not None else 0,
            directories_polled=len(watcher.polled) if watcher is not None else 0,
            skipped=dict(Counter(parts.census.last.skipped.values())),
        )  # fmt: skip

    def _note_shut(self) -> None:
        """Say which files match and cannot be opened; folders are left out: nobody knows what stands in them."""
        skipped = self._parts.census.last.skipped
        shut = shut_files(skipped)
        if not shut:
            self._parts.health.clear("files_unreadable")
            return
        many = "1 file that matches is" if len(shut) == 1 else f"{len(shut)} files that match are"
        first = f"{shut[0]}: {skipped[shut[0]].lower()}"
        text = f"{many} not read: {first}; 'shipper doctor' says what mends it"
        self._parts.health.raise_("files_unreadable", text, colour=Colour.YELLOW)

    async def _first_files(self, source: str | None, most: int) -> tuple[list[FileStatus], int]:
        """Return the *most* files that have a problem or are furthest behind, and how many there are besides."""
        found, count = list[FileStatus](), 0
        async for file in self._files(source):
            found.append(file)
            count += 1
            if len(found) >= 2 * most:
                found.sort(key=_worst_first)
                del found[most:]
        found.sort(key=_worst_first)
        return found[:most], max(count - most, 0)

    async def _files(self, source: str | None) -> AsyncGenerator[FileStatus, None]:
        now_ms = self._clock.now_ms()
        for slice_ in _slices(list(self._parts.tailer.followed.values())):
            for followed in slice_:
                if source is None or followed.source == source:
                    yield file_status(followed, now_ms)
            await asyncio.sleep(0)

    # -- parts of it -------------------------------------------------------------------------------

    def _counts(self) -> dict[str, Counts]:
        conversion = self._parts.conversion
        counts: dict[str, Counts] = {name: (of["read"], of["bytes_read"]) for name, of in conversion.by_source.items()}
        counts[ALL_SOURCES] = (conversion.counters["read"], conversion.counters["bytes_read"])
        return counts

    def _rate(self, at: float, name: str, counts: Counts) -> Rate:
        short = self._rates.over(SHORT_SECONDS, at, name, counts)
        long = self._rates.over(LONG_SECONDS, at, name, counts)
        return Rate(short[0], short[1], long[0], long[1])

    def _endpoint(self) -> EndpointStatus:
        attempts = self._parts.sender.attempts
        health, seconds = attempts.health, attempts.seconds
        answers = [
            Answers(name.removeprefix("status_"), attempts.counters[name], last_ms)
            for name, last_ms in sorted(attempts.last_ms.items())
        ]
        return EndpointStatus(
            url=self._parts.config.endpoint.url,
            state=health.state,
            since_ms=health.since_ms,
            status=health.status,
            message=health.message,
            attempts=health.attempts,
            requests=attempts.counters["requests"],
            answers=answers,
            last_error=Problem(health.error, health.error_ms) if health.error else None,
            answer_p50_seconds=seconds.quantile(0.5),
            answer_p99_seconds=seconds.quantile(0.99),
        )

    def _backlog(self, sources: Sequence[SourceStatus]) -> Backlog:
        parts = self._parts
        return Backlog(
            unread_bytes=sum(source.unread_bytes for source in sources),
            lag_bytes=sum(source.lag_bytes for source in sources),
            lag_seconds=max((s.lag_seconds for s in sources if s.lag_seconds is not None), default=None),
            held_bytes=parts.sender.held_bytes,
            budget_bytes=parts.config.limits.memory_bytes // BYTES_FOR_ONE,
            pending_records=parts.conversion.pending_records,
        )


def _worst_first(file: FileStatus) -> tuple[bool, int, str]:
    return file.problem is None, -file.lag_bytes, file.path


def _slices(files: Sequence[Followed]) -> Iterator[Sequence[Followed]]:
    for first in range(0, len(files), FILES_AT_ONCE):
        yield files[first : first + FILES_AT_ONCE]
