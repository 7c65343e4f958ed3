"""``shipper dlq``: look at, send again or drop events that were refused."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.markup import escape
from rich.table import Table

from shipper.cli.completion import source_names
from shipper.cli.narrow import fitting
from shipper.cli.state_access import call, console, json_option, place_of, place_options, print_json
from shipper.core.letters import DeadLetter
from shipper.errors import UsageError

_REPLAY_SECONDS = 3600.0  # a running agent sends the letters before it answers


class _Listed(msgspec.Struct):
    count: int
    bytes: int
    damaged: int
    letters: list[DeadLetter]


class _Replayed(msgspec.Struct):
    delivered: int
    tried: int
    left: int
    problem: str | None


class _Dropped(msgspec.Struct):
    dropped: int


@click.group()
def dlq() -> None:
    """Look at, send again or drop rejected events."""


@dlq.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many, newest first.")
@click.option("--source", shell_complete=source_names, metavar="NAME", help="Only those of this source.")
@click.option("--reason", help="Only those with this reason.")
@place_options
@json_option
def list_letters(
    limit: int,
    source: str | None,
    reason: str | None,
    config_path: Path | None,
    state_dir: Path | None,
    as_json: bool,
) -> None:
    """List dead letters, newest first."""
    place = place_of(config_path, state_dir)
    result = call(place, "dlq.list", limit=limit, source=source, reason=reason)
    if as_json:
        print_json(result)
        return
    listed = msgspec.convert(result, _Listed)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "at", "source", "path", "bytes", "reason", "status", "detail"):
        table.add_column(column, overflow="fold")
    for letter in listed.letters:
        span = f"{letter.start}-{letter.end}"
        status = "" if letter.status is None else str(letter.status)
        cells = (
            letter.id, letter.at, letter.source, letter.path, span, letter.reason, status, letter.detail,
        )  # fmt: skip
        table.add_row(*map(escape, cells))
    out = console()
    if listed.letters:
        out.print(fitting(table, out))
    damaged = f", {listed.damaged} damaged lines" if listed.damaged else ""
    out.print(f"{listed.count} dead letters, {listed.bytes} bytes{damaged}; shown: {len(listed.letters)}")


@dlq.command()
@click.argument("letter_id", metavar="ID")
@place_options
@json_option
def show(letter_id: str, config_path: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """Show one dead letter with its event."""
    result = call(place_of(config_path, state_dir), "dlq.show", id=letter_id)
    if as_json:
        print_json(result)
        return
    letter = msgspec.convert(result, DeadLetter)
    facts = Table.grid(padding=(0, 2))
    for name, value in msgspec.structs.asdict(letter).items():
        if name != "event" and value is not None:
            facts.add_row(name, escape(str(value)))
    out = console()
    out.print(facts, "")
    if letter.event is None:
        out.print("no event: it cannot be sent again")
        return
    event = Table.grid(padding=(0, 2))
    for name, value in letter.event.items():
        event.add_row(escape(name), escape(str(value)))
    out.print(event)


@dlq.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every letter that has an event.")
@place_options
@json_option
def replay(
    letter_ids: tuple[str, ...],
    everything: bool,
    config_path: Path | None,
    state_dir: Path | None,
    as_json: bool,
) -> None:
    """Send dead letters once more; what the endpoint takes is dropped here, the rest stays (exit 1)."""
    ids = _ids(letter_ids, everything)
    result = call(place_of(config_path, state_dir), "dlq.replay", _REPLAY_SECONDS, ids=ids)
    replayed = msgspec.convert(result, _Replayed)
    if as_json:
        print_json(result)
    else:
        click.echo(f"delivered {replayed.delivered} of {replayed.tried}; {replayed.left} letters left")
        if replayed.problem:
            click.echo(replayed.problem, err=True)
    wanted = replayed.tried if ids is None else len(set(ids))
    if replayed.problem or replayed.delivered < wanted:
        raise click.exceptions.Exit(1)


@dlq.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every letter.")
@place_options
@json_option
def drop(
    letter_ids: tuple[str, ...],
    everything: bool,
    config_path: Path | None,
    state_dir: Path | None,
    as_json: bool,
) -> None:
    """Delete dead letters for good; exit 1 where one of the ids is not there."""
    ids = _ids(letter_ids, everything)
    result = call(place_of(config_path, state_dir), "dlq.drop", ids=ids)
    dropped = msgspec.convert(result, _Dropped).dropped
    if as_json:
        print_json(result)
    else:
        click.echo(f"dropped {dropped} dead letters")
    if ids is not None and dropped < len(set(ids)):
        raise click.exceptions.Exit(1)


def _ids(letter_ids: tuple[str, ...], everything: bool) -> list[str] | None:
    if everything == bool(letter_ids):
        raise UsageError("give ids of letters, or --all")
    return None if everything else list(letter_ids)
