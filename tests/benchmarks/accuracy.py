"""How well `format: auto` reads logs that nobody described: every source of the corpus, no rule but its zone.

    python -m tests.benchmarks.accuracy [CORPUS] [--all]

The corpus stands beside the checkout (`../shared/corpus`) where there is one.
A record with a wrong boundary counts as a miss in each of the three columns.
Zones and modification times are those that a source's `source.yaml` assumes:
an operator gives the first (`timestamp.timezone`), a file has the second.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from shipper.config import Source, load_presets, rules
from shipper.config.model import Config
from shipper.core.converter import Converter
from shipper.core.framing import Framer
from shipper.core.model import Carry, Event, FileFacts, FileKey, Produced
from shipper.core.rule import Rule
from shipper.core.severity import severity_of
from shipper.pipeline.reading import SourceReading

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
NOW_MS = 1_798_761_600_000  # 2027-01-01T00:00:00Z
_FOREVER_MS = 60 * 365 * 86_400_000
# What `timezone_assumption` and `year_assumption` say in words.
ZONES = {
    "apache-error": "-02:00", "elasticsearch-server": "-02:00", "kafka-server": "-02:00", "nginx-error": "-02:00",
    "mysql-error-57": "+01:00", "redis": "+02:00", "nasty/dst-fold": "America/New_York",
    "nasty/vdsm-traceback-real": "UTC",
}  # fmt: skip
MODIFIED = {
    "android-threadtime": 2020, "haproxy-syslog": 2021, "redis": 2017, "syslog-auth-rhel": 2017, "syslog-macos": 2016,
    "nasty/ansi-macos-real": 2023,
}  # fmt: skip
ENCODINGS = {"nasty/latin1": "latin-1"}


class Truth(msgspec.Struct):
    """One record as the corpus knows it."""

    line: int
    lines: int
    timestamp: str | None
    severity: str | None
    alt_timestamp: str | None = None
    line_numbers: list[int] | None = None


class Score(NamedTuple):
    """How many of a source's records have the right boundary, stamp and level, and what was wrong."""

    source: str
    layout: str
    records: int
    found: int
    boundaries: int
    stamps: int
    levels: int
    misses: list[str]


def auto_rule(name: str) -> Rule:
    """Return the rule of a source with nothing but its zone, on a host in UTC."""
    source = Source(name="shop", paths=("/var/log/shop.log",), encoding=ENCODINGS.get(name, "auto"))
    config = Config(path=Path("agent.yaml"), state_dir=Path("state"), sources=(source,), zone=ZONES.get(name, "UTC"))
    made = rules(config, source, load_presets(), "web1")
    candidates = tuple(_ageless(rule) for rule in made.candidates)
    return msgspec.structs.replace(_ageless(made), candidates=candidates)


def _ageless(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, max_age_ms=_FOREVER_MS, max_ahead_ms=_FOREVER_MS)


def read(name: str, data: bytes) -> tuple[str, dict[str, str], list[Produced]]:
    """Return the layout that was chosen, its own level words, and every event with its bytes."""
    reading = SourceReading(auto_rule(name))
    mtime_ms = (MODIFIED.get(name, 2025) - 1970) * 31_556_952_000 + 31_000_000_000
    facts = FileFacts(FileKey(1, 0), "/var/log/shop.log", "shop.log", mtime_ms)
    head = data[:262_144]
    layout = reading.layout_of(head, "", mtime_ms)
    converter = reading.converter(layout)
    carry = Carry(layout=layout)
    framer = Framer(converter.rule, 0, carry)
    produced: list[Produced] = []
    for at in range(0, len(data), 262_144):
        for chunk in framer.feed(data[at : at + 262_144]):
            carry = _read(converter, chunk, facts, carry, framer, produced)
    for chunk in framer.close():
        carry = _read(converter, chunk, facts, carry, framer, produced)
    return layout, converter.rule.severity.words, produced


def _read(
    converter: Converter, chunk: object, facts: FileFacts, carry: Carry, framer: Framer, produced: list[Produced]
) -> Carry:
    carry = msgspec.structs.replace(carry, encoding=framer.encoding)
    reading = converter.reference.read(chunk, facts, carry, NOW_MS)  # type: ignore[arg-type]  # a chunk
    produced += reading.produced
    return reading.carry


