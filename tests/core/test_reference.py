"""The plain reader: exact bytes of each record, parts of long ones, bytes that are no text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.encodings import decode
from shipper.core.model import Carry, ChunkKind, Event, OpenPart, Span
from shipper.core.reference import split_content
from shipper.core.rule import EventLimits, MultilineRule, RecordFormat, Rule
from tests.core.reading import chunks_of, events_of, read_text

RAW = Rule("s", "raw", RecordFormat.RAW)
SMALL = Rule("s", "raw", RecordFormat.RAW, limits=EventLimits(content_bytes=8))
LEVELLED = Rule(
    "s", "x", RecordFormat.PATTERN, (r"(?P<timestamp>\S+) (?P<severity>\S+) (?P<user>\S+)",), drop=("DROP",),
    limits=EventLimits(content_bytes=40),
)  # fmt: skip
HEAD = "2026-11-23T19:59:58Z ERROR bob "


def contents(events: list[Event]) -> list[tuple[object, object]]:
    return [(event["content"], event.get("log.part")) for event in events]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"a\nbc\n", [("a", 0, 2), ("bc", 2, 5)], id="lines"),
        pytest.param(b"\n \na\n\nb\n", [("a", 3, 5), ("b", 6, 8)], id="blank_lines_are_no_records"),
        pytest.param(b"a\r\nb\rc\r\r\n", [("a", 0, 3), ("b\rc\r", 3, 9)], id="one_cr_before_lf_is_the_line_end"),
        pytest.param(b"\0\0a\n\0b\0c\n", [("a", 2, 4), ("b\0c", 5, 9)], id="nuls_at_a_lines_start_are_a_hole"),
        pytest.param(b"a\xffb\n", [("a\\xffb", 0, 4)], id="bad_bytes"),
        pytest.param(b"a\nb", [("a", 0, 2), ("b", 2, 3)], id="no_end_of_line_at_the_end"),
    ],
)
def test_each_event_has_the_bytes_that_it_was_read_from(data: bytes, expected: list[tuple[str, int, int]]) -> None:
    reading = read_text(RAW, data, at=100)

    found = [(one.event["content"], one.span.start - 100, one.span.end - 100) for one in reading.produced]
    assert found == expected


def test_a_record_of_several_lines_spans_them_all() -> None:
    rule = Rule("s", "x", RecordFormat.RAW, multiline=MultilineRule(start="S"))

    reading = read_text(rule, "S a\r\n\r\n b\r\n\r\nS c\r\n")

    assert contents(events_of(reading)) == [("S a\n\n b", None), ("S c", None)]
    assert [one.span for one in reading.produced] == [Span(0, 11), Span(13, 18)]


@pytest.mark.parametrize(
    ("data", "encoding", "text", "bad"),
    [
        (b"caf\xe9 \xc3\xa9", "utf-8", "caf\\xe9 é", 1),
        (b"\xed\xa0\x80\xff", "utf-8", "\\xed\\xa0\\x80\\xff", 4),
        (b"caf\xe9", "iso8859-1", "café", 0),
        (b"a\0\x00\xd8b\0", "utf-16-le", "a\\x00\\xd8b", 2),
        (b"\x83\x81\xff", "shift_jis", "メ\\xff", 1),
        ("日本".encode("shift_jis"), "shift_jis", "日本", 0),
    ],
)
def test_bytes_that_are_no_text_stand_as_escapes_and_are_counted(
    data: bytes, encoding: str, text: str, bad: int
) -> None:
    assert decode(data, encoding) == (text, bad)


def test_bad_bytes_and_holes_are_counted_for_the_chunk() -> None:
    reading = read_text(RAW, b"\0\0a\xff\n\xfe\n")

    assert (reading.bad_bytes, reading.nul_bytes, reading.records) == (2, 2, 2)


@given(text=st.text(max_size=40), limit=st.integers(4, 20))
def test_pieces_of_a_long_text_join_to_it_and_each_fits(text: str, limit: int) -> None:
    pieces = split_content(text, limit)

    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= limit for piece in pieces)
    assert len(pieces) == 1 or all(pieces)


def test_a_record_that_was_whole_in_memory_says_how_many_parts_it_has() -> None:
    reading = read_text(SMALL, "x" * 20 + "\nshort\n")

    assert contents(events_of(reading)) == [("x" * 8, "1/3"), ("x" * 8, "2/3"), ("x" * 4, "3/3"), ("short", None)]
    assert (reading.records, reading.parts) == (2, 2)
    assert [one.span for one in reading.produced] == [Span(0, 21)] * 3 + [Span(21, 27)]


def read_all(rule: Rule, pieces: list[bytes], max_open_bytes: int) -> tuple[list[Event], int, int]:
    events: list[Event] = []
    carry, records, parts = Carry(), 0, 0
    for chunk in chunks_of(rule, pieces, max_open_bytes=max_open_bytes):
        reading = read_text(rule, chunk.data, carry=carry, kind=chunk.kind, at=chunk.start)
        carry, events = reading.carry, [*events, *events_of(reading)]
        records, parts = records + reading.records, parts + reading.parts
    return events, records, parts


def test_a_line_too_long_to_hold_is_numbered_and_only_its_last_part_knows_the_count() -> None:
    line = HEAD + "x" * 80
    events, records, parts = read_all(LEVELLED, [line.encode() + b"\n" + HEAD.encode() + b"\n"], 35)

    assert "".join(str(event["content"]) for event in events[:-1]) == line
    assert [event.get("log.part") for event in events] == ["1", "2", "3", "4/4", None]
    assert (records, parts) == (2, 3)
    assert {event["severity"] for event in events} == {"error"}
    assert {event["timestamp"] for event in events} == {"2026-11-23T19:59:58.000Z"}
    assert {event["user"] for event in events} == {"bob"}


def test_what_goes_on_a_record_that_was_left_out_is_left_out_and_counted_once() -> None:
    carry, filtered, produced = Carry(), 0, 0
    for chunk in chunks_of(LEVELLED, [b"DROP" + b"x" * 100 + b"\nkept\n"], max_open_bytes=30):
        reading = read_text(LEVELLED, chunk.data, carry=carry, kind=chunk.kind, at=chunk.start)
        carry = reading.carry
        filtered += reading.filtered.get("drop", 0)
        produced += len(reading.produced)

    assert (filtered, produced) == (1, 1)


def test_an_unterminated_last_line_that_was_shipped_goes_on_as_its_next_part() -> None:
    first = read_text(RAW, "begun")
    second = read_text(RAW, " and done\n", carry=first.carry, kind=ChunkKind.LAST_PART, at=5)

    assert first.carry.part is not None
    assert contents([*events_of(first), *events_of(second)]) == [("begun", None), (" and done", "2/2")]
    assert second.carry.part is None
    assert (first.records, second.records, second.parts) == (1, 0, 1)


@pytest.mark.parametrize("rest", ["\n", "\r\n"])
def test_a_line_end_that_comes_alone_makes_no_event(rest: str) -> None:
    first = read_text(RAW, "begun")
    second = read_text(RAW, rest, carry=first.carry, kind=ChunkKind.LAST_PART, at=5)

    assert second.produced == []
    assert second.carry.part is None


def test_a_blank_last_line_without_its_end_is_not_taken_for_the_record_above() -> None:
    first = read_text(RAW, "done\n  ")
    second = read_text(RAW, "new\n", carry=first.carry, kind=ChunkKind.LAST_PART, at=7)

    assert first.carry.part is None
    assert contents(events_of(second)) == [("new", None)]
    assert second.records == 1


def test_the_saved_part_is_of_the_last_line_and_holds_what_the_next_takes() -> None:
    reading = read_text(LEVELLED, "DROP this\n" + HEAD + "not yet")

    assert reading.carry.part == OpenPart(
        1, "2026-11-23T19:59:58.000Z", "error",
        {"log.source": "s", "log.file.path": "/var/log/shop/a.log", "log.file.name": "a.log", "user": "bob"},
    )  # fmt: skip


def test_nuls_within_a_line_that_goes_on_are_text() -> None:
    reading = read_text(
        RAW, b"\0x\n", carry=Carry(part=OpenPart(1, "2026-11-23T19:00:00.000Z", "info")), kind=ChunkKind.LAST_PART
    )

    assert contents(events_of(reading)) == [("\0x", "2/2")]
    assert reading.nul_bytes == 0
