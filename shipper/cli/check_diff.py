"""`shipper check --diff`: what would become of a file's records under another configuration.

Both read the same bytes by the code that the agent reads by; records are told
apart by their bytes. Only what an operator would see differently is compared:
where records begin, what is left out, time, severity and the text (masks).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from shipper.config import Config, Source, load_presets, rules
from shipper.core.model import Event, FileFacts, FileKey, Span
from shipper.core.patterns import Excludes, compile_patterns
from shipper.errors import FileUnreadable, UsageError
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.rehearsal import is_first_part, rehearse, without_age_limits

PIECE_BYTES: Final = 1 << 20
_COMPARED: Final = ("timestamp", "severity", "content")


class Record(NamedTuple):
    """One record that is sent, by its bytes."""

    span: Span
    event: Event


class Change(msgspec.Struct, frozen=True):
    """What a record becomes under the other configuration.

    Attributes:
        line: Number of its first line, from 1.
        what: severity, timestamp, content, boundary, dropped or no longer dropped.
        before: As it is under this configuration.
        after: As it would be.
    """

    line: int
    what: str
    before: str
    after: str


class Difference(msgspec.Struct, frozen=True):
    """All that changes for one file."""

    file: str
    source: str
    other_source: str
    records: int
    other_records: int
    changes: list[Change]


def source_for(config: Config, path: Path) -> Source:
    """Return the source that owns *path*: the first one that matches it.

    Raises:
        UsageError: None does.
    """
    text = str(path)
    for source in config.sources:
        matches = any(one.regex.fullmatch(text) for pattern in source.paths for one in compile_patterns(pattern))
        if matches and not Excludes(source.exclude).match(text):
            return source
    raise UsageError(f"{path}: no source of {config.path} matches it; name one with --source")


def compare(
    config: Config, other: Config, path: Path, sources: tuple[Source, Source], host_name: str, now_ms: int
) -> Difference:
    """Return what changes for the records of *path*.

    Raises:
        FileUnreadable: It cannot be read.
    """
    guard = MatchGuard()
    try:
        before = _records(config, sources[0], path, host_name, now_ms, guard)
        after = _records(other, sources[1], path, host_name, now_ms, guard)
    finally:
        guard.close()
    changes = list(_changes(before, after, _line_starts(path)))
    return Difference(str(path), sources[0].name, sources[1].name, len(before), len(after), changes)


def _records(
    config: Config, source: Source, path: Path, host_name: str, now_ms: int, guard: MatchGuard
) -> list[Record]:  # fmt: skip
    rule = without_age_limits(rules(config, source, load_presets(config.preset_dirs), host_name))
    facts = FileFacts(FileKey(0, 0), str(path), path.name, path.stat().st_mtime_ns // 1_000_000)
    records: list[Record] = []
    for rehearsed in rehearse(SourceReading(rule), _pieces(path), facts, now_ms, guard):
        for span, event in rehearsed.reading.produced:
            if is_first_part(event):
                records.append(Record(span, event))
    return records


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        raise FileUnreadable(f"{path}: {error.strerror}") from None


class _Lines(NamedTuple):
    starts: list[int]

    def number(self, offset: int) -> int:
        return bisect_right(self.starts, offset)


def _line_starts(path: Path) -> _Lines:
    starts, at = [0], 0
    for piece in _pieces(path):
        found = piece.find(b"\n")
        while found >= 0:
            starts.append(at + found + 1)
            found = piece.find(b"\n", found + 1)
        at += len(piece)
    return _Lines(starts)


def _changes(before: list[Record], after: list[Record], lines: _Lines) -> Iterator[Change]:
    """Walk both lists in file order; what overlaps without being the same bytes has other boundaries."""
    i = j = 0
    while i < len(before) and j < len(after):
        old, new = before[i], after[j]
        if old.span.end <= new.span.start:
            yield _dropped(old, lines)
            i += 1
        elif new.span.end <= old.span.start:
            yield _no_longer_dropped(new, lines)
            j += 1
        elif old.span == new.span:
            yield from _field_changes(old, new, lines)
            i, j = i + 1, j + 1
        else:
            end_i, end_j = _joined(before, after, i, j)
            first = lines.number(min(old.span.start, new.span.start))
            yield Change(first, "boundary", _lines_of(before[i:end_i], lines), _lines_of(after[j:end_j], lines))
            i, j = end_i, end_j
    yield from (_dropped(record, lines) for record in before[i:])
    yield from (_no_longer_dropped(record, lines) for record in after[j:])


def _joined(before: list[Record], after: list[Record], i: int, j: int) -> tuple[int, int]:
    """Return where the records end that share bytes with one another, from *i* and *j* on."""
    end = max(before[i].span.end, after[j].span.end)
    i, j = i + 1, j + 1
    while True:
        if i < len(before) and before[i].span.start < end:
            end = max(end, before[i].span.end)
            i += 1
        elif j < len(after) and after[j].span.start < end:
            end = max(end, after[j].span.end)
            j += 1
        else:
            return i, j


def _field_changes(old: Record, new: Record, lines: _Lines) -> Iterator[Change]:
    line = lines.number(old.span.start)
    for name in _COMPARED:
        before, after = _field(old.event, name), _field(new.event, name)
        if before != after:
            yield Change(line, name, before, after)


def _field(event: Event, name: str) -> str:
    text = str(event[name])
    source = event.get("log.timestamp_source") if name == "timestamp" else None
    # What takes the time of reading has none of its own, and another one at each reading.
    return f"none ({source})" if source == "read" else text if source is None else f"{text} ({source})"


def _dropped(record: Record, lines: _Lines) -> Change:
    return Change(lines.number(record.span.start), "dropped", _shown(record), "")


def _no_longer_dropped(record: Record, lines: _Lines) -> Change:
    return Change(lines.number(record.span.start), "no longer dropped", "", _shown(record))


def _shown(record: Record) -> str:
    return str(record.event["content"]).partition("\n")[0]


def _lines_of(records: list[Record], lines: _Lines) -> str:
    spans = [(lines.number(span.start), lines.number(span.end - 1)) for span, _ in records]
    return "lines " + ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
