"""`shipper doctor`: what on this host keeps logs from being shipped, and the command that mends it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shipper.cli.doctor_facts import examine, scene_of
from shipper.cli.state_access import console, json_option, print_json
from shipper.config import find, load
from shipper.core.diagnosis import Finding

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_ORDER: Final = ("ok", "warn", "fail")
_INDENT: Final = 6


@click.command()
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), help="Default ./agent.yaml, then /etc/shipper."
)
@click.option("--user", metavar="NAME", help="Look with the rights of this user (root only). Default: the running "
              "agent's, else 'shipper' where root asks and there is such a user, else yours.")  # fmt: skip
@json_option
def doctor(config_path: Path | None, user: str | None, as_json: bool) -> int:
    """Look for what keeps logs from being shipped on this host, with the command that mends it.

    Nothing is changed, and no event is sent. Exit code 0: nothing failed, 1: something did, 78: the configuration is
    wrong.
    """
    config = load(find(config_path), os.environ)
    scene = scene_of(config, user)
    findings = examine(scene)
    failed = any(one.level == "fail" for one in findings)
    if as_json:
        report = {"config": str(config.path), "user": scene.user, "failed": failed}
        print_json({**report, "findings": msgspec.to_builtins(findings)})
    else:
        print_findings(findings, console())
    return 1 if failed else 0


def print_findings(findings: list[Finding], out: Console) -> None:
    """Print them, what failed last: that is where the eye is."""
    for level in _ORDER:
        for one in findings:
            if one.level == level:
                _print(one, out)
    levels = Counter(one.level for one in findings)
    out.print(f"failed: {levels['fail']}, warnings: {levels['warn']}, fine: {levels['ok']}")


def _print(one: Finding, out: Console) -> None:
    label, text = Text(f"{one.level:{_INDENT}}", style=_STYLES[one.level]), f"{one.check}: {one.text}"
    if out.is_terminal:
        grid = Table.grid()
        grid.add_column(width=_INDENT)
        grid.add_column(overflow="fold")
        grid.add_row(label, Text(text))
        if one.why:
            grid.add_row("", Text(one.why, style="dim"))
        out.print(grid)
    else:
        out.print(label + Text(text), soft_wrap=True)
        if one.why:
            out.print(Text(" " * _INDENT + one.why), soft_wrap=True)
    if one.mend:
        # Commands are copied from here: the terminal wraps them, not we.
        out.print(Text(f"{' ' * _INDENT}mend it with: {one.mend}"), soft_wrap=True)
