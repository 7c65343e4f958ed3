"""How the commands on the state reach it: through the running agent, else by taking the lock themselves."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import click
from rich.console import Console

from shipper.adapters.control import NoAgent, ask
from shipper.config.load import find, load
from shipper.config.model import Config, DeadLetters
from shipper.errors import StateError, UsageError
from shipper.pipeline.state_commands import StateCommands, open_state
from shipper.pipeline.state_replay import Replayer

F = TypeVar("F", bound=Callable[..., object])

_PIPE_COLUMNS = 250


class Place(NamedTuple):
    """Where the state is, and the configuration that said so, if one did."""

    state_dir: Path
    config: Config | None


def place_options(command: F) -> F:
    """Give *command* the options that say where the state is."""
    command = click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help="The configuration; default ./agent.yaml, then /etc/shipper/agent.yaml.",
    )(command)
    return click.option(
        "--state-dir",
        type=click.Path(path_type=Path, readable=False),
        help="The state directory, without a configuration.",
    )(command)


def json_option(command: F) -> F:
    """Give *command* its ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def place_of(config_path: Path | None, state_dir: Path | None) -> Place:
    """Return what the options say; ``--state-dir`` alone needs no configuration."""
    if config_path is None and state_dir is not None:
        return Place(open_to_us(state_dir), None)
    loaded = load(find(config_path), os.environ)
    return Place(open_to_us(state_dir or loaded.state_dir), loaded)


def open_to_us(state_dir: Path) -> Path:
    """Return *state_dir*, unless it, or a folder above it, is shut to this user.

    Raises:
        StateError: It is, with who may look.
    """
    who = "root, or as the user that the agent runs as"
    try:
        if not state_dir.exists() or os.access(state_dir, os.R_OK | os.X_OK, effective_ids=True):
            return state_dir
        owner = state_dir.owner()
        who = "root" if owner == "root" else f"root, or as {owner}"
    except (PermissionError, KeyError):  # a folder above it is shut; its owner has no name
        pass
    raise StateError(f"state_dir {state_dir}: Permission denied; run this as {who}")


def call(place: Place, command: str, timeout_seconds: float = 60.0, **args: object) -> object:
    """Return the result of *command*, from the running agent where there is one.

    Raises:
        ShipperError: What the command says; `StateLocked` where an agent runs and does not answer.
    """
    try:
        return ask(place.state_dir, command, args, timeout_seconds)
    except NoAgent:
        return asyncio.run(_call_directly(place, command, args))


async def _call_directly(place: Place, command: str, args: dict[str, object]) -> object:
    if not (place.state_dir / "lock").exists():
        raise UsageError(f"{place.state_dir}: no state here: no agent has run with this state_dir")
    limits = place.config.dead_letters if place.config else DeadLetters()
    thread, letters = await open_state(place.state_dir, limits.max_bytes, limits.when_full, now_ms=now_ms())
    try:
        if thread.recovered:
            click.echo(thread.recovered, err=True)
        commands = StateCommands(thread, letters, now_ms, replay=_replayer(place.config))
        return await commands.handlers()[command](args)
    finally:
        await thread.close()


def _replayer(loaded: Config | None) -> Replayer | None:
    if loaded is None:
        return None
    endpoint = loaded.endpoint
    return Replayer(endpoint.url, endpoint.token, endpoint.timeout_seconds, now_ms)


def now_ms() -> int:
    """Return the present instant."""
    return time.time_ns() // 1_000_000


def print_json(value: object) -> None:
    """Print *value* as one line of JSON; names that are no Unicode as surrogate escapes."""
    click.echo(json.dumps(value))


def console() -> Console:
    """Return a console for tables: as wide as the terminal, and wide enough for a path in a pipe."""
    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(width=_PIPE_COLUMNS, highlight=False)
