"""What `shipper suggest --from FILE` prints: a peer's configuration as agent.yaml, and what became of its values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shipper.cli.narrow import fitting
from shipper.cli.state_access import print_json
from shipper.config.translate import Note, translate


def print_translation(path: Path, *, as_json: bool) -> None:
    """Print agent.yaml to standard output, and to standard error what is not in it as it was.

    Raises:
        UsageError: *path* is no peer's configuration, or names no files.
    """
    translation = translate(path)
    if as_json:
        print_json(msgspec.to_builtins(translation))
        return
    click.echo(translation.yaml, nl=False)
    _print_notes(translation.notes)


def _print_notes(notes: list[Note]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    several = len({note.file for note in notes}) > 1
    for column in ("line", "key", "was", "", "what became of it"):
        table.add_column(column, overflow="fold")
    for note in notes:
        if note.kind != "translated":
            line = f"{Path(note.file).name}:{note.line}" if several else str(note.line)
            table.add_row(*map(Text, (line, note.key, note.was, note.kind, note.text)))
    console = Console(stderr=True, highlight=False)
    if table.row_count:
        console.print(fitting(table, console))
    counts = Counter(note.kind for note in notes)
    console.print(Text(", ".join(f"{counts[kind]} {kind}" for kind in ("translated", "differs", "untranslated"))))
