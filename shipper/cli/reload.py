"""`shipper reload`: the running agent reads its configuration again; prints what that changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.table import Table

from shipper.adapters.control import NoAgent, ask
from shipper.cli.state_access import console, json_option, place_of, place_options, print_json
from shipper.errors import ConfigError, ShipperError
from shipper.pipeline.reload import Outcome

ANSWER_SECONDS = 90.0


@click.command()
@place_options
@json_option
def reload(config_path: Path | None, state_dir: Path | None, as_json: bool) -> int:
    """Let the running agent read its configuration again.

    A wrong configuration is refused (exit 78), one that needs a restart too
    (exit 1): the one in use stays in use.
    """
    place = place_of(config_path, state_dir)
    try:
        answer = ask(place.state_dir, "reload", {}, ANSWER_SECONDS)
    except NoAgent as error:
        raise ShipperError(f"no agent to reload: {error}; a changed state_dir needs a restart") from None
    outcome = msgspec.convert(answer, Outcome)
    if outcome.problems:
        raise ConfigError(outcome.problems, outcome.excerpts)
    if outcome.restart:
        raise ShipperError(f"{outcome.path}: restart needed for {', '.join(outcome.restart)}: nothing was applied")
    if outcome.failed:
        raise ShipperError(f"{outcome.path}: not reloaded: {outcome.failed}")
    if as_json:
        print_json(msgspec.to_builtins(outcome))
    else:
        _print(outcome)
    return 0


def _print(outcome: Outcome) -> None:
    changes = outcome.changes
    if not changes.any:
        click.echo(f"nothing has changed: generation {outcome.generation} of {outcome.path} stays in use")
        return
    click.echo(f"generation {outcome.generation} of {outcome.path} is in use")
    rows = Table(box=None, show_header=False, pad_edge=False)
    for label, names in (
        ("added", changes.added), ("removed", changes.removed), ("changed", changes.changed),
        ("unchanged", changes.unchanged), ("settings", changes.settings),
    ):  # fmt: skip
        if names:
            rows.add_row(label, _listed(names))
    console().print(rows)


def _listed(names: Sequence[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