def score(folder: Path, name: str) -> Score:
    """Return how the source *name* is read."""
    truths = [
        msgspec.json.decode(line, type=Truth) for line in (folder / name / "truth.ndjson").read_bytes().splitlines()
    ]
    about = yaml.safe_load((folder / name / "source.yaml").read_text(encoding="utf-8"))
    words = {str(word).lower(): str(meaning) for word, meaning in (about.get("severity_map") or {}).items()}
    data = (folder / name / "sample.log").read_bytes()
    newline = "\n".encode("utf-16-le") if "utf-16" in str(about["encoding"]).lower() else b"\n"
    layout, preset_words, produced = read(name, data)
    known = _by_line(data, newline, produced)
    boundaries = stamps = levels = 0
    misses = []
    for truth in truths:
        span, event = known.get(truth.line, (0, {}))
        if span != truth.lines and truth.line_numbers is None:
            misses.append(f"line {truth.line}: {truth.lines} lines, read as {span or None}")
            continue
        boundaries += 1
        stamp = None if "log.timestamp_source" in event else event.get("log.original_timestamp", event.get("timestamp"))
        right_stamp = stamp in {_milliseconds(truth.timestamp), _milliseconds(truth.alt_timestamp or truth.timestamp)}
        word = words.get(truth.severity, truth.severity) if truth.severity else "none"
        right_level = event.get("severity") == (severity_of(word, {}) or severity_of(word, preset_words) or "none")
        stamps += right_stamp
        levels += right_level
        if not (right_stamp and right_level):
            read_as = f"{stamp} {event.get('severity')}: {str(event.get('content'))[:70]!r}"
            misses.append(f"line {truth.line}: {truth.timestamp} {truth.severity}, read as {read_as}")
    return Score(name, layout, len(truths), len(known), boundaries, stamps, levels, misses)


def _by_line(data: bytes, newline: bytes, produced: list[Produced]) -> dict[int, tuple[int, Event]]:
    """Return how many lines each record has and its event, by the number of its first line."""
    starts = {0: 1, 2: 1, 3: 1}  # behind a byte order mark, too
    at = data.find(newline)
    number = 1
    while at >= 0:
        number += 1
        starts[at + len(newline)] = number
        at = data.find(newline, at + len(newline))
    starts.setdefault(len(data), number + 1)
    known: dict[int, tuple[int, Event]] = {}
    for span, event in produced:
        begin = span.start
        while begin not in starts:  # NULs were stepped over
            begin -= 1
        first, after = starts[begin], starts.get(span.end, 0)
        if first not in known:
            known[first] = (after - first, event)
        elif "log.part" in event:
            known[first] = (after - first, known[first][1])
    return known


def _milliseconds(timestamp: str | None) -> str | None:
    if timestamp is None:
        return None
    whole, _, fraction = timestamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:3]:0<3}Z"


def names(folder: Path) -> list[str]:
    """Return the sources of a corpus; those under `nasty` with that before their names."""
    found = sorted(path.parent.relative_to(folder).as_posix() for path in folder.glob("**/truth.ndjson"))
    return sorted(found, key=lambda name: (name.startswith("nasty/"), name))


def main(arguments: list[str]) -> None:
    """Print the table; with no corpus, say so."""
    paths = [argument for argument in arguments if not argument.startswith("--")]
    folder = Path(paths[0]) if paths else CORPUS
    if not folder.is_dir():
        print(f"no corpus at {folder}: nothing was measured")
        return
    shown = 1000 if "--all" in arguments else 3
    print(f"{'source':26} {'layout':24} {'records':>7} {'found':>6} {'boundary':>9} {'stamp':>8} {'level':>8}")
    total = [0, 0, 0, 0]
    for name in names(folder):
        row = score(folder, name)
        shares = [f"{100 * part / row.records:.2f}%" for part in (row.boundaries, row.stamps, row.levels)]
        print(
            f"{name:26} {row.layout[:24]:24} {row.records:7} {row.found:6} {shares[0]:>9} {shares[1]:>8} {shares[2]:>8}"
        )
        for miss in row.misses[:shown]:
            print(f"    {miss}")
        total = [a + b for a, b in zip(total, (row.records, row.boundaries, row.stamps, row.levels), strict=True)]
    parts = ", ".join(
        f"{word} {100 * part / total[0]:.2f} %"
        for word, part in zip(("boundary", "stamp", "level"), total[1:], strict=True)
    )
    print(f"all: {total[0]} records, {parts}")


if __name__ == "__main__":
    main(sys.argv[1:])
