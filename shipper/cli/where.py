"""`shipper where`: what became of one line."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.text import Text

from shipper.adapters.backfill_store import BackfillStore
from shipper.adapters.control import NoAgent, ask
from shipper.adapters.dead_letters_reading import briefs
from shipper.adapters.files import mending_command
from shipper.adapters.offsets_snapshot import Snapshot
from shipper.adapters.spill import Spill
from shipper.cli.completion import source_names
from shipper.cli.state_access import Place, console, json_option, now_ms, place_of, place_options, print_json
from shipper.cli.verify import readings_by_name
from shipper.core.timestamps import utc_text
from shipper.core.whereabouts import Fate
from shipper.errors import UsageError
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.state_rewind import printable
from shipper.pipeline.where import Search
from shipper.pipeline.where_files import Homes
from shipper.pipeline.where_found import Found, Live, Match

_ANSWER_SECONDS: Final = 10.0
_DENIED: Final = os.strerror(errno.EACCES)
_FILE_AND_LINE: Final = re.compile(r"(?s:(.+)):(\d+)")
_COLOURS: Final = {
    Fate.DELIVERED: "bold green", Fate.FILTERED: "bold cyan", Fate.DEAD_LETTER: "bold red", Fate.LOST: "bold red",
    Fate.WAITING: "bold yellow", Fate.UNREAD: "bold yellow", Fate.PASSED_OVER: "bold magenta",
    Fate.UNCERTAIN: "bold magenta", Fate.NOT_FOLLOWED: "bold red", Fate.BACKFILLED: "bold green",
}  # fmt: skip


class _Endpoint(msgspec.Struct):
    url: str
    state: str = "unknown"
    since_ms: int = 0
    message: str = ""


class _File(msgspec.Struct):
    id: str
    size: int
    unread_bytes: int


class _Status(msgspec.Struct):
    endpoint: _Endpoint
    files: list[_File] = []
    saving_problem: str | None = None


@click.command()
@click.argument("what", metavar="TEXT|FILE:LINE")
@click.option("--source", "source_name", metavar="NAME", shell_complete=source_names,
              help="Look into the files of this source only.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Lines to show.")
@place_options
@json_option
def where(
    what: str, source_name: str | None, limit: int, config_path: Path | None, state_dir: Path | None, as_json: bool
) -> int:
    """Say what became of a line: the one at FILE:LINE, or those that hold TEXT.

    Reads only, beside a running agent too. Exit code 1 where no such line is found.
    """
    place = place_of(config_path, state_dir)
    asked = _file_and_line(what)
    with _search(place, source_name, what if asked is None else "") as search:
        if asked is None:
            found = search.text(what, limit)
        else:
            match = search.line(*asked)
            found = Found(matches=[match] if match else [], count=1 if match else 0, searched_files=1, not_searched={})
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        _show(found, what, asked, console(), now_ms())
    return 0 if found.count else 1


def _file_and_line(what: str) -> tuple[str, int] | None:
    """Return what *what* names as FILE:LINE; None for a text. A file that is not there is a text."""
    parts = _FILE_AND_LINE.fullmatch(what)
    if parts is None:
        return None
    path = os.path.abspath(parts[1])  # noqa: PTH100 -- resolve() would follow links, which the store's paths do not
    if Path(path).exists() or what.startswith("/"):
        return path, int(parts[2])
    return None


@contextmanager
def _search(place: Place, source: str | None, text: str) -> Iterator[Search]:
    known = {one.name for one in place.config.sources} if place.config else set()
    if source is not None and source not in known:
        raise UsageError(f"no source {source!r}; there are {', '.join(sorted(known)) or 'none'}")
    has_state = (place.state_dir / "offsets.db").exists()
    snapshot = Snapshot.open(place.state_dir) if has_state else None
    spill = Spill(place.state_dir, 0, owned=False)
    shipped = BackfillStore.peek(place.state_dir)
    homes = Homes(place.config, snapshot, source, now_ms() * 1_000_000, spill, shipped)
    guard = MatchGuard()
    try:
        readings = readings_by_name(place.config) if place.config else {}
        letters = list(briefs(place.state_dir, text))
        yield Search(homes, snapshot, readings, letters, _live(place.state_dir), guard, shipped)
    finally:
        guard.close()


def _live(state_dir: Path) -> Live | None:
    """Return what the running agent says; None where none runs."""
    try:
        answer = msgspec.convert(ask(state_dir, "status", {"source": None, "files": -1}, _ANSWER_SECONDS), _Status)
    except NoAgent:
        return None
    endpoint = answer.endpoint
    since = f" since {utc_text(endpoint.since_ms)}" if endpoint.since_ms else ""
    message = f": {endpoint.message}" if endpoint.message else ""
    words = f"the endpoint {endpoint.url} is {endpoint.state}{since}{message}"
    if answer.saving_problem:
        words = f"{words}; what it has acknowledged since cannot be saved: {answer.saving_problem}"
    return Live(words, {file.id: (file.unread_bytes, file.size) for file in answer.files})


# -- showing ---------------------------------------------------------------------------------------


def _show(found: Found, what: str, asked: tuple[str, int] | None, out: Console, now: int) -> None:
    for match in found.matches:
        out.print(_title(match), soft_wrap=True)
        if match.text:
            out.print(Text(f"    {printable(match.text)}", style="dim"), soft_wrap=True)
        for line in _story(match, now):
            out.print(Text(f"    {printable(line)}"), soft_wrap=True)
    if not found.count:
        for line in _nothing(found, what, asked):
            out.print(Text(printable(line)), soft_wrap=True)
    elif found.count > len(found.matches):
        out.print(Text(f"and {found.count - len(found.matches):,} more lines; see --limit"), soft_wrap=True)
    for path, reason in sorted(found.not_searched.items()):
        mend = f"; mend it with: {mending_command(path)}" if reason == _DENIED else ""
        out.print(Text(printable(f"not searched: {path}: {reason}{mend}"), style="yellow"), soft_wrap=True)
    if found.gone:
        gone = f"{found.gone} files that were read are gone from the disk: what stood in them can not be searched"
        out.print(Text(gone, style="yellow"), soft_wrap=True)
    if found.elsewhere:
        many = (
            "1 text that only a backfill has read is"
            if found.elsewhere == 1
            else (f"{found.elsewhere:,} texts that only a backfill has read are")
        )
        rest = f"{many} not searched: in an archive, or packed, moved or deleted since"
        out.print(Text(rest, style="yellow"), soft_wrap=True)


def _nothing(found: Found, what: str, asked: tuple[str, int] | None) -> Iterator[str]:
    """Give what is to be said where no line was found, and what to ask next."""
    if asked is not None:
        yield f"no line: {asked[0]} has no line {asked[1]}"
        return
    yield f"no line: {what!r} stands in none of the {found.searched_files} files that were searched"
    named = _FILE_AND_LINE.fullmatch(what)
    if named is not None:
        yield f"    it was looked for as a text: there is no file {named[1]} here"
    else:
        yield (
            "    only the files of the sources, and those that a backfill has read, are searched;"
            " why another one is not read: shipper where FILE:LINE"
        )


def _title(match: Match) -> Text:
    at = f":{match.line}" if match.line else ""
    title = Text().append(str(match.fate), style=_COLOURS[match.fate])
    title.append(f"  {printable(match.file)}{at}", style="bold")
    return title.append(f"  (byte {match.offset:,})", style="dim")


def _story(match: Match, now: int) -> Iterator[str]:
    """Give what is to be said of a match, a line each."""
    if match.why:
        yield match.why
    if match.fate is Fate.NOT_FOLLOWED and match.why == _DENIED:
        yield f"mend it with: {mending_command(match.file)}"
    if match.letter:
        yield f"shipper dlq show {match.letter}"
    answer = f" with status {match.status}" if match.status else ""
    if match.fate is Fate.DELIVERED and match.acked_at:
        yield f"acknowledged {_between(match.acked_since, match.acked_at, now)}{answer}, {_batches(match)}"
    elif match.acked_at and match.fate in (Fate.FILTERED, Fate.DEAD_LETTER, Fate.UNCERTAIN):
        sent = f"{answer}, {_batches(match)}" if match.batch else ""
        yield f"settled {_between(match.acked_since, match.acked_at, now)}{sent}"
    if match.read_at:
        read = _between(match.read_at, match.read_until, now)
        yield f"read {read} by source {match.source}, layout {_rule(match.rule)}"
    elif match.source:
        yield f"source {match.source}"


def _rule(layout: str) -> str:
    """Return the name of a layout without what it holds besides."""
    return layout.partition("{")[0].strip("+") or "learned"


def _batches(match: Match) -> str:
    one = match.batch == match.batch_last
    return f"in batch {match.batch}" if one else f"in one of the batches {match.batch} to {match.batch_last}"


def _between(first: str, last: str, now: int) -> str:
    """Return when something was: an instant where that is known, else the two between which it was."""
    return _when(last, now) if first in {last, ""} else f"between {first} and {_when(last, now)}"


def _when(stamp: str, now: int) -> str:
    """Return an instant with how long ago it was."""
    try:
        seconds = now / 1000 - datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return stamp
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{stamp} ({seconds / length:.0f} {unit} ago)"
    return f"{stamp} ({max(seconds, 0):.0f} s ago)"
