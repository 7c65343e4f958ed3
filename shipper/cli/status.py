"""`shipper status`: how everything does, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click
import msgspec

from shipper.adapters.control import NoAgent, ask
from shipper.cli.completion import source_names
from shipper.cli.state_access import Place, console, json_option, now_ms, place_of, place_options
from shipper.cli.status_stopped import stopped_status
from shipper.cli.status_view import status_page
from shipper.errors import UsageError
from shipper.pipeline.health import Colour
from shipper.pipeline.status import Status

ANSWER_SECONDS: Final = 10.0
FILES_OF_A_SOURCE: Final = 50
FILES_IN_JSON: Final = 1_000


@click.command()
@click.option("--source", metavar="NAME", shell_complete=source_names,
              help="Only this source, with its files.")  # fmt: skip
@click.option("--files", "all_files", is_flag=True, help="List the files, the furthest behind first; 10,000 at most.")
@place_options
@json_option
def status(source: str | None, all_files: bool, config_path: Path | None, state_dir: Path | None, as_json: bool) -> int:
    """Show sources, files, lag, rates, the endpoint and what is wrong.

    Exit 0: the agent runs and nothing is red. Exit 1: something is, or no agent runs.
    """
    place = place_of(config_path, state_dir)
    files = -1 if all_files else FILES_IN_JSON if as_json else FILES_OF_A_SOURCE if source is not None else 0
    found = _look(place, source, files)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found)))
    else:
        out = console()
        out.print(status_page(found, out.width, files=bool(files)))
    return 1 if found.health.colour is Colour.RED else 0


def _look(place: Place, source: str | None, files: int) -> Status:
    try:
        answer = ask(place.state_dir, "status", {"source": source, "files": files}, ANSWER_SECONDS)
    except NoAgent as silence:
        return _of_source(stopped_status(place, str(silence), now_ms()), source, files)
    return msgspec.convert(answer, Status)


def _of_source(found: Status, source: str | None, files: int) -> Status:
    names = [one.name for one in found.sources]
    if source is not None:
        if source not in names:
            raise UsageError(f"{source}: no such source; there are: {', '.join(names)}")
        found.sources = [one for one in found.sources if one.name == source]
        found.files = [file for file in found.files if file.source == source]
    shown = sorted(found.files, key=lambda file: (-file.lag_bytes, file.path))
    found.files = shown if files < 0 else shown[:files]
    found.files_left_out = len(shown) - len(found.files) if files else 0
    return found
