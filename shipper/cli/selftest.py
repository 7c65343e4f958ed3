"""`shipper selftest`: prove on this host that no line is lost, whatever is done to the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGTERM
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shipper.cli.state_access import console, json_option, print_json
from shipper.errors import UsageError
from shipper.pipeline.selftest import Outcome, drill_all

_NARROW: Final = 76
_COLUMNS: Final = ("faults", "written", "delivered", "twice", "lost")


@click.command()
@click.option("--minutes", type=click.FloatRange(0.05, 1.5), default=0.5, show_default=True,
              help="How long to do damage; start, drain and end come on top.")  # fmt: skip
@click.option("--folder", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Where the drill's logs and state lie meanwhile, to try the file system there. Default: the folder "
              "for temporary files.")  # fmt: skip
@json_option
def selftest(minutes: float, folder: Path | None, as_json: bool) -> int:
    """Do damage to an agent on this host, and count what becomes of every line.

    A real agent ships numbered lines to a private endpoint while it is killed, refused, rotated away and denied the
    disk. Your own agent and logs are not touched, and nothing is left behind. Takes two minutes at most. Exit code 0:
    every line arrived, 1: one did not, or a fault could not be made.
    """
    out = console()
    outcomes = list[Outcome]()

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if out.is_terminal and not as_json:
            out.print(Text(f"{outcome.drill}: {outcome.what} ... {_verdict(outcome)}", overflow="fold"))

    try:
        with suppress(asyncio.CancelledError):
            asyncio.run(_drill(minutes * 60, folder, note))
    except PermissionError as error:
        raise UsageError(f"{error.filename}: {error.strerror}; name a folder with --folder") from None
    if as_json:
        rows = [{**msgspec.to_builtins(one), "passed": one.passed} for one in outcomes]
        print_json({"passed": _passed(outcomes), "drills": rows})
    else:
        print_report(outcomes, out)
    return 0 if _passed(outcomes) else 1


async def _drill(seconds: float, folder: Path | None, note: Callable[[Outcome], None]) -> None:
    """Drill; a SIGTERM ends it as Ctrl-C does, with everything taken away."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(SIGTERM, task.cancel)
    await drill_all(seconds, folder, on_outcome=note)


def _passed(outcomes: list[Outcome]) -> bool:
    return bool(outcomes) and all(one.passed for one in outcomes)


def _verdict(outcome: Outcome) -> str:
    if outcome.passed:
        return "nothing lost"
    if not outcome.faults:
        return "the fault could not be made"
    return f"{outcome.lost} lost, {outcome.foreign} that nobody wrote"


def print_report(outcomes: list[Outcome], out: Console) -> None:
    """Print what became of the lines, by drill."""
    if out.width < _NARROW:
        _print_narrow(outcomes, out)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("drill")
        for column in _COLUMNS:
            table.add_column(column, justify="right")
        table.add_column("what was done", overflow="fold")
        for one in outcomes:
            style = "" if one.passed else "bold red"
            figures = (one.faults, one.written, one.delivered, one.duplicated, one.lost)
            table.add_row(one.drill, *map(str, figures), one.what, style=style)
        out.print(table)
    written, lost = sum(one.written for one in outcomes), sum(one.lost for one in outcomes)
    twice, foreign = sum(one.duplicated for one in outcomes), sum(one.foreign for one in outcomes)
    strange = f", {foreign} events that nobody wrote" if foreign else ""
    out.print(f"{written} lines, {lost} lost, {twice} delivered twice{strange}")
    missed = [one.drill for one in outcomes if not one.faults]
    if missed:
        out.print(f"not shown, because the fault could not be made: {', '.join(missed)}")


def _print_narrow(outcomes: list[Outcome], out: Console) -> None:
    for one in outcomes:
        out.print(Text(one.drill, style="bold" if one.passed else "bold red"))
        text = f"{one.faults} faults, {one.written} written, {one.lost} lost, {one.duplicated} twice"
        out.print(Text(f"  {text}", overflow="fold"))
