"""`shipper explain`: how each record of a file is read, on the very code that the agent runs."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import click
import msgspec

from shipper.adapters.discovery_content import look_into
from shipper.adapters.files import map_os_errors
from shipper.cli.check_diff import source_for
from shipper.cli.completion import format_names, source_names
from shipper.cli.explain_compare import compared
from shipper.cli.explain_records import Record, records_of
from shipper.cli.explain_text import Writer
from shipper.cli.state_access import console, now_ms
from shipper.config import Config, Source, find, load, load_presets, rules
from shipper.config.load import DEFAULT_PATHS
from shipper.config.presets import BUILT_IN_FORMATS
from shipper.config.problems import known_words
from shipper.config.zones import host_zone
from shipper.core.model import FileFacts, FileKey
from shipper.core.rule import Rule
from shipper.core.timestamps import check_zone
from shipper.errors import ConfigError, UsageError
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.reads import READ_BYTES
from shipper.pipeline.rehearsal import rehearse, without_age_limits

STDIN: Final = "-"
_encode: Final = msgspec.json.Encoder().encode


class Asked(NamedTuple):
    """What reads the file: a configuration and one of its sources, or a source made for this file."""

    config: Config
    source: Source


@click.command()
@click.option("-c", "--config", "config_path", type=click.Path(path_type=Path),
              help="Default ./agent.yaml, then /etc/shipper; without one, the format is found out.")  # fmt: skip
@click.option(
    "--source", "source_name", metavar="NAME", shell_complete=source_names, help="Read FILE as this source does."
)
@click.option("--format", "format_name", metavar="F", shell_complete=format_names,
              help="Read FILE by this format, whatever the sources say.")  # fmt: skip
@click.option("--timezone", metavar="Z", help="For stamps that name no zone, such as Europe/Vienna or +01:00.")
@click.option("--records", type=click.IntRange(min=1), help="Only the first so many records.")
@click.option("--line", type=click.IntRange(min=1), help="Only the record that this line belongs to.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record.")
@click.argument("file", type=click.Path())
def explain(
    config_path: Path | None,
    source_name: str | None,
    format_name: str | None,
    timezone: str | None,
    records: int | None,
    line: int | None,
    as_json: bool,
    file: str,
) -> None:
    """Show how each record of FILE (- for standard input) is read, and why; nothing is sent or remembered."""
    if source_name is not None and format_name is not None:
        raise UsageError("--source and --format exclude one another")
    path = Path(file).absolute()
    asked = asked_for(config_path, source_name, format_name, path)
    if timezone is not None:
        asked = asked._replace(source=_in_zone(asked.source, timezone))
    with ExitStack() as stack:
        stream = _opened(file, asked.source, stack)
        guard = MatchGuard()
        stack.callback(guard.close)
        found = _chosen(_records(asked, stream, path, guard), records, line)
        if as_json:
            for record in found:
                if record.event is not None:
                    click.echo(_encode({"line": record.line, "lines": record.lines, "event": record.event}))
        else:
            Writer(console(), asked.config, asked.source, guard, now_ms(), _rule(asked).candidates).write(found)


def asked_for(config_path: Path | None, source_name: str | None, format_name: str | None, path: Path) -> Asked:
    """Return what *path* is read by: the named source, the one that matches it, or one made up for it.

    Raises:
        ConfigError: The configuration that was named is wrong.
        UsageError: There is no such source or format.
    """
    config = configuration(config_path, must_be=source_name is not None)
    if format_name is not None:
        known = (*BUILT_IN_FORMATS, *load_presets(config.preset_dirs))
        if format_name not in known:
            raise UsageError(f"unknown format {format_name!r}; {known_words(format_name, known)}")
        return Asked(config, _made_up(path, format_name))
    if source_name is not None:
        named = next((source for source in config.sources if source.name == source_name), None)
        if named is None:
            names = ", ".join(source.name for source in config.sources)
            raise UsageError(f"{config.path} has no source {source_name!r}; it has {names}")
        return Asked(config, named)
    try:
        return Asked(config, source_for(config, path))
    except UsageError:
        if config_path is not None:
            raise
        return Asked(config, _made_up(path, "auto"))


def configuration(config_path: Path | None, *, must_be: bool = False) -> Config:
    """Return the configuration that was named, else one at a default place, else an empty one unless it *must_be*.

    Raises:
        ConfigError: The configuration that was named, or must be there, is wrong or missing.
    """
    if config_path is not None or must_be:
        return load(find(config_path), os.environ)
    if any(path.is_file() for path in DEFAULT_PATHS):
        try:
            return load(find(None), os.environ)
        except ConfigError as error:
            click.echo(f"{error.problems[0]}; going on without a configuration", err=True)
    return Config(path=Path("agent.yaml").absolute(), state_dir=Path(), zone=host_zone(os.environ))


def _made_up(path: Path, format_name: str) -> Source:
    return Source(name=path.stem.lstrip("-") or "stdin", paths=(str(path),), format=format_name)


def _in_zone(source: Source, zone: str) -> Source:
    wrong = check_zone(zone)
    if wrong is not None:
        raise UsageError(f"--timezone: {wrong}")
    return msgspec.structs.replace(source, timestamp=msgspec.structs.replace(source.timestamp, timezone=zone))


def _opened(file: str, source: Source, stack: ExitStack) -> BinaryIO:
    if file == STDIN:
        return sys.stdin.buffer
    with map_os_errors(file):
        what = look_into(file, wide=source.encoding.lower().startswith(("utf-16", "utf_16", "utf-32", "utf_32")))
        if what and source.binary != "always":
            raise UsageError(f"{file}: it is {what}: the agent does not follow it")
        return stack.enter_context(Path(file).open("rb"))


def _rule(asked: Asked) -> Rule:
    config, source = asked
    return rules(config, source, load_presets(config.preset_dirs), socket.gethostname())


def _records(asked: Asked, stream: BinaryIO, path: Path, guard: MatchGuard) -> Iterator[Record]:
    rule = _rule(asked)
    now = now_ms()
    shown = str(path).encode("utf-8", "backslashreplace").decode()
    mtime_ms = path.stat().st_mtime_ns // 1_000_000 if path.is_file() else now
    facts = FileFacts(FileKey(0, 0), shown, shown.rpartition("/")[2], mtime_ms)
    reading = SourceReading(without_age_limits(rule))
    return records_of(compared(rehearse(reading, _pieces(stream), facts, now, guard)))


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(READ_BYTES):
        yield piece


def _chosen(found: Iterator[Record], most: int | None, line: int | None) -> Iterator[Record]:
    for number, record in enumerate(found, 1):
        if line is None or record.line <= line < record.line + record.lines:
            yield record
        if number == most or (line is not None and record.line > line):
            return
