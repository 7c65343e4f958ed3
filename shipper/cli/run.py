"""`shipper run`: the agent in the foreground, or once to the end of every source."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import click
import msgspec

from shipper.cli.json_errors import print_as_json
from shipper.config import find, load
from shipper.config.units import duration_seconds
from shipper.errors import ShipperError, UsageError
from shipper.pipeline.agent import Agent
from shipper.pipeline.journal import Journal
from shipper.pipeline.progress import Progress
from shipper.pipeline.totals import Totals, table
from shipper.service_notify import Notifier

MOST_THREADS: Final = 32  # that read, look at directories, compress: one that hangs must not have them all
WORKERS: Final = "worker"
HUNG_SECONDS: Final = 1.0


@click.command()
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), help="Default ./agent.yaml, then /etc/shipper."
)
@click.option("--once", is_flag=True, help="Read every source to its end, wait for the last answer, exit.")
@click.option("--give-up-after", metavar="D", help="With --once: stop waiting for the endpoint after D (30s, 5m).")
@click.option("--json", "as_json", is_flag=True, help="With --once: print the totals as JSON.")
def run(config_path: Path | None, once: bool, give_up_after: str | None, as_json: bool) -> int:
    """Follow the configured files and deliver them.

    SIGTERM and Ctrl-C drain for up to 10 s, save the offsets and stop.
    """
    if (give_up_after is not None or as_json) and not once:
        raise UsageError("--give-up-after and --json go with --once")
    patience = _seconds(give_up_after)
    config = load(find(config_path), os.environ)
    progress = Progress(sys.stderr)
    agent = Agent(config, Journal(progress.write_line), notifier=Notifier.from_environment(os.environ))
    with _event_loop() as runner:
        workers = ThreadPoolExecutor(MOST_THREADS, WORKERS)
        runner.get_loop().set_default_executor(workers)
        try:
            if once:
                totals = runner.run(agent.run_once(patience))
                print_totals(totals, as_json=as_json)
                status = 0 if totals.delivered and not agent.shut else 1
                _say_shut(agent.shut)
            else:
                runner.run(agent.run(progress))
                status = 0
        except ShipperError as error:
            _leave_if_hung(runner, workers, error.exit_code, error)
            raise
        _leave_if_hung(runner, workers, status)
    return status


def _say_shut(paths: Sequence[str]) -> None:
    if paths:
        many = "1 file that matches was" if len(paths) == 1 else f"{len(paths)} files that match were"
        click.echo(f"{many} not read: {paths[0]}; 'shipper check' names the command that mends it", err=True)


def _leave_if_hung(
    runner: asyncio.Runner, workers: ThreadPoolExecutor, status: int, error: ShipperError | None = None
) -> None:
    """End the process here where a read hangs, as of a dead NFS server: all is saved, and Python would wait for it."""
    workers.shutdown(wait=False, cancel_futures=True)
    deadline = time.monotonic() + HUNG_SECONDS
    if runner.run(_tasks_end()):
        while any(thread.name.startswith(WORKERS) for thread in threading.enumerate()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        else:
            return
    if error is not None:
        click.echo(str(error), err=True)
        print_as_json(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def _tasks_end() -> bool:
    """Cancel what tasks are left, and return whether they end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    return not tasks or not (await asyncio.wait(tasks, timeout=HUNG_SECONDS))[1]


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return duration_seconds(text)
    except ValueError as error:
        raise UsageError(f"--give-up-after: {error}") from None


def _event_loop() -> asyncio.Runner:
    """Return a runner; uvloop's loop where the extra `speed` is installed."""
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 -- an optional extra

        return asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return asyncio.Runner()


def print_totals(totals: Totals, *, as_json: bool) -> None:
    """Print what became of every record."""
    if as_json:
        click.echo(json.dumps({**msgspec.to_builtins(totals), "balanced": totals.balanced}))
        return
    rows = table(totals)
    labels, figures = (max(map(len, column)) for column in zip(*rows, strict=True))
    for label, figure in rows:  # without rich, which takes a twentieth of a start
        click.echo(f"{label:{labels}}  {figure:>{figures}}")
    if not totals.balanced:
        click.echo("these figures do not balance: please report this", err=True)
