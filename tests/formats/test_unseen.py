"""`format: auto` on layouts that no rule describes: boundary, stamp and level of every record, by both readers.

Each file under `unseen` is one log: its records in order, and what each must
become. The lines are made up; the layouts are those of real programs.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
import yaml

from shipper.core.converter import Converter, encode_reading
from shipper.core.model import Carry, Chunk, FileFacts, FileKey
from shipper.pipeline.reading import SourceReading
from tests.benchmarks.accuracy import auto_rule
from tests.formats.reading import MODIFIED, NOW_MS

FOLDER = Path(__file__).parent / "unseen"


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record as it must be read; a timestamp of None is inherited or that of reading."""

    text: str
    timestamp: str | None
    severity: str


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    name: str
    records: tuple[Record, ...]
    modified: str = MODIFIED

    @property
    def data(self) -> bytes:
        return ("\n".join(record.text for record in self.records) + "\n").encode()

    @property
    def modified_ms(self) -> int:
        return int(datetime.fromisoformat(self.modified).timestamp() * 1000)


LOGS = [
    msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Log) for path in sorted(FOLDER.glob("*.yaml"))
]
EACH = [pytest.param(log, id=log.name) for log in LOGS]
READING = SourceReading(auto_rule("unseen"))


def chosen(log: Log) -> Converter:
    """Return the converter that auto chooses for *log*, whatever it has chosen before."""
    reading = SourceReading(READING.rule)
    return reading.converter(reading.layout_of(log.data, "", log.modified_ms))


@pytest.mark.parametrize("log", EACH)
def test_every_record_has_its_lines_its_time_and_its_level(log: Log) -> None:
    converter = chosen(log)
    chunk = Chunk(0, len(log.data), log.data)
    facts = FileFacts(FileKey(1, 0), "/var/log/shop.log", "shop.log", log.modified_ms)

    fast = converter.convert(chunk, facts, Carry(encoding="utf-8"), NOW_MS)
    slow = encode_reading(converter.reference.read(chunk, facts, Carry(encoding="utf-8"), NOW_MS))

    events = json.loads(b"[" + bytes(fast.json) + b"]")
    assert events == json.loads(b"[" + bytes(slow.json) + b"]")
    assert [
        Record(event["content"], None if "log.timestamp_source" in event else event["timestamp"], event["severity"])
        for event in events
    ] == list(log.records)


@pytest.mark.parametrize("log", EACH)
def test_what_was_chosen_runs_as_a_compiled_loop(log: Log) -> None:
    facts = FileFacts(FileKey(1, 0), "/var/log/shop.log", "shop.log", log.modified_ms)

    assert chosen(log).loop_for(facts) is not None


def test_there_are_enough_layouts_to_mean_something() -> None:
    assert len(LOGS) >= 50
