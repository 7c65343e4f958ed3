"""The hard cases of the corpus, where it stands beside the checkout: borders, instants and levels are the truth's."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from shipper.core.converter import compile_rule, encode_reading
from shipper.core.encodings import newline_of
from shipper.core.framing import Framer
from shipper.core.model import Carry, Event, FileFacts, Produced
from shipper.core.rule import MultilineRule, RecordFormat, Rule, StampRule
from shipper.core.severity import severity_of
from tests.core.reading import FACTS, NOW_MS, figures

NASTY = Path(__file__).parents[3] / "shared" / "corpus" / "nasty"
ISO = r"(?P<timestamp>\d{4}-\d\d-\d\dT\S+) (?P<severity>[A-Z]+) "
DATE = r"(?P<timestamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?) "
ANY_AGE_MS = 10**14


def rule(pattern: str, *, zone: str = "UTC", multi: bool = False, encoding: str = "auto") -> Rule:
    return Rule(
        "nasty", "x", RecordFormat.PATTERN, (pattern,), stamp=StampRule(zone=zone), encoding=encoding,
        multiline=MultilineRule(start_at_stamp=True) if multi else None, max_age_ms=ANY_AGE_MS,
    )  # fmt: skip


RULES = {
    "ansi-macos-real": msgspec.structs.replace(rule(r"(?P<timestamp>\w+ +\d+ [\d:]+) "), ansi=True),
    "blank-lines-no-eol": rule(DATE + "(?P<severity>[A-Z]+) "),
    "cri-partial": Rule("nasty", "cri", RecordFormat.CRI, max_age_ms=ANY_AGE_MS),
    "crlf": rule(ISO, multi=True),
    "crlf-real": rule(r"(?P<timestamp>\S+ \S+?):(?P<severity>[A-Z]+):"),
    "dst-fold": rule(DATE + "(?P<severity>[A-Z]+) ", zone="America/New_York"),
    "java-caused-by": rule(DATE + "(?P<severity>[A-Z]+) +", multi=True),
    "latin1": rule(DATE + "(?P<severity>[A-Z]+) ", encoding="latin-1"),
    "long-line-1mb": rule(ISO),
    "nul-copytruncate": rule(ISO),
    "python-traceback": rule(DATE + r"- \S+ - (?P<severity>[A-Z]+) - ", multi=True),
    "two-digit-year": rule(r"(?P<timestamp>\d\d/\d\d/\d\d \S+) (?P<severity>[A-Z]+) "),
    "utf16le-bom-crlf": rule(DATE + r"\[(?P<severity>[A-Z]+)\] "),
    "vdsm-traceback-real": rule(r"\S+?::(?P<severity>[A-Z]+)::(?P<timestamp>[\d-]+ [\d:,]+)::", multi=True),
}
WRITTEN_IN = {"ansi-macos-real": "2023-12-31T00:00:00Z"}
PIECES = (7, 4096, 1 << 22)

pytestmark = pytest.mark.skipif(not NASTY.is_dir(), reason=f"no corpus at {NASTY}")


def read(one: Rule, data: bytes, piece: int, facts: FileFacts) -> tuple[list[Produced], str]:
    """Return the events of a file read in pieces, by both readers, and its encoding."""
    framer, converter, carry = Framer(one, 0, Carry()), compile_rule(one), Carry()
    chunks = [chunk for at in range(0, len(data), piece) for chunk in framer.feed(data[at : at + piece])]
    produced: list[Produced] = []
    for chunk in [*chunks, *framer.close()]:
        carry = msgspec.structs.replace(carry, encoding=framer.encoding)
        reading = converter.reference.read(chunk, facts, carry, NOW_MS)
        assert figures(converter.convert(chunk, facts, carry, NOW_MS)) == figures(encode_reading(reading))
        produced, carry = [*produced, *reading.produced], reading.carry
    return produced, framer.encoding


def records_of(produced: list[Produced]) -> list[Produced]:
    """Return the first event of each record."""
    return [one for one in produced if str(one.event.get("log.part", "1")).partition("/")[0] == "1"]


def line_numbers(data: bytes, one: Produced, encoding: str) -> tuple[int, int]:
    """Return the number of a record's first physical line, and how many lines it spans."""
    unit = len(newline_of(encoding))
    lines = [bytes(data[at : at + unit]) for at in range(0, one.span.end, unit)] if unit > 1 else []
    if unit > 1:
        newline, start = newline_of(encoding), one.span.start // unit
        return lines[:start].count(newline) + 1, max(lines[start:].count(newline), 1)
    return data.count(b"\n", 0, one.span.start) + 1, data[one.span.start : one.span.end].rstrip(b"\r\n").count(
        b"\n"
    ) + 1


def instant(event: Event) -> str | None:
    return None if "log.timestamp_source" in event else str(event["timestamp"])


def in_milliseconds(text: str) -> str:
    return datetime.fromisoformat(text).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("piece", PIECES)
def test_a_hard_case_is_read_as_its_truth_says(name: str, piece: int) -> None:
    data = (NASTY / name / "sample.log").read_bytes()
    truth = [json.loads(line) for line in (NASTY / name / "truth.ndjson").read_text().splitlines()]

    mtime_ms = round(datetime.fromisoformat(WRITTEN_IN.get(name, "2026-11-23T20:00:00Z")).timestamp() * 1000)
    facts = msgspec.structs.replace(FACTS, mtime_ms=mtime_ms)

    produced, encoding = read(RULES[name], data, max(piece, 512) if len(data) > 1 << 16 else piece, facts)

    records = records_of(produced)
    joined = {one["line"] for one in truth if "line_numbers" in one}
    found = [line_numbers(data, one, encoding) for one in records]
    assert sorted(line for line, _ in found) == [one["line"] for one in truth]
    assert sorted(one for one in found if one[0] not in joined) == [
        (one["line"], one["lines"]) for one in truth if one["line"] not in joined
    ]
    in_order = [one for _, one in sorted(zip(found, records, strict=True), key=lambda pair: pair[0])]
    assert [instant(one.event) for one in in_order] == [in_milliseconds(one["timestamp"]) for one in truth]
    assert [one.event["severity"] for one in in_order] == [severity_of(one["severity"] or "none", {}) for one in truth]


def test_every_hard_case_has_its_rule_here() -> None:
    assert {folder.name for folder in NASTY.iterdir() if folder.is_dir()} == RULES.keys()
