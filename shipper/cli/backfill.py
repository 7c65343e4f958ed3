"""`shipper backfill`: old files shipped once, compressed ones too, with a plan, progress and resumption."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from shipper.adapters.backfill_store import BackfillStore
from shipper.cli.backfill_options import instant_ms, rate, size_of
from shipper.cli.backfill_plan import print_plan
from shipper.cli.backfill_progress import observer
from shipper.cli.completion import source_names
from shipper.cli.state_access import open_to_us
from shipper.config import Config, Source, find, load, load_presets
from shipper.config.load import DEFAULT_PATHS
from shipper.config.presets import BUILT_IN_FORMATS
from shipper.config.problems import known_words
from shipper.config.units import duration_seconds
from shipper.config.zones import host_zone
from shipper.errors import UsageError
from shipper.pipeline.backfill.asked import Window
from shipper.pipeline.backfill.crew import Hand, start
from shipper.pipeline.backfill.keeper import Keeper
from shipper.pipeline.backfill.outcome import Limits, Outcome
from shipper.pipeline.backfill.preparation import Asked, carry_out, carry_out_on_dask, now_ms, prepare
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.progress import size
from shipper.pipeline.totals import table


@click.command()
@click.option("-c", "--config", "config_path", type=click.Path(path_type=Path),
              help="Default ./agent.yaml, then /etc/shipper; without one, --state-dir is needed.")  # fmt: skip
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where progress is kept; default: the agent's.")
@click.option("--endpoint", "endpoint_url", metavar="URL", help="Where to, instead of what the configuration says.")
@click.option("--source", "source_name", metavar="NAME", shell_complete=source_names,
              help="Read every file as this source does.")  # fmt: skip
@click.option("--format", "format_name", metavar="F", help="Read every file by this format; default: find out.")
@click.option("--since", metavar="T", help="Only records from T on: 2026-11-01, 2026-11-01T10:30Z, -36h.")
@click.option("--until", metavar="T", help="Only records before T.")
@click.option("--disorder", metavar="D", default="2m", show_default=True,
              help="With --since or --until: by how much the stamps of a file may be out of order.")  # fmt: skip
@click.option("--plan", "only_plan", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan or the totals as JSON.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that read and send."
)
@click.option("--ordered/--unordered", default=True, show_default=True, help="Whether order within a file holds.")
@click.option("--max-rate", metavar="R", help="At most so many events (50000/s) or bytes of text (20MiB/s) a second.")
@click.option("--give-up-after", metavar="D", help="Stop when the endpoint has taken nothing for D (30s, 5m).")
@click.option("--unpack-memory", metavar="SIZE", default="64MiB", show_default=True,
              help="Largest window or dictionary of a compressed file that a worker makes room for.")  # fmt: skip
@click.option("--again", is_flag=True, help="Send even what was sent before.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--engine", metavar="URL", help="dask://HOST:PORT: send from the workers of a Dask cluster.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def backfill(
    config_path: Path | None,
    state_dir: Path | None,
    endpoint_url: str | None,
    source_name: str | None,
    format_name: str | None,
    since: str | None,
    until: str | None,
    disorder: str,
    only_plan: bool,
    as_json: bool,
    workers: int,
    ordered: bool,
    max_rate: str | None,
    give_up_after: str | None,
    unpack_memory: str,
    again: bool,
    quiet: bool,
    engine: str | None,
    paths: tuple[str, ...],
) -> int:
    """Ship old files once: plain, .gz, .bz2, .xz, .zst, tar; directories, globs, addresses, - for standard input.

    What was acknowledged is not sent again, however often this is run. Ctrl-C stops, Ctrl-Z pauses.
    """
    config = _config(config_path, state_dir, endpoint_url, must_be=source_name is not None)
    now = now_ms()
    events, size_rate = rate(max_rate) if max_rate is not None else (0.0, 0.0)
    window = Window(
        instant_ms("--since", since, now, config.zone) if since is not None else None,
        instant_ms("--until", until, now, config.zone) if until is not None else None,
        round(_seconds("--disorder", disorder) * 1000),
    )
    if window.since_ms is not None and window.until_ms is not None and window.since_ms >= window.until_ms:
        raise UsageError("--since is not before --until")
    asked = Asked(
        arguments=list(paths), config=config, source=_source(config, source_name, format_name), window=window,
        ordered=ordered, again=again,
        limits=Limits(
            workers=workers, events_per_second=events, bytes_per_second=size_rate,
            give_up_seconds=_seconds("--give-up-after", give_up_after) if give_up_after is not None else None,
            unpack_bytes=size_of("--unpack-memory", unpack_memory),
        ),
    )  # fmt: skip
    open_to_us(config.state_dir)
    if only_plan:
        _show_plan(asked, as_json=as_json)
        return 0
    outcome, met = asyncio.run(_run(asked, _scheduler(engine) if engine is not None else None, quiet=quiet))
    _print_outcome(outcome, as_json=as_json, quiet=quiet)
    if not (outcome.totals.files or outcome.errors or outcome.stopped or quiet):
        files, them = ("1 file", "it") if met == 1 else (f"{met} files", "them")
        click.echo(f"nothing to send: nothing is left of the {files} found; --again sends {them} anew", err=True)
    return 0 if outcome.delivered else 1


def _show_plan(asked: Asked, *, as_json: bool) -> None:
    guard = MatchGuard()
    try:
        shipped = BackfillStore.peek(asked.config.state_dir)
        print_plan(prepare(asked, shipped, guard, now_ms()).plan, as_json=as_json)
    finally:
        guard.close()


async def _run(asked: Asked, scheduler: str | None, *, quiet: bool) -> tuple[Outcome, int]:
    """Send what is asked for; return what came of it, and how many files were found."""
    letters = asked.config.dead_letters
    guard = MatchGuard()
    keeper, shipped = await Keeper.open(asked.config.state_dir, letters.max_bytes, letters.when_full)
    hands: list[Hand] = []
    try:
        if scheduler is None:  # they start up while the files are looked at
            hands = [await start(stdin=not number) for number in range(asked.limits.workers)]
        prepared = prepare(asked, shipped, guard, now_ms())
        with observer(quiet=quiet) as shown:
            for job in prepared.jobs:
                if job.planned.problem:
                    shown.file_done(job, job.planned.problem)
            if scheduler is not None:
                outcome = await carry_out_on_dask(asked, prepared, keeper, guard, shown, scheduler)
            else:
                outcome = await carry_out(asked, prepared, keeper, guard, shown, hands)
    finally:
        for hand in hands:
            hand.close()
            await hand.process.wait()
        await keeper.close()
        guard.close()
    problems = {job.place.shown: job.planned.problem for job in prepared.jobs if job.planned.problem}
    return msgspec.structs.replace(outcome, errors={**problems, **outcome.errors}), len(prepared.jobs)


def _print_outcome(outcome: Outcome, *, as_json: bool, quiet: bool) -> None:
    totals = outcome.totals
    if as_json:
        values = msgspec.to_builtins(outcome)
        click.echo(json.dumps({**values.pop("totals"), **values, "balanced": totals.balanced}))
        return
    if not quiet:
        rows = Table(box=None, show_header=False, pad_edge=False)
        rows.add_column()
        rows.add_column(justify="right")
        for label, figure in table(totals):
            rows.add_row(label, figure)
        seconds = max(outcome.seconds, 0.001)
        rows.add_row("requests", f"{outcome.requests:,}")
        rows.add_row("events a second", f"{totals.acked / seconds:,.0f}")
        rows.add_row("CPU seconds of the workers", f"{outcome.cpu_seconds:.1f}")
        rows.add_row("memory of the largest worker", size(outcome.peak_bytes))
        Console(soft_wrap=True).print(rows)
    for file, error in outcome.errors.items():
        click.echo(f"not sent: {file}: {error}" if file not in error else f"not sent: {error}", err=True)
    if outcome.gave_up:
        click.echo("given up: the endpoint takes nothing; run the same command again to go on", err=True)
    elif outcome.stopped:
        click.echo("stopped; run the same command again to go on", err=True)
    if totals.dead_lettered or totals.refused_unnamed:
        click.echo("see the refused events with: shipper dlq list --state-dir STATE_DIR/backfill", err=True)
    if not totals.balanced:
        click.echo("these figures do not balance: please report this", err=True)


def _scheduler(engine: str) -> str:
    address = engine.removeprefix("dask://")
    if address == engine or not address.rpartition(":")[2].isdigit():
        raise UsageError(f"--engine: {engine!r} is not known; write dask://HOST:PORT")
    return address


def _seconds(option: str, text: str) -> float:
    try:
        return duration_seconds(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _config(config_path: Path | None, state_dir: Path | None, endpoint_url: str | None, *, must_be: bool) -> Config:
    if config_path is not None or must_be or any(path.is_file() for path in DEFAULT_PATHS):
        config = load(find(config_path), os.environ)
    elif state_dir is not None:
        config = Config(path=Path("agent.yaml").absolute(), state_dir=state_dir, zone=host_zone(os.environ))
    else:
        raise UsageError("no agent.yaml here or in /etc/shipper: name one with -c, or say --state-dir DIR")
    if state_dir is not None:
        config = msgspec.structs.replace(config, state_dir=state_dir)
    if endpoint_url is not None:
        config = msgspec.structs.replace(config, endpoint=msgspec.structs.replace(config.endpoint, url=endpoint_url))
    return config


def _source(config: Config, name: str | None, format_name: str | None) -> Source | None:
    if name is not None and format_name is not None:
        raise UsageError("--source and --format exclude one another")
    if name is not None:
        found = next((source for source in config.sources if source.name == name), None)
        if found is None:
            names = ", ".join(source.name for source in config.sources)
            raise UsageError(f"{config.path} has no source {name!r}; it has {names}")
        return found
    if format_name is not None:
        known = (*BUILT_IN_FORMATS, *load_presets(config.preset_dirs))
        if format_name not in known:
            raise UsageError(f"unknown format {format_name!r}; {known_words(format_name, known)}")
        return Source(name="backfill", paths=("/**",), format=format_name)
    return None
