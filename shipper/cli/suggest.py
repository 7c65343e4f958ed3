"""`shipper suggest`: a source for these files, ready to paste, and how sure it is."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

import click
import msgspec

from shipper.adapters.discovery_content import look_into
from shipper.adapters.files import map_os_errors
from shipper.cli.explain import configuration
from shipper.cli.explain_records import records_of, text_of
from shipper.cli.state_access import json_option, now_ms, print_json
from shipper.cli.suggest_from import print_translation
from shipper.cli.suggest_source import Keys, glob_for, name_for, named_like, reading_keys, single_byte_encoding, yaml_of
from shipper.config import Config, Source, load_presets, rules
from shipper.config.zones import host_zone
from shipper.core.event import EventRules
from shipper.core.extract import Parsed
from shipper.core.model import FileFacts, FileKey
from shipper.core.rotation_names import is_rotated_name
from shipper.core.rule import RecordFormat
from shipper.core.stamp_shapes import begins_with_stamp
from shipper.errors import UsageError
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.reads import READ_BYTES
from shipper.pipeline.rehearsal import rehearse, without_age_limits

_MOST_COUNTER_EXAMPLES: Final = 5
_SHOWN: Final = 100
_MOST_KEYS: Final = 12
_FROM_HELP: Final = "Instead translate a configuration of Filebeat, Fluent Bit, Promtail or Vector."


class CounterExample(msgspec.Struct, frozen=True):
    """A line that the suggestion does not explain."""

    file: str
    line: int
    text: str


class Suggestion(msgspec.Struct):
    """A source for some files.

    Attributes:
        keys: Of the source, as in agent.yaml.
        confidence: The share of the lines looked at that it explains.
        seen: What else was found in the files and beside them, in words.
    """

    keys: Keys
    files: list[str]
    lines: int = 0
    explained: int = 0
    confidence: float = 0.0
    counter_examples: list[CounterExample] = []
    seen: list[str] = []
    yaml: str = ""


@click.command()
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path),
    help="Whose formats.d and zone count. Default ./agent.yaml, then /etc/shipper; it need not be there.",
)  # fmt: skip
@json_option
@click.option("--from", "from_path", metavar="FILE", type=click.Path(path_type=Path), help=_FROM_HELP)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def suggest(config_path: Path | None, files: tuple[Path, ...], from_path: Path | None, as_json: bool) -> None:
    """Propose sources for FILES, from their first 256 KiB: YAML to paste, with what it does not explain."""
    if (from_path is None) == (not files):
        raise click.UsageError("give log files, or --from with a configuration of another shipper")
    if from_path is not None:
        print_translation(from_path, as_json=as_json)
        return
    guard = MatchGuard()
    try:
        found = suggestions([file.absolute() for file in files], guard, configuration(config_path))
    finally:
        guard.close()
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    click.echo("sources:\n" + "\n".join(one.yaml for one in found), nl=False)


def suggestions(files: list[Path], guard: MatchGuard, config: Config | None = None) -> list[Suggestion]:
    """Return a source for each glob and layout that *files* make; presets are those that *config* knows.

    Raises:
        UsageError: One of them is no log text.
        FileUnreadable: One of them cannot be read.
    """
    found: dict[tuple[str, str], Suggestion] = {}
    config = config or Config(path=Path("agent.yaml").absolute(), state_dir=Path(), zone=host_zone(os.environ))
    for path in files:
        data, mtime_ms = _head_of(path)
        encoding = single_byte_encoding(data)
        auto = _reading(config, Source(name="suggest", paths=("/",), encoding=encoding or "auto"))
        choice = named_like(path, auto.choose(data, encoding, mtime_ms), auto, data, mtime_ms)
        glob = glob_for(path)
        keys, why_auto = reading_keys(choice)
        if encoding:
            keys["encoding"] = encoding
        one = found.get((glob, choice.layout))
        if one is None:
            name = name_for(glob, [str(other.keys["name"]) for other in found.values()])
            one = Suggestion({"name": name, "paths": [glob], **keys}, [], counter_examples=[], seen=[choice.evidence])
            one.seen += [why_auto] if why_auto else []
            found[glob, choice.layout] = one
        one.files.append(str(path))
        _examine(one, path, data, mtime_ms, guard, config)
        one.seen += [text for text in _beside(path) if text not in one.seen]
    for one in found.values():
        one.confidence = round(one.explained / one.lines, 4) if one.lines else 0.0
        one.yaml = yaml_of(one.keys, _comments(one))
    return list(found.values())


def _reading(config: Config, source: Source) -> SourceReading:
    presets = load_presets(config.preset_dirs)
    return SourceReading(without_age_limits(rules(config, source, presets, socket.gethostname())))


def _head_of(path: Path) -> tuple[bytes, int]:
    with map_os_errors(str(path)):
        what = look_into(str(path))
        if what:
            raise UsageError(f"{path}: it is {what}: the agent does not follow it")
        with path.open("rb") as file:
            return file.read(READ_BYTES), path.stat().st_mtime_ns // 1_000_000


def _examine(one: Suggestion, path: Path, data: bytes, mtime_ms: int, guard: MatchGuard, config: Config) -> None:
    """Read the sample by the suggested source itself, and note the lines that it does not explain."""
    source = msgspec.convert(_without_timeout(one.keys), Source)
    facts = FileFacts(FileKey(0, 0), str(path), path.name, mtime_ms)
    whole = data if len(data) < READ_BYTES else data[: data.rfind(b"\n") + 1]
    keys: dict[str, None] = {}
    encoding, stamps = "", 0
    records = list(records_of(rehearse(_reading(config, source), [whole], facts, now_ms(), guard)))
    for record in records:
        rule = record.of.converter.rule
        own = "log.timestamp_source" not in record.plain
        stamps += own
        fits = own or rule.format in (RecordFormat.JSON, RecordFormat.CRI, RecordFormat.DOCKER)
        lines = text_of(record).split("\n") if rule.multiline is not None else [text_of(record)]
        for number, line in enumerate(lines):
            if not line.strip():
                continue
            explained = fits and not (number and begins_with_stamp(line) and rule.format is RecordFormat.PATTERN)
            one.lines += 1
            one.explained += explained
            if not explained and len(one.counter_examples) < _MOST_COUNTER_EXAMPLES:
                one.counter_examples.append(CounterExample(str(path), record.line + number, line[:_SHOWN]))
        if rule.format in (RecordFormat.JSON, RecordFormat.LOGFMT):
            parsed: Parsed = (
                EventRules(rule).extract(text_of(record)) if len(keys) < _MOST_KEYS else Parsed(None, None, {})
            )
            keys.update(dict.fromkeys(parsed.attributes))
        encoding = record.of.carry.encoding
    bad_bytes = sum({record.of.chunk.start: record.of.reading.bad_bytes for record in records}.values())
    one.seen += [f"{path.name}: {encoding or 'utf-8'}, {len(records)} records, {stamps} with a time of their own"]
    if bad_bytes:
        one.seen.append(f"{bad_bytes} bytes are no {encoding or 'utf-8'}: the file mixes encodings")
    if keys:
        one.seen.append(f"keys: {', '.join(list(keys)[:_MOST_KEYS])}")


def _without_timeout(keys: Keys) -> Keys:
    """Return *keys* without the one that is a duration in words, which a file read to its end does not need."""
    border = keys.get("multiline")
    if not isinstance(border, dict):
        return keys
    return {**keys, "multiline": {key: value for key, value in border.items() if key != "timeout"}}


def _beside(path: Path) -> list[str]:
    rotated = sorted(other.name for other in path.parent.iterdir() if is_rotated_name(other.name, path.name))
    return [f"rotated beside it, which the agent finds by itself: {', '.join(rotated[:4])}"] if rotated else []


def _comments(one: Suggestion) -> list[str]:
    lines = [f"explains {100 * one.confidence:.1f} % of {one.lines} lines", *one.seen]
    for example in one.counter_examples:
        lines.append(f"not explained: {Path(example.file).name}:{example.line}: {_printable(example.text)}")
    if "format" not in one.keys or one.keys["format"] not in ("json", "cri", "docker", "raw"):
        zone = host_zone(os.environ)
        lines.append(f"stamps without a zone are in this host's, {zone}; else add timestamp: {{timezone: ...}}")
    return lines


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
