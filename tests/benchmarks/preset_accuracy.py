"""How well the presets read real logs: each source of the corpus by the preset that is meant for it.

    python -m tests.benchmarks.preset_accuracy [CORPUS]

The corpus stands beside the checkout (`../shared/corpus`) where there is one.
Boundaries, stamps and levels are counted apart: a record with a wrong boundary
counts as a miss in each of the three.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from shipper.core.rule import Rule
from shipper.core.severity import severity_of
from tests.formats.reading import presets, read, rule_of

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"


class Meant(NamedTuple):
    """How a source is to be read: its preset, the zone and the modification time that its truth assumes."""

    preset: str
    zone: str = "UTC"
    modified: str = "2026-01-01T00:00:00Z"


MEANT = {
    "android-threadtime": Meant("android_threadtime", modified="2020-12-31T00:00:00Z"),
    "apache-access-combined": Meant("apache_access"),
    "apache-error": Meant("apache_error", "-02:00"),
    "auditd": Meant("auditd"),
    "elasticsearch-json": Meant("elasticsearch_json"),
    "elasticsearch-server": Meant("elasticsearch", "-02:00"),
    "hadoop-hdfs": Meant("hadoop"),
    "haproxy-syslog": Meant("haproxy", modified="2021-12-31T00:00:00Z"),
    "hbase": Meant("hadoop"),
    "iis-w3c": Meant("iis_w3c"),
    "jvm-gc-unified": Meant("jvm_gc"),
    "kafka-server": Meant("kafka", "-02:00"),
    "kibana-json": Meant("kibana_json"),
    "mongodb-text": Meant("mongodb"),
    "mysql-error-57": Meant("mysql_error", "+01:00"),
    "mysql-slow": Meant("mysql_slow"),
    "nginx-access": Meant("nginx_access"),
    "nginx-error": Meant("nginx_error", "-02:00"),
    "postgresql-stderr": Meant("postgresql"),
    "rabbitmq": Meant("rabbitmq"),
    "redis": Meant("redis", "+02:00", "2017-12-31T00:00:00Z"),
    "syslog-auth-rhel": Meant("syslog_rfc3164", modified="2017-12-31T00:00:00Z"),
    "syslog-macos": Meant("macos_system", modified="2016-12-31T00:00:00Z"),
    "tomcat-catalina": Meant("tomcat_catalina"),
    "nasty/crlf-real": Meant("python_logging"),
    "nasty/java-caused-by": Meant("logback"),
    "nasty/python-traceback": Meant("python_logging"),
    "nasty/vdsm-traceback-real": Meant("python_logging"),
}


class Truth(msgspec.Struct):
    """One record as the corpus knows it."""

    line: int
    lines: int
    timestamp: str | None
    severity: str | None
    alt_timestamp: str | None = None


class Score(NamedTuple):
    """How many of a source's records have the right boundary, stamp and level, and what was wrong first."""

    source: str
    preset: str
    records: int
    found: int
    boundaries: int
    stamps: int
    levels: int
    misses: list[str]


class Record(NamedTuple):
    """One record as it was read."""

    lines: int
    timestamp: str | None
    severity: str


def score(folder: Path, name: str) -> Score:
    """Return how the preset meant for the source *name* reads it."""
    meant = MEANT[name]
    truths = [msgspec.json.decode(line, type=Truth) for line in _lines(folder / name / "truth.ndjson")]
    words = (yaml.safe_load((folder / name / "source.yaml").read_text()).get("severity_map")) or {}
    rule = rule_of(presets()[meant.preset], meant.zone)
    data = (folder / name / "sample.log").read_bytes()
    data = data if data.endswith(b"\n") else data + b"\n"
    text_lines = data.split(b"\n")
    known = _read(rule, data, meant.modified)
    boundaries = stamps = levels = 0
    misses = []
    for truth in truths:
        record = known.get(truth.line)
        if record is None or record.lines != truth.lines:
            misses.append(f"line {truth.line}: {truth.lines} lines, read as {record and record.lines}")
            continue
        boundaries += 1
        wanted = {_milliseconds(truth.timestamp), _milliseconds(truth.alt_timestamp or truth.timestamp)}
        stamps += record.timestamp in wanted
        word = str(words.get(truth.severity, truth.severity)) if truth.severity else "none"
        level = severity_of(word, rule.severity.words) or "none"
        levels += record.severity == level
        if record.timestamp not in wanted or record.severity != level:
            shown = text_lines[truth.line - 1][:60]
            misses.append(f"line {truth.line}: {truth.timestamp} {truth.severity}, read as {record[1:]}: {shown!r}")
    return Score(name, meant.preset, len(truths), len(known), boundaries, stamps, levels, misses)


def _read(rule: Rule, data: bytes, modified: str) -> dict[int, Record]:
    """Return the records by the number of their first line."""
    starts = {0: 1}
    at = data.find(b"\n")
    while at >= 0:
        starts[at + 1] = len(starts) + 1
        at = data.find(b"\n", at + 1)
    result = read(rule, data, modified)
    known = {}
    for span, event in result.produced:
        lines = starts[span.end] - starts[span.start]
        stamp = None if "log.timestamp_source" in event else str(event["timestamp"])
        known[starts[span.start]] = Record(lines, stamp, str(event["severity"]))
    return known


def _milliseconds(timestamp: str | None) -> str | None:
    if timestamp is None:
        return None
    whole, _, fraction = timestamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:3]:0<3}Z"


def _lines(path: Path) -> Iterator[str]:
    return (line for line in path.read_text(encoding="utf-8").split("\n") if line)


def main() -> None:
    """Print the table; with no corpus, say so."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    if not folder.is_dir():
        print(f"no corpus at {folder}: nothing was measured")
        return
    print(f"{'source':24} {'preset':20} {'records':>7} {'found':>6} {'boundary':>9} {'stamp':>8} {'level':>8}")
    total = [0, 0, 0, 0]
    for name in MEANT:
        row = score(folder, name)
        shares = [f"{100 * part / row.records:.2f}%" for part in (row.boundaries, row.stamps, row.levels)]
        print(f"{name:24} {row.preset:20} {row.records:7} {row.found:6} {shares[0]:>9} {shares[1]:>8} {shares[2]:>8}")
        for miss in row.misses[:3]:
            print(f"    {miss}")
        total = [a + b for a, b in zip(total, (row.records, row.boundaries, row.stamps, row.levels), strict=True)]
    print("all: " + json.dumps(dict(zip(("records", "boundary", "stamp", "level"), total, strict=True))))


if __name__ == "__main__":
    main()
