"""``shipper state``: look at and mend the offset store."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import msgspec
from rich.markup import escape
from rich.table import Table

from shipper.cli.narrow import fitting
from shipper.cli.state_access import call, console, json_option, now_ms, place_of, place_options, print_json
from shipper.errors import UsageError
from shipper.pipeline import state_export
from shipper.pipeline.state_rewind import ID, Target, printable


class _Row(msgspec.Struct):
    id: str
    source: str
    path: str
    offset: int
    size: int
    state: str
    changed: str
    born: str
    device: int
    inode: int
    counters: dict[str, int]


class _Decided(msgspec.Struct):
    id: str
    at: str
    what: str
    evidence: str


class _Shown(msgspec.Struct):
    lives: list[_Row]
    decisions: list[_Decided]


class _Rewound(msgspec.Struct):
    id: str
    path: str
    offset: int
    moved_from: int = msgspec.field(name="from")


class _Forgotten(msgspec.Struct):
    forgotten: list[str]


@click.group()
def state() -> None:
    """Look at and mend the offset store."""


@state.command("list")
@place_options
@json_option
def list_files(config_path: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """List every file that is known, with how far it is safely delivered."""
    result = call(place_of(config_path, state_dir), "state.list")
    if as_json:
        print_json(result)
        return
    table = _table("id", "source", "path", "offset/size", "state", "changed")
    for row in msgspec.convert(result, list[_Row]):
        cells = (row.id, row.source, printable(row.path), f"{row.offset}/{row.size}", row.state, row.changed)
        table.add_row(*map(escape, cells))
    out = console()
    out.print(fitting(table, out))


@state.command()
@click.argument("key")
@place_options
@json_option
def show(key: str, config_path: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """Show one file (an id such as 12 or 12.0, or a path) and what was made of it."""
    result = call(place_of(config_path, state_dir), "state.show", name=_name(key))
    if as_json:
        print_json(result)
        return
    shown = msgspec.convert(result, _Shown)
    out = console()
    for row in shown.lives:
        facts = Table.grid(padding=(0, 2))
        for name, value in msgspec.structs.asdict(row).items():
            text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            facts.add_row(name, escape(printable(text)))
        out.print(facts, "")
    table = _table("at", "id", "what", "evidence")
    for entry in shown.decisions:
        table.add_row(*map(escape, (entry.at, entry.id, entry.what, printable(entry.evidence))))
    out.print(fitting(table, out))


@state.command()
@click.argument("key")
@click.option("--to", "offset", type=click.IntRange(min=0), help="Byte to go on from; moved to its line's start.")
@click.option("--to-start", is_flag=True, help="Read the file once more from its first byte (the default).")
@click.option("--to-end", is_flag=True, help="Pass over what has not been read.")
@place_options
@json_option
def rewind(
    key: str,
    offset: int | None,
    to_start: bool,
    to_end: bool,
    config_path: Path | None,
    state_dir: Path | None,
    as_json: bool,
) -> None:
    """Go on reading a file (an id or a path) from another offset."""
    if (offset is not None) + to_start + to_end > 1:
        raise UsageError("give one of --to, --to-start and --to-end")
    target: Target = offset if offset is not None else "end" if to_end else "start"
    result = call(place_of(config_path, state_dir), "state.rewind", name=_name(key), to=target)
    if as_json:
        print_json(result)
        return
    done = msgspec.convert(result, _Rewound)
    click.echo(f"{done.id} {printable(done.path)}: offset {done.moved_from} -> {done.offset}")


@state.command()
@click.argument("key")
@place_options
@json_option
def forget(key: str, config_path: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """Forget a file (an id or a path): it is new when it is met again."""
    result = call(place_of(config_path, state_dir), "state.forget", name=_name(key))
    if as_json:
        print_json(result)
        return
    click.echo(f"forgotten: {', '.join(msgspec.convert(result, _Forgotten).forgotten)}")


@state.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; default: standard output.")
@place_options
def export(output: Path | None, config_path: Path | None, state_dir: Path | None) -> None:
    """Write the offset store as JSON, for `shipper state restore`."""
    result = call(place_of(config_path, state_dir), "state.export")
    if output is None:
        print_json(result)
        return
    try:
        output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror or error}") from error


@state.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@place_options
@json_option
def restore(file: Path | None, config_path: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """Go back to the good copy, or to FILE: an export, or a copy of a database. No agent may run."""
    place = place_of(config_path, state_dir)
    replaced = state_export.restore(place.state_dir, file, now_ms())
    if as_json:
        print_json({"replaced": replaced})
        return
    kept = f"; the one before is kept as {replaced}" if replaced else ""
    click.echo(f"{place.state_dir}: offsets restored{kept}; what was acknowledged since is sent again")


def _name(key: str) -> str:
    """A path as the store knows it; ids stay as they are."""
    if ID.fullmatch(key):
        return key
    return os.path.abspath(key)  # noqa: PTH100 -- resolve() would follow links, which the store's paths do not


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
