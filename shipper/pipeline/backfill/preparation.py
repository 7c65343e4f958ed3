"""From what was asked for to jobs, a plan, and what a coordinator needs to carry it out."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from shipper.adapters.offsets import Life
from shipper.adapters.offsets_snapshot import Snapshot
from shipper.adapters.texts import STDIN, Text
from shipper.config import Config, Source, load_presets, rules
from shipper.core.ledger import Entry
from shipper.core.model import FileKey
from shipper.core.plan import Plan
from shipper.core.rule import Rule, TooOld
from shipper.core.shipped import Shipped
from shipper.errors import UsageError
from shipper.pipeline.backfill.asked import Window
from shipper.pipeline.backfill.coordinator import Coordinator
from shipper.pipeline.backfill.crew import Hand
from shipper.pipeline.backfill.dask_engine import DaskRun
from shipper.pipeline.backfill.deals import Deals
from shipper.pipeline.backfill.jobs import Job
from shipper.pipeline.backfill.keeper import Keeper
from shipper.pipeline.backfill.known import Known
from shipper.pipeline.backfill.outcome import Limits, Observer, Outcome
from shipper.pipeline.backfill.protocol import Setup, Way
from shipper.pipeline.backfill.stamps import Places, Subject
from shipper.pipeline.backfill.survey import Surveyor
from shipper.pipeline.backfill.wanted import Wanted, path_attributes, wanted
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.rehearsal import without_age_limits

WORKER_BUDGET_BYTES = 12 << 20
CONVERSION_SHARE = 0.6
"""Of a worker's CPU; the rest is reading, posting and accounting. Source: reference/hot-path.md, stage shares."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for.

    Attributes:
        source: What all is read by; None: what each file fits.
        ordered: Order within a file holds.
        again: What was sent before is sent once more.
    """

    arguments: list[str]
    config: Config
    source: Source | None = None
    window: Window = Window()
    limits: Limits = Limits()
    ordered: bool = True
    again: bool = False


class Prepared(NamedTuple):
    """Everything that was found out before anything is sent."""

    jobs: list[Job]
    plan: Plan
    readings: list[SourceReading]


def now_ms() -> int:
    """Return the wall clock in milliseconds."""
    return time.time_ns() // 1_000_000


def prepare(asked: Asked, shipped: Sequence[Shipped], guard: MatchGuard, now: int) -> Prepared:
    """Look at the files; *shipped* is what earlier backfills have sent.

    Raises:
        UsageError: There is nothing at a path.
    """
    config = asked.config
    presets = load_presets(config.preset_dirs)
    host = socket.gethostname()

    def rule_of(each: Wanted) -> Rule:
        return rules(config, each.source, presets, host)

    def attributes_of(each: Wanted) -> dict[str, str]:
        return path_attributes(each.source, each.lineage if not each.place.member else each.place.path)

    agent, ledger = agents_rows(config.state_dir)
    surveyor = Surveyor(
        rule_of, Known(shipped, agent, ledger), asked.window, guard, now, again=asked.again,
        attributes_of=attributes_of, unpack_bytes=asked.limits.unpack_bytes,
    )  # fmt: skip
    jobs = surveyor.jobs(wanted(asked.arguments, config, asked.source, asked.limits.unpack_bytes))
    return Prepared(jobs, _plan(asked, jobs, surveyor, now), surveyor.sampler.readings)


def agents_rows(state_dir: Path) -> tuple[list[tuple[Life, bool]], Callable[[FileKey], Sequence[Entry]]]:
    """Return the files that the agent of *state_dir* knows, and how to ask for the ledger of each."""
    try:
        snapshot = Snapshot.open(state_dir)
    except UsageError:  # no agent has run here
        return [], lambda _: []

    def ledger(key: FileKey) -> Sequence[Entry]:
        found = snapshot.ledger(key)
        return found.spans if found is not None else []

    return snapshot.lives(), ledger


def _plan(asked: Asked, jobs: Sequence[Job], surveyor: Surveyor, now: int) -> Plan:
    endpoint, limits = asked.config.endpoint, asked.limits
    rate, rate_from = 0.0, "nothing was sampled"
    if surveyor.sampler.seconds:
        rate = surveyor.sampler.events / surveyor.sampler.seconds * CONVERSION_SHARE * limits.workers
        rate_from = f"the samples on this machine, {limits.workers} worker{'s' if limits.workers > 1 else ''}"
    events = sum(job.planned.events for job in jobs)
    todo = sum(job.planned.todo_bytes for job in jobs)
    if limits.bytes_per_second and events and todo:
        allowed = limits.bytes_per_second * events / todo
        rate, rate_from = (allowed, "--max-rate") if not rate or allowed < rate else (rate, rate_from)
    if limits.events_per_second and (not rate or limits.events_per_second < rate):
        rate, rate_from = limits.events_per_second, "--max-rate"
    return Plan(
        files=[job.planned for job in jobs], now_ms=now, max_age_ms=_max_age_ms(surveyor),
        too_old_policy=TooOld(endpoint.too_old), target_request_bytes=endpoint.target_request_bytes,
        max_request_events=endpoint.max_request_events, events_per_second=rate, rate_from=rate_from,
    )  # fmt: skip


def _max_age_ms(surveyor: Surveyor) -> int:
    """Return the age limit, which is the endpoint's and so of all sources."""
    return min((reading.rule.max_age_ms for reading in surveyor.sampler.readings), default=24 * 3_600_000)


