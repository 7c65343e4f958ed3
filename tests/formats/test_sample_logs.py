"""The logs in samples/, read as the agent reads a file: framed, decoded, converted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from shipper.config import Source, rules
from shipper.config.model import Config
from shipper.core.converter import Converter
from shipper.core.framing import Framer
from shipper.core.model import Carry, Event, FileFacts, FileKey
from tests.formats.reading import NOW_MS, presets

SAMPLES = Path(__file__).parents[2] / "samples"
MODIFIED_MS = 1_717_200_000_000  # 2024-06-01T00:00:00Z, for the syslog without a year
FOREVER_MS = 60 * 365 * 86_400_000


class Expected(NamedTuple):
    """What a file holds: its format and encoding, records, how many have a time of their own, and their levels."""

    file: str
    format: str
    records: int
    stamped: int
    levels: dict[str, int]
    encoding: str = "auto"


TABLE = [
    Expected("nginx/access.log", "nginx_access", 30, 30, {"none": 30}),
    Expected(
        "nginx/error.log", "nginx_error", 10, 10, {"critical": 1, "emergency": 1, "error": 3, "notice": 4, "warn": 1}
    ),
    Expected("java/app.log", "log4j", 16, 16, {"debug": 2, "emergency": 1, "error": 2, "info": 9, "warn": 2}),
    Expected(
        "python/worker.log", "python_logging", 7, 7, {"critical": 1, "debug": 1, "error": 1, "info": 3, "warn": 1}
    ),
    Expected("syslog/messages.log", "syslog_rfc3164", 20, 20, {"none": 20}),
    Expected("json/app.json.log", "json", 22, 22, {"debug": 3, "emergency": 1, "error": 4, "info": 12, "warn": 2}),
    Expected(
        "postgresql/postgresql.log", "postgresql", 12, 12, {"emergency": 1, "error": 1, "info": 7, "none": 2, "warn": 1}
    ),
    Expected("mysql/slow.log", "mysql_slow", 3, 3, {"none": 3}),
    Expected("cri/pod.log", "cri", 10, 10, {"debug": 1, "error": 1, "info": 2, "none": 5, "warn": 1}),
    Expected("docker/container-json.log", "docker", 6, 6, {"error": 1, "none": 4, "warn": 1}),
    Expected("iis/u_ex240514.log", "iis_w3c", 7, 7, {"none": 7}),
    Expected("latin1/buchung.log", "log4j", 10, 10, {"debug": 1, "error": 2, "info": 5, "warn": 2}, "latin-1"),
    Expected("utf16/dienst.log", "log4j", 10, 10, {"debug": 1, "error": 1, "info": 6, "warn": 2}),
    Expected("hard/bad_bytes.log", "log4j", 12, 12, {"debug": 1, "emergency": 1, "error": 2, "info": 6, "warn": 2}),
]


def read_file(expected: Expected) -> list[Event]:
    source = Source(name="samples", paths=("/samples/*",), format=expected.format, encoding=expected.encoding)
    config = Config(path=Path("agent.yaml"), state_dir=Path("state"), sources=(source,), zone="UTC")
    rule = msgspec.structs.replace(
        rules(config, source, presets(), "web1"), max_age_ms=FOREVER_MS, max_ahead_ms=FOREVER_MS
    )
    facts = FileFacts(FileKey(1, 0), f"/samples/{expected.file}", Path(expected.file).name, MODIFIED_MS)
    framer, converter = Framer(rule, 0, Carry()), Converter(rule)
    events: list[Event] = []
    carry = Carry()
    for chunk in [*framer.feed((SAMPLES / expected.file).read_bytes()), *framer.close()]:
        encoded = converter.convert(chunk, facts, msgspec.structs.replace(carry, encoding=framer.encoding), NOW_MS)
        carry = encoded.carry
        events += json.loads(b"[" + bytes(encoded.json) + b"]")
    return events


@pytest.mark.parametrize("expected", TABLE, ids=lambda expected: expected.file)
def test_a_sample_log_holds_the_records_of_the_table(expected: Expected) -> None:
    events = read_file(expected)

    assert len(events) == expected.records
    assert sum("log.timestamp_source" not in event for event in events) == expected.stamped
    assert Counter(event["severity"] for event in events) == expected.levels
    assert all("2024-05-14T08:1" <= str(event["timestamp"]) < "2024-05-14T09:01" for event in events)


def test_every_sample_log_is_in_the_table() -> None:
    files = sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*.*") if path.is_file())

    assert sorted(expected.file for expected in TABLE) == [file for file in files if not file.endswith(".md")]
