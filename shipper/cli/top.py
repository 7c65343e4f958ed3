"""`shipper top`: how everything does, live; on anything but a terminal, frame after frame."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.live import Live

from shipper.cli.completion import source_names
from shipper.cli.state_access import console, json_option, place_of, place_options
from shipper.cli.status_view import status_page
from shipper.cli.top_feed import Feed
from shipper.cli.top_keys import keys_of
from shipper.cli.top_state import Chosen
from shipper.cli.top_view import Screen, draw
from shipper.config.units import duration_seconds
from shipper.errors import UsageError

KEY_SECONDS: Final = 0.1
LEAST_INTERVAL_SECONDS: Final = 0.1


@click.command()
@click.option("--interval", metavar="D", default="1s", show_default=True, help="Between two looks at the agent.")
@click.option("--frames", metavar="N", type=click.IntRange(min=1), help="Stop after N frames, not on a terminal.")
@click.option("--source", metavar="NAME", shell_complete=source_names,
              help="Begin with the files of this source.")  # fmt: skip
@place_options
@json_option
def top(
    interval: str,
    frames: int | None,
    source: str | None,
    config_path: Path | None,
    state_dir: Path | None,
    as_json: bool,
) -> int:
    """Show sources, lag, rates and the latest events, live.

    Keys: q quits, s sorts by the next column, r reverses, / filters, enter looks into a source, escape goes back, e
    hides the events, p pauses. With --json, or where the output is no terminal, one frame after the other is printed.
    """
    feed = Feed(place_of(config_path, state_dir).state_dir, _seconds(interval))
    live = not as_json and sys.stdout.isatty() and sys.stdin.isatty()
    try:
        if live:
            _run(feed, source)
        else:
            _print(feed, source, _seconds(interval), frames, as_json=as_json)
    except KeyboardInterrupt:
        return 0
    return 0


def _seconds(text: str) -> float:
    try:
        return max(duration_seconds(text), LEAST_INTERVAL_SECONDS)
    except ValueError as error:
        raise UsageError(f"--interval: {error}") from None


def _print(feed: Feed, source: str | None, seconds: float, frames: int | None, *, as_json: bool) -> None:
    out, printed = console(), 0
    while True:
        status = feed.look(source)
        if as_json:
            click.echo(json.dumps(msgspec.to_builtins(status)))
        else:
            out.print(status_page(status, out.width, files=source is not None), "")
        sys.stdout.flush()
        printed += 1
        if printed == frames:
            return
        time.sleep(seconds)


def _run(feed: Feed, source: str | None) -> None:
    chosen = Chosen()
    chosen.source = source
    out = Console(highlight=False)
    feed.look_into(source)
    feed.start()
    try:
        with keys_of(sys.stdin.fileno()) as keys, Live(console=out, screen=True, auto_refresh=False) as live:
            before: tuple[int, int] | None = None
            while not chosen.over:
                status = feed.status
                size = (out.width, out.height)
                if size != before or (feed.take_news() and not chosen.paused) or chosen.typing:
                    screen = Screen(out.width, out.height, plain=out.encoding != "utf-8")
                    live.update(draw(chosen, status, feed.trouble, feed.events, screen), refresh=True)
                before = size
                for key in keys.read(KEY_SECONDS):
                    sources = chosen.sources(status.sources) if status is not None else []
                    files = chosen.files(status.files) if status is not None else []
                    chosen.press(key, sources, len(sources) if chosen.source is None else len(files))
                    feed.look_into(chosen.source)
                    before = None
    finally:
        feed.stop()
