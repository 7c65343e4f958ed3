"""The command line: arguments to calls, errors to exit codes. One module a command."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from difflib import get_close_matches
from typing import Final

import click
from click.shell_completion import CompletionItem

from shipper import __version__
from shipper.cli.completion import matching
from shipper.cli.json_errors import print_as_json
from shipper.config.problems import fitted, wrapped
from shipper.errors import ConfigError, ShipperError

# Loaded when asked for: `shipper run` should not pay for what `shipper endpoint` needs.
_COMMANDS: Final = {
    "init": "look at this host's logs, ask, and write agent.yaml",
    "run": "follow the configured files and deliver them",
    "backfill": "send old files once, compressed ones too",
    "reload": "let the running agent read its configuration again",
    "check": "validate the configuration, the paths and the endpoint",
    "doctor": "look for what keeps logs from being shipped, and how to mend it",
    "selftest": "do damage to an agent on this host, and count what becomes of every line",
    "explain": "show how each record of a file is read, and why",
    "suggest": "propose a source for some files",
    "schema": "print the JSON Schema of agent.yaml",
    "formats": "list the presets, or show one",
    "endpoint": "serve the local ingest endpoint",
    "status": "show sources, files, lag, rates, the endpoint, once",
    "top": "the same, live",
    "tap": "show events as they leave",
    "state": "look at and mend the offset store",
    "where": "what became of one line",
    "verify": "recount the files against the ledger",
    "dlq": "look at, send again or drop rejected events",
    "completion": "print the script that lets a shell complete all this",
}


_NARROW: Final = 52


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(f"shipper.cli.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Look a command up; one that is not there is answered with the nearest there is."""
        close = get_close_matches(args[0], _COMMANDS, 1)
        if args[0] not in _COMMANDS and close and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}; did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete from the table: click would load every command for its help."""
        return matching(_COMMANDS.items(), incomplete) or click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="shipper")
def shipper() -> None:
    """Ship log files to the OneAgent log ingest API, and prove that no line was lost."""


def main() -> None:
    """Run the command line; every expected error ends in one line and its exit code."""
    try:
        # A launcher that runs `python -m shipper` would else go by another name, under which no shell asks it.
        status = shipper.main(prog_name="shipper", standalone_mode=False, terminal_width=_help_width())
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        print_as_json(error)
        sys.exit(error.exit_code)
    except ShipperError as error:
        _show(error)
        print_as_json(error)
        sys.exit(error.exit_code)
    sys.exit(status if isinstance(status, int) else 0)


def _help_width() -> int | None:
    """Return the width of a help page on a narrow terminal: click's own least is 50 columns."""
    columns = shutil.get_terminal_size().columns
    return columns - 1 if columns < _NARROW else None


def _show(error: ShipperError) -> None:
    """Print *error*; on a terminal a problem of the configuration with its line and a caret, for programs without."""
    if not isinstance(error, ConfigError) or not sys.stderr.isatty():
        click.echo(str(error), err=True)
        return
    for line in problem_lines(error, shutil.get_terminal_size().columns):
        is_mark = not line.strip(" |^")
        coloured = is_mark and "NO_COLOR" not in os.environ
        click.echo(click.style(line, fg="red", bold=True) if coloured else line, err=True)


def problem_lines(error: ConfigError, columns: int) -> list[str]:
    """Return what a terminal of so many *columns* is shown: each problem, its line of the file and a mark under it."""
    lines = list[str]()
    for problem, excerpt in zip(error.problems, error.excerpts, strict=True):
        lines += wrapped(problem, columns).splitlines()
        lines += fitted(excerpt, columns).splitlines() if excerpt else []
    return lines
