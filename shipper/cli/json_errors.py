"""What went wrong, for programs: with `--json`, one object on standard output beside the words on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Final

import click

from shipper.errors import ConfigError, DeliveryError, ShipperError, SourceError, StateError, UsageError

_KINDS: Final = {
    ConfigError: "configuration", UsageError: "usage", StateError: "state", SourceError: "source",
    DeliveryError: "delivery",
}  # fmt: skip


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Return whether a command line says `--json`: known also where the rest of it is wrong."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def print_as_json(error: ShipperError | click.ClickException) -> None:
    """Print *error* where this process was asked for JSON."""
    if asks_for_json(sys.argv[1:]):
        click.echo(json.dumps(error_object(error)))


def error_object(error: ShipperError | click.ClickException) -> dict[str, object]:
    """Return *error* as it is printed: the words, its kind and exit code, and each problem with its place and mend."""
    if isinstance(error, click.ClickException):
        words = error.format_message()
        return _object(words, "usage", error.exit_code, [_problem(words)])
    kind = next((kind for branch, kind in _KINDS.items() if isinstance(error, branch)), "error")
    if not isinstance(error, ConfigError):
        return _object(str(error), kind, error.exit_code, [_problem(str(error))])
    problems = [
        _problem(place.text, place.file, place.line, place.column, place.key) if place else _problem(words)
        for words, place in zip(error.problems, error.places, strict=True)
    ]
    return _object(str(error), kind, error.exit_code, problems)


def _object(words: str, kind: str, exit_code: int, problems: list[dict[str, object]]) -> dict[str, object]:
    return {"error": words, "kind": kind, "exit_code": exit_code, "problems": problems}


def _problem(text: str, file: str = "", line: int = 0, column: int = 0, key: str = "") -> dict[str, object]:
    """Return a problem; its mend is what stands behind the last semicolon, as in every message of ours."""
    rule, _, mend = text.rpartition("; ")
    place = f"{file}:{line}" if file else ""
    parts = {"rule": rule or mend, "mend": mend if rule else ""}
    return {"place": place, "file": file, "line": line, "column": column, "key": key, **parts}
