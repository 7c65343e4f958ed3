"""`shipper tap`: the events as they leave, live."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import click
import msgspec

from shipper.adapters.control import follow
from shipper.cli.completion import source_names
from shipper.cli.state_access import json_option, place_of, place_options
from shipper.cli.status_text import harmless
from shipper.core.severity import SEVERITIES
from shipper.errors import UsageError

SILENCE_SECONDS: Final = 15.0
PER_SECOND: Final = 100
_COLOURS: Final = {
    "emergency": ("red", True), "alert": ("red", True), "critical": ("red", True), "severe": ("red", True),
    "error": ("red", False), "warn": ("yellow", False), "notice": ("cyan", False), "info": ("green", False),
    "debug": ("blue", False), "none": ("white", False),
}  # fmt: skip
_SHOWN_APART: Final = ("content", "timestamp", "severity", "log.source")


class Tapped(msgspec.Struct):
    """A line of the stream: see Tapping.stream."""

    events: list[msgspec.Raw] = []
    passed: int = 0
    not_shown: int = 0
    not_looked_at: int = 0
    endpoint: str = ""


@click.command()
@click.option("--source", metavar="NAME", shell_complete=source_names,
              help="Only events of this source.")  # fmt: skip
@click.option("--severity", metavar="LEVEL", help="This severity and worse; or exactly those of a list: error,info.")
@click.option("--match", metavar="TEXT", default="", help="Only events in whose JSON this text stands.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Stop after N events.")
@click.option(
    "--rate", metavar="N", type=click.IntRange(min=1), default=PER_SECOND, show_default=True,
    help="Events a second at most; the others are counted.",
)  # fmt: skip
@place_options
@json_option
def tap(
    source: str | None,
    severity: str | None,
    match: str,
    limit: int | None,
    rate: int,
    config_path: Path | None,
    state_dir: Path | None,
    as_json: bool,
) -> int:
    """Show events as they leave: masked, exactly the JSON that the endpoint has answered for.

    --json prints one event a line and nothing else. What is not shown is counted on standard error. Exit 1: the agent
    has stopped before --limit was reached.
    """
    place = place_of(config_path, state_dir)
    wanted: dict[str, object] = {
        "source": source, "severities": severities(severity), "match": match, "per_second": rate,
    }  # fmt: skip
    lines = follow(place.state_dir, "tap", wanted, SILENCE_SECONDS)
    try:
        if _show(lines, Shown(sys.stdout, as_json=as_json, sourced=source is None), limit):
            return 0
    except KeyboardInterrupt:
        return 0
    finally:
        lines.close()
    _say("the agent has stopped")
    return 1


def severities(text: str | None) -> list[str]:
    """Return the severities that *text* asks for; none for all."""
    if text is None:
        return []
    named = [name.strip().lower() for name in text.split(",")]
    for name in named:
        if name not in SEVERITIES:
            raise UsageError(f"--severity: {name!r} is none; there are: {', '.join(SEVERITIES)}")
    return list(SEVERITIES[: SEVERITIES.index(named[0]) + 1]) if len(named) == 1 else named


class Shown:
    """Prints events; owns the colours."""

    def __init__(self, out: TextIO, *, as_json: bool, sourced: bool) -> None:
        """*sourced*: the source's name is printed too."""
        self._out = out
        self._json = as_json
        self._sourced = sourced
        self._coloured = out.isatty() and "NO_COLOR" not in os.environ

    def event(self, event: msgspec.Raw) -> None:
        """Print one event."""
        text = bytes(event).decode() if self._json else self._line(msgspec.json.decode(event))
        self._out.write(text + "\n")
        self._out.flush()

    def _line(self, event: dict[str, object]) -> str:
        severity = str(event.get("severity", "none"))
        colour, bold = _COLOURS.get(severity, _COLOURS["none"])
        rest = " ".join(
            f"{key}={_word(value)}" for key, value in event.items() if key not in _SHOWN_APART
        )  # fmt: skip
        parts = [
            str(event.get("timestamp", "")),
            self._style(f"{severity:<9}", fg=colour, bold=bold),
            *([self._style(harmless(str(event.get("log.source", ""))), fg="magenta")] if self._sourced else []),
            self._style("\n    ".join(map(harmless, str(event.get("content", "")).split("\n"))), bold=True),
            self._style(rest, dim=True),
        ]
        return " ".join(parts)

    def _style(self, text: str, *, fg: str | None = None, bold: bool = False, dim: bool = False) -> str:
        return click.style(text, fg=fg, bold=bold or None, dim=dim or None) if self._coloured else text


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = harmless(text)
    return text if text and not set(text) & set(" \"'=") else json.dumps(text, ensure_ascii=False)


def _show(lines: Iterator[bytes], shown: Shown, limit: int | None) -> bool:
    """Print until *limit* is reached; return False where the agent has ended before."""
    count, ails = 0, ""
    for line in lines:
        tapped = msgspec.json.decode(line, type=Tapped)
        for event in tapped.events:
            shown.event(event)
            count += 1
            if count == limit:
                return True
        if tapped.not_shown or tapped.not_looked_at:
            _say(_left_out(tapped))
        if tapped.endpoint not in ("answering", "unknown", ails):
            _say(f"nothing leaves: the endpoint is {tapped.endpoint}; see 'shipper status'")
        ails = tapped.endpoint
    return False


def _left_out(tapped: Tapped) -> str:
    parts = [f"{tapped.not_shown:,} more that fit"] if tapped.not_shown else []
    parts += [f"{tapped.not_looked_at:,} not looked at"] if tapped.not_looked_at else []
    return f"of {tapped.passed:,} events that left, {' and '.join(parts)} were not shown"


def _say(text: str) -> None:
    click.echo(click.style(text, dim=True) if sys.stderr.isatty() and "NO_COLOR" not in os.environ else text, err=True)
