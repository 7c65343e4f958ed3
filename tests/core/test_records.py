"""Which lines belong together: by start, by continuation, within limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.records import RecordSplitter
from shipper.core.rule import MultilineRule, RecordFormat, Rule

STAMP = r"(?P<timestamp>\d{4}-\d\d-\d\d) "


def splitter(
    multiline: MultilineRule | None, *patterns: str, record_format: RecordFormat = RecordFormat.RAW
) -> RecordSplitter:
    return RecordSplitter(Rule("s", "x", record_format, patterns, multiline=multiline))


@pytest.mark.parametrize(
    ("multiline", "text", "records"),
    [
        pytest.param(None, "a\n\n \t\nb", ["a", "b"], id="lines_without_blank_ones"),
        pytest.param(None, " a \n\tb\x85", [" a ", "\tb\x85"], id="blanks_within_are_kept"),
        pytest.param(MultilineRule(start="S"), "S1\n a\nS2\nb", ["S1\n a", "S2\nb"], id="start"),
        pytest.param(MultilineRule(start="S"), "x\ny\nS1", ["x\ny", "S1"], id="what_comes_before_the_first_start"),
        pytest.param(
            MultilineRule(start="S"), "\n\nS1\n\n a\n\n\nS2\n \n", ["S1\n\n a", "S2"], id="blank_lines_inside_stay"
        ),
        pytest.param(MultilineRule(start="1"), "a1\n1", ["a1", "1"], id="start_is_matched_at_the_lines_beginning"),
        pytest.param(MultilineRule(continue_=r"\s"), "a\n b\n\tc\nd", ["a\n b\n\tc", "d"], id="continue"),
        pytest.param(MultilineRule(continue_=r"\s"), " a\n b\nc", [" a\n b", "c"], id="continuation_of_nothing"),
        pytest.param(MultilineRule(start="S", max_lines=2), "S\na\nb\nc\nd", ["S\na", "b\nc", "d"], id="max_lines"),
        pytest.param(MultilineRule(start="S", max_bytes=6), "S\naa\nb\nc", ["S\naa", "b\nc"], id="max_bytes"),
        pytest.param(MultilineRule(start="S", max_bytes=6), "S\né\né", ["S\né", "é"], id="max_bytes_are_utf_8"),
        pytest.param(MultilineRule(start="S", max_bytes=3), "Sxxxx\nyyyy", ["Sxxxx", "yyyy"], id="a_line_is_never_cut"),
    ],
)
def test_records_of_a_text(multiline: MultilineRule | None, text: str, records: list[str]) -> None:
    assert splitter(multiline).split(text) == records


def test_a_line_on_which_the_pattern_matches_begins_a_record_where_the_stamp_does() -> None:
    by_stamp = splitter(MultilineRule(start_at_stamp=True), STAMP, record_format=RecordFormat.PATTERN)

    text = "2026-11-23 a\n2026 is no stamp\n 2026-11-23 b\n2026-11-24 c"
    assert by_stamp.split(text) == ["2026-11-23 a\n2026 is no stamp\n 2026-11-23 b", "2026-11-24 c"]


def test_a_json_object_over_several_lines_begins_with_its_brace() -> None:
    by_brace = splitter(MultilineRule(start_at_stamp=True), record_format=RecordFormat.JSON)

    assert by_brace.split('{\n "a": 1\n}\n{"b": 2}') == ['{\n "a": 1\n}', '{"b": 2}']


@given(
    text=st.text("S a\n\u00e9", max_size=50),
    multiline=st.one_of(
        st.none(),
        st.builds(MultilineRule, start=st.just("S"), max_lines=st.integers(1, 4), max_bytes=st.integers(1, 30)),
        st.builds(MultilineRule, continue_=st.just(" "), max_lines=st.integers(1, 4), max_bytes=st.integers(1, 30)),
    ),
)
def test_records_hold_every_line_with_text_once_and_in_order_within_the_limits(
    text: str, multiline: MultilineRule | None
) -> None:
    one = splitter(multiline)

    records = one.split(text)

    assert [line for record in records for line in record.split("\n") if line.strip()] == [
        line for line in text.split("\n") if line.strip()
    ]
    if multiline is not None:
        assert all(record.count("\n") < multiline.max_lines for record in records)
        assert all(len(record.encode()) < multiline.max_bytes for record in records if "\n" in record)
