"""Logs whose own header names their columns: the header travels with the file, directives are no records."""

from __future__ import annotations

import json

import msgspec
import pytest

from shipper.core.columns import header_after
from shipper.core.converter import Converter
from shipper.core.model import Carry, Chunk, Event, FileFacts, FileKey
from tests.formats.reading import NOW_MS, presets, read, rule_of

RULE = rule_of(presets()["iis_w3c"])
FACTS = FileFacts(FileKey(1, 0), "/logs/u_ex240102.log", "u_ex240102.log", NOW_MS)


def own(event: Event) -> dict[str, object]:
    """What was taken from the line."""
    sent_anyway = (
        "content",
        "severity",
        "log.source",
        "log.file.path",
        "log.file.name",
        "host.name",
        "dt.ingest.origin",
    )
    return {name: value for name, value in event.items() if name not in sent_anyway}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "#Fields: date time c-ip sc-status\n2024-01-02 03:04:05 203.0.113.7 200\n",
            {"timestamp": "2024-01-02T03:04:05.000Z", "c-ip": "203.0.113.7", "sc-status": "200"},
            id="blanks",
        ),
        pytest.param(
            '#Fields: date time cs(User-Agent)\n2024-01-02 03:04:05 "curl 8.5"\n',
            {"timestamp": "2024-01-02T03:04:05.000Z", "cs(User-Agent)": "curl 8.5"},
            id="quoted_value",
        ),
        pytest.param(
            "#Fields: date\ttime\tx-edge\n2024-01-02\t03:04:05\tVIE 50\n",
            {"timestamp": "2024-01-02T03:04:05.000Z", "x-edge": "VIE 50"},
            id="tabs_as_cloudfront",
        ),
        pytest.param(
            "#Fields: date-time,event-id,recipient\n2024-01-02T03:04:05.678Z,SEND,a@shop.example\n",
            {"timestamp": "2024-01-02T03:04:05.678Z", "event-id": "SEND", "recipient": "a@shop.example"},
            id="commas_as_exchange",
        ),
        pytest.param(
            "#separator \\x09\n#fields\tts\tuid\tservice\n1704164645.678901\tCx1\t(empty)\n",
            {"timestamp": "2024-01-02T03:04:05.678Z", "uid": "Cx1"},
            id="epoch_as_zeek",
        ),
        pytest.param(
            "#Date: 2024-01-02 00:00:00\n#Fields: time c-ip\n03:04:05 203.0.113.7\n",
            {"timestamp": "2024-01-02T03:04:05.000Z", "c-ip": "203.0.113.7"},
            id="day_from_the_date_directive",
        ),
        pytest.param(
            "2024-01-02 03:04:05 203.0.113.7 200\n", {"timestamp": "2024-01-02T03:04:05.000Z"}, id="no_header_seen"
        ),
        pytest.param(
            "#Fields: date time c-ip sc-status\n2024-01-02 03:04:05 cut\n",
            {"timestamp": "2024-01-02T03:04:05.000Z"},
            id="other_columns_than_named",
        ),
    ],
)
def test_a_line_is_taken_apart_by_the_header_above_it(text: str, expected: dict[str, object]) -> None:
    assert [own(event) for event in read(RULE, text.encode()).events] == [expected]


def test_a_header_in_mid_file_holds_from_there_on() -> None:
    text = "#Fields: date time a\n2024-01-02 03:04:05 1\n#Fields: date time b a\n2024-01-02 03:04:06 2 3\n"

    events = read(RULE, text.encode()).events

    assert [(event.get("a"), event.get("b")) for event in events] == [("1", None), ("3", "2")]


def test_the_header_is_known_in_the_next_chunk_and_after_a_restart() -> None:
    converter = Converter(RULE)
    head, line = b"#Date: 2024-01-02 00:00:00\r\n#Fields: time c-ip\r\n", b"03:04:05 203.0.113.7\r\n"

    first = converter.convert(Chunk(0, len(head), head), FACTS, Carry(encoding="utf-8"), NOW_MS)
    saved = msgspec.json.decode(msgspec.json.encode(first.carry), type=Carry)
    second = converter.convert(Chunk(len(head), len(head) + len(line), line), FACTS, saved, NOW_MS)

    assert (first.events, first.filtered) == (0, {"directive": 2})
    assert own(json.loads(bytes(second.json))) == {"timestamp": "2024-01-02T03:04:05.000Z", "c-ip": "203.0.113.7"}


def test_a_line_with_other_columns_counts_as_unparsed() -> None:
    result = read(RULE, b"#Fields: date time c-ip\n2024-01-02 03:04:05 a b\n2024-01-02 03:04:05 a\n")

    assert result.unparsed == 1


def test_directives_that_say_nothing_of_columns_change_nothing() -> None:
    header = header_after("#Fields: date time c-ip", ())

    assert header_after("#Software: Microsoft Internet Information Services 10.0", header) == header
