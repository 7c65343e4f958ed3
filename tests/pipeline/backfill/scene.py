"""A backfill against an endpoint in the test's own loop; its workers are processes as ever."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import zstandard

from shipper.config import Config, Endpoint, Source
from shipper.config.model import Retry
from shipper.core.plan import Plan
from shipper.core.restart import RestartPoint
from shipper.pipeline.backfill.asked import Window
from shipper.pipeline.backfill.coordinator import Coordinator
from shipper.pipeline.backfill.jobs import Job
from shipper.pipeline.backfill.keeper import Keeper
from shipper.pipeline.backfill.outcome import Figures, Limits, Outcome
from shipper.pipeline.backfill.preparation import Asked, Prepared, carry_out, dealt, now_ms, prepare, setup_of
from shipper.pipeline.guard import MatchGuard
from tests.end_to_end.receiver import Receiver

STAMPED = Source(name="app", paths=("/**",), pattern=r"(?P<timestamp>\S+) (?P<severity>[A-Z]+) ")

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda text: text,
    ".gz": lambda text: gzip.compress(text, 1),
    ".bz2": lambda text: bz2.compress(text, 1),
    ".xz": lambda text: lzma.compress(text, preset=0),
    ".zst": zstandard.ZstdCompressor().compress,
}


def log(lines: int, *, begin: int = 0, name: str = "app", width: int = 60) -> bytes:
    """Return *lines* lines, ten a second, each of them unlike any other."""
    return b"".join(
        b"%s %s line %07d %s\n" % (_time(n), name.encode(), n, b"x" * width) for n in range(begin, begin + lines)
    )


def _time(number: int) -> bytes:
    seconds, tenth = divmod(number, 10)
    day, second = divmod(seconds, 86_400)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return b"2026-11-%02dT%02d:%02d:%02d.%d00Z INFO" % (1 + day, hour, minute, second, tenth)


def contents(text: bytes) -> list[str]:
    """Return what each line of *text* is sent as."""
    return text.decode().splitlines()


class Watching:
    """An observer that remembers, and that a test can hook into."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, str | int | float | bool | None]]] = []
        self.errors: dict[str, str] = {}
        self.ticks: list[Figures] = []

    def tick(self, figures: Figures) -> None:
        """Remember the figures."""
        self.ticks.append(figures)

    def file_done(self, job: Job, error: str) -> None:
        """Remember what went wrong."""
        if error:
            self.errors[job.place.shown] = error

    def say(self, event: str, fields: dict[str, str | int | float | bool | None]) -> None:
        """Remember what was said."""
        self.said.append((event, fields))


class Scene:
    """One state directory and one endpoint."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.folder = folder
        self.receiver = receiver
        self.state_dir = folder / "state"
        self.watching = Watching()
        self.coordinator: Coordinator | None = None
        self.prepared: Prepared | None = None

    def write(self, name: str, text: bytes) -> Path:
        """Write a log, packed as its name says."""
        path = self.folder / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PACKINGS[path.suffix if path.suffix in PACKINGS else ""](text))
        return path

    def asked(self, *paths: Path | str, **options: object) -> Asked:
        """Return what a command line of *paths* would ask for."""
        limits = {name: options.pop(name) for name in list(options) if name in Limits.__struct_fields__}
        window = {name: options.pop(name) for name in list(options) if name in Window._fields}
        endpoint = Endpoint(
            url=self.receiver.url, flush_interval_seconds=0.05, target_request_bytes=1 << 17,
            retry=Retry(initial_seconds=0.05, max_seconds=0.1),
            too_old=options.pop("too_old", "restamp"),  # type: ignore[arg-type]  # a test's own keyword
        )  # fmt: skip
        config = Config(
            path=self.folder / "agent.yaml", state_dir=self.state_dir, endpoint=endpoint, zone="UTC",
            sources=options.pop("sources", ()),  # type: ignore[arg-type]  # the same
        )  # fmt: skip
        source = options.pop("source", STAMPED)
        return Asked(
            arguments=[str(path) for path in paths], config=config, source=source,  # type: ignore[arg-type]  # the same
            limits=msgspec.convert(limits, Limits), window=Window(**window), **options,  # type: ignore[arg-type]  # the same
        )  # fmt: skip

    async def run(
        self, *paths: Path | str, during: Callable[[Coordinator], None] | None = None, **options: object
    ) -> Outcome:
        """Send *paths*; *during* is called with the coordinator when it has begun."""
        asked = self.asked(*paths, **options)
        guard = MatchGuard()
        keeper, shipped = await Keeper.open(self.state_dir, 1 << 20, "stop")
        try:
            self.prepared = prepared = prepare(asked, shipped, guard, now_ms())
            if during is None:
                return await carry_out(asked, prepared, keeper, guard, self.watching)
            deals = await dealt(asked, prepared, keeper, guard, cut=asked.limits.workers > 1)
            coordinator = Coordinator(
                prepared.jobs, deals, keeper, setup_of(asked, prepared.readings), asked.limits, self.watching
            )
            work = asyncio.create_task(coordinator.run())
            during(coordinator)
            return await work
        finally:
            await keeper.close()
            guard.close()

    def plan(self, *paths: Path | str, **options: object) -> Plan:
        """Return the plan for *paths*, of a directory that nothing was sent with."""
        guard = MatchGuard()
        try:
            return prepare(self.asked(*paths, **options), [], guard, now_ms()).plan
        finally:
            guard.close()

    async def points(self, path: Path) -> list[RestartPoint]:
        """Return the restart points that are kept of *path*."""
        keeper, shipped = await Keeper.open(self.state_dir, 1 << 20, "stop")
        try:
            found = next(file for file in shipped if file.place == str(path))
            return await keeper.points(found.file_id)
        finally:
            await keeper.close()

    def arrived(self) -> list[str]:
        """Return the contents that the endpoint has acknowledged, in order."""
        return self.receiver.contents()

    def missing(self, *texts: bytes) -> Counter[str]:
        """Return the lines of *texts* that have not arrived, as often as they are missing."""
        return Counter(line for text in texts for line in contents(text)) - Counter(self.arrived())

    def surplus(self, *texts: bytes) -> Counter[str]:
        """Return what has arrived beyond the lines of *texts*."""
        return Counter(self.arrived()) - Counter(line for text in texts for line in contents(text))


async def with_scene(folder: Path, act: Callable[[Scene], object]) -> None:
    """Run *act* with a scene whose endpoint listens."""
    async with Receiver() as receiver:
        result = act(Scene(folder, receiver))
        if asyncio.iscoroutine(result):
            await result
