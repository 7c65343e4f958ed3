"""`shipper formats`: the presets, and what one of them reads."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import msgspec
from rich.table import Table
from rich.text import Text

from shipper.cli.completion import format_names
from shipper.cli.narrow import fitting
from shipper.cli.state_access import console, json_option, print_json
from shipper.config import Preset, load_presets
from shipper.config.load import DEFAULT_PATHS, PRESETS_FOLDER
from shipper.config.patterns import group_names
from shipper.config.problems import known_words
from shipper.core.attributes import group_name
from shipper.errors import UsageError

BUILT_IN: Final = {
    "auto": "found out from the file itself, among all that follow",
    "raw": "each line is a record, and nothing is taken from it",
    "json": "one JSON object a record; time and level by their usual keys",
    "logfmt": "key=value pairs; time and level by their usual keys",
    "cri": "what CRI runtimes (containerd, CRI-O) write for Kubernetes; partial lines are joined",
    "docker": "Docker's json-file; partial lines are joined",
}
"""The formats that are code, not data."""

_LEVEL_GROUPS: Final = frozenset(["severity", "level"])


class Row(msgspec.Struct):
    """What one line of the list says.

    Attributes:
        name: What `format:` calls it.
        kind: pattern, json, logfmt or w3c; built-in for those that are code.
        lines: Whether a record may have several lines.
        severity: Whether records have a level of their own.
        description: One line.
    """

    name: str
    kind: str
    lines: bool
    severity: bool
    description: str


@click.command()
@click.argument("name", required=False, shell_complete=format_names)
@click.option("-c", "--config", "config_path", type=click.Path(path_type=Path),
              help="Presets of your own stand in formats.d beside this file.")  # fmt: skip
@json_option
def formats(name: str | None, config_path: Path | None, as_json: bool) -> None:
    """List the formats that `format:` knows, or show the preset NAME."""
    presets = load_presets(_own_folders(config_path))
    if name is None:
        rows = listed(presets)
        if as_json:
            print_json(msgspec.to_builtins(rows))
        else:
            _print_list(rows)
        return
    if name in BUILT_IN:
        row = {"name": name, "description": BUILT_IN[name]}
        print_json(row) if as_json else click.echo(f"{name}: {BUILT_IN[name]}")
        return
    if name not in presets:
        raise UsageError(f"unknown format {name!r}; {known_words(name, (*BUILT_IN, *presets))}")
    if as_json:
        print_json({**msgspec.to_builtins(presets[name]), "attributes": attributes(presets[name])})
    else:
        _print_one(presets[name])


def listed(presets: dict[str, Preset]) -> list[Row]:
    """Return the lines of the list: the built-in formats, then the presets by name."""
    rows = [Row(name, "built-in", name == "auto", name != "raw", text) for name, text in BUILT_IN.items()]
    for _, preset in sorted(presets.items()):
        rows.append(
            Row(preset.name, preset.format, preset.multiline is not None, _has_level(preset), preset.description)
        )
    return rows


def attributes(preset: Preset) -> list[str]:
    """Return the names that its patterns give; the keys of json, logfmt and w3c are the file's own."""
    levels = {preset.severity.field} if preset.severity.field else _LEVEL_GROUPS
    return sorted(map(group_name, _groups(preset) - levels - {preset.timestamp.field or "timestamp"}))


def _own_folders(config_path: Path | None) -> list[Path]:
    if config_path is not None and not config_path.is_file():
        raise UsageError(f"{config_path}: no such file")
    found = config_path or next((path for path in DEFAULT_PATHS if path.is_file()), None)
    folder = found.absolute().parent / PRESETS_FOLDER if found is not None else None
    return [folder] if folder is not None and folder.is_dir() else []


def _has_level(preset: Preset) -> bool:
    if preset.severity.rules or preset.severity.field or preset.format in ("json", "logfmt"):
        return True
    return bool(_groups(preset) & _LEVEL_GROUPS)


def _groups(preset: Preset) -> frozenset[str]:
    return frozenset[str]().union(*map(group_names, preset.all_patterns))


def _print_list(rows: list[Row]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("format", "kind", "lines", "level", "what it reads"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = (row.name, row.kind, "several" if row.lines else "one", "yes" if row.severity else "-", row.description)
        table.add_row(*map(Text, cells))
    out = console()
    out.print(fitting(table, out))


def _print_one(preset: Preset) -> None:
    facts: list[tuple[str, str]] = [("name", preset.name), ("reads", preset.description), ("kind", preset.format)]
    facts += [("pattern", pattern) for pattern in preset.all_patterns]
    facts += [("time", text) for text in preset.timestamp.formats]
    if preset.timestamp.timezone is not None:
        facts.append(("zone", preset.timestamp.timezone))
    facts += [("level", f"{word} is {severity}") for word, severity in preset.severity.map.items()]
    facts += [("level", f"{rule.match} is {rule.severity}") for rule in preset.severity.rules]
    if preset.multiline is not None:
        border = preset.multiline
        facts += [("start", border.start)] if border.start else []
        facts += [("heading", border.heading)] if border.heading else []
        facts += [("continue", border.continue_)] if border.continue_ else []
    facts += [("attribute", name) for name in attributes(preset)]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for index, (key, text) in enumerate(facts):
        repeated = index > 0 and facts[index - 1][0] == key
        table.add_row("" if repeated else key, Text(text))
    console().print(table)