def setup_of(asked: Asked, readings: Sequence[SourceReading]) -> Setup:
    """Return what every worker is told first."""
    endpoint = asked.config.endpoint
    way = Way(
        url=endpoint.url, loopback=endpoint.is_loopback, authorization=endpoint.authorization,
        compress=endpoint.compresses, connect_timeout_seconds=endpoint.connect_timeout_seconds,
        timeout_seconds=endpoint.timeout_seconds, target_request_bytes=endpoint.target_request_bytes,
        flush_seconds=endpoint.flush_interval_seconds, max_request_bytes=endpoint.max_request_bytes,
        max_request_events=endpoint.max_request_events, concurrency=1 if asked.ordered else endpoint.concurrency,
        retry_initial_seconds=endpoint.retry.initial_seconds, retry_max_seconds=endpoint.retry.max_seconds,
    )  # fmt: skip
    return Setup(
        rules=[reading.rule for reading in readings], rate_limits=[reading.rate_limit for reading in readings],
        way=way, budget_bytes=WORKER_BUDGET_BYTES, unpack_bytes=asked.limits.unpack_bytes,
    )  # fmt: skip


async def carry_out(
    asked: Asked, prepared: Prepared, keeper: Keeper, guard: MatchGuard, observer: Observer, spare: Sequence[Hand] = ()
) -> Outcome:
    """Send what was planned, by worker processes of this machine, *spare* first. Errors are the coordinator's."""
    deals = await dealt(asked, prepared, keeper, guard, cut=asked.limits.workers > 1)
    setup = setup_of(asked, prepared.readings)
    return await Coordinator(prepared.jobs, deals, keeper, setup, asked.limits, observer, spare).run()


async def carry_out_on_dask(
    asked: Asked, prepared: Prepared, keeper: Keeper, guard: MatchGuard, observer: Observer, address: str
) -> Outcome:
    """Send what was planned, by the workers of the Dask cluster whose scheduler is at *address*.

    Raises:
        UsageError: Standard input is this process's alone, or Dask is not installed.
        DeliveryError: No such scheduler answers.
    """
    if any(job.place.path == STDIN for job in prepared.jobs):
        raise UsageError("standard input cannot be sent by a cluster; leave --engine out")
    deals = await dealt(asked, prepared, keeper, guard, cut=True)
    run = DaskRun(deals, keeper, setup_of(asked, prepared.readings), asked.limits, observer, ordered=asked.ordered)
    return await run.run(address)


async def dealt(asked: Asked, prepared: Prepared, keeper: Keeper, guard: MatchGuard, *, cut: bool) -> Deals:
    """Give every file its row, and return what deals its pieces."""
    todo = [job for job in prepared.jobs if job.todo]
    await keeper.add([job.shipped for job in todo])
    points = {
        job.shipped.file_id: await keeper.points(job.shipped.file_id)
        for job in todo
        if job.planned.packing and job.shipped.settled
    }
    ageless = [SourceReading(without_age_limits(reading.rule)) for reading in prepared.readings]

    def places_of(job: Job, text: Text) -> Places:
        reading = ageless[job.source]
        layout = job.carry.layout
        converter = reading.converter(layout if reading.chooses else reading.rule.layout)
        timed = job.planned.first_ms is not None
        return Places(Subject(text, converter, job.facts, job.carry, now_ms()), guard, timed=timed)

    return Deals(
        todo, asked.window, cut=cut, ordered=asked.ordered, places_of=places_of,
        points_of=lambda job: points.get(job.shipped.file_id, []), now_ms=now_ms,
    )  # fmt: skip
