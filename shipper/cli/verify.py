"""`shipper verify`: recounts the files against the ledger."""

from __future__ import annotations

import socket
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shipper.adapters.offsets_snapshot import Snapshot
from shipper.cli.completion import source_names
from shipper.cli.narrow import fitting
from shipper.cli.state_access import console, json_option, place_of, place_options, print_json
from shipper.config import Config, load_presets, rules
from shipper.errors import UsageError
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.rehearsal import without_age_limits
from shipper.pipeline.state_rewind import printable
from shipper.pipeline.verify import Verified
from shipper.pipeline.verify import verify as recount

_SHOWN = {"agrees": "green", "gone": "yellow", "disagrees": "bold red"}


@click.command()
@click.option("--source", "source_name", metavar="NAME", shell_complete=source_names,
              help="Only the files of this source.")  # fmt: skip
@place_options
@json_option
def verify(source_name: str | None, config_path: Path | None, state_dir: Path | None, as_json: bool) -> int:
    """Recount the files against the ledger, and name each span that disagrees.

    Reads only, beside a running agent too. Exit code 1 where something disagrees.
    """
    place = place_of(config_path, state_dir)
    snapshot = Snapshot.open(place.state_dir)
    if source_name is not None:
        _check_name(source_name, place.config, snapshot)
    guard = MatchGuard()
    try:
        readings = readings_by_name(place.config) if place.config else {}
        found = list(recount(snapshot, readings, guard, lambda life: source_name in {None, life.source}))
    finally:
        guard.close()
    agree = not any(one.disagreements for one in found)
    if as_json:
        print_json({"agrees": agree, "files": msgspec.to_builtins(found)})
    else:
        _show(found, console())
    return 0 if agree else 1


def readings_by_name(config: Config) -> dict[str, SourceReading]:
    """Return what reads each source's files; an age limit decides nothing about what was read long ago."""
    presets, host = load_presets(config.preset_dirs), socket.gethostname()
    return {
        source.name: SourceReading(without_age_limits(rules(config, source, presets, host)))
        for source in config.sources
    }


def _check_name(name: str, config: Config | None, snapshot: Snapshot) -> None:
    known = {life.source for life, _ in snapshot.lives()}
    known |= {source.name for source in config.sources} if config else set()
    if name not in known:
        raise UsageError(f"no source {name!r}; there are {', '.join(sorted(known)) or 'none'}")


def _show(found: list[Verified], out: Console) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "result", "source"):
        table.add_column(column, no_wrap=column != "source", overflow="fold")
    for column in ("bytes", "records", "acked", "other"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("file", overflow="fold")
    for one in found:
        read, acked = one.figures["read"], one.figures["acked"]
        other = sum(count for name, count in one.figures.items() if name.startswith(("filtered_", "dead_", "refused")))
        table.add_row(
            one.id, f"[{_SHOWN[one.verdict]}]{one.verdict}[/]", escape(one.source),
            *(f"{figure:,}" for figure in (one.bytes, read, acked, other)), escape(printable(one.path)),
        )  # fmt: skip
    if found:
        out.print(fitting(table, out))
    for one in found:
        for wrong in one.disagreements:
            where = f"{one.id} {printable(one.path)} bytes {wrong.start:,} to {wrong.end:,}"
            out.print(f"[bold red]{wrong.fault.value}[/] {escape(where)}: {escape(wrong.detail)}", soft_wrap=True)
        for note in one.notes:
            out.print(f"[yellow]note[/] {one.id} {escape(printable(one.path))}: {escape(note)}", soft_wrap=True)
    out.print(_summary(found), soft_wrap=True)


def _summary(found: list[Verified]) -> str:
    faults = sum(len(one.disagreements) for one in found)
    wrong, gone = (sum(one.verdict == verdict for one in found) for verdict in ("disagrees", "gone"))
    checked, recounted = sum(one.checked_bytes for one in found), sum(one.recounted for one in found)
    counted = f"{checked:,} bytes compared, {recounted:,} records counted again"
    if gone:
        counted += f"; {gone} gone, not verifiable"
    if faults:
        return f"[bold red]disagreements: {faults}[/], in {wrong} of {len(found)} files; {counted}"
    return f"[green]no disagreement[/] in {len(found)} files; {counted}"
