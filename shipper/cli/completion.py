"""`shipper completion`: the script that lets a shell complete commands, options and names; and what names there are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from shipper.errors import ShipperError

SHELLS: Final = ("bash", "zsh", "fish")
PROGRAM: Final = "shipper"
VARIABLE: Final = "_SHIPPER_COMPLETE"
_INSTALL: Final = {
    "bash": 'eval "$(shipper completion bash)" in ~/.bashrc, or its output in /etc/bash_completion.d/shipper',
    "zsh": 'eval "$(shipper completion zsh)" in ~/.zshrc, after compinit',
    "fish": "shipper completion fish > ~/.config/fish/completions/shipper.fish",
}


@click.command(epilog="\b\n" + "\n".join(f"{shell + ':':6}{text}" for shell, text in _INSTALL.items()))
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script for SHELL that completes commands, options, source names and formats."""
    found = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(found(root, {}, PROGRAM, VARIABLE).source())


def source_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the sources whose name begins so, of the configuration that the command names or the default one.

    None where there is no right configuration: a shell that completes shows no errors.
    """
    del param
    # Imported when a shell asks: every command that has a --source would pay for it.
    from shipper.config import find, load  # noqa: PLC0415

    path = ctx.params.get("config_path")
    try:
        config = load(find(path if isinstance(path, Path) else None), os.environ)
    except ShipperError:
        return []
    return matching([(source.name, "") for source in config.sources], incomplete)


def format_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the formats whose name begins so."""
    del ctx, param
    from shipper.cli.formats import BUILT_IN  # noqa: PLC0415 -- as above
    from shipper.config import load_presets  # noqa: PLC0415

    presets = ((preset.name, preset.description) for preset in load_presets().values())
    return matching([*BUILT_IN.items(), *presets], incomplete)


def matching(names: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    """Return those of *names*, each with what it means, that begin so."""
    # The script for fish takes what stands behind a comma for something else.
    found = ((name, text.replace(",", ";")) for name, text in names if name.startswith(incomplete))
    return [CompletionItem(name, help=text or None) for name, text in found]
