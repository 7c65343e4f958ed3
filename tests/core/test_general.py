"""Lines that nobody described: their stamp is found, their level, and what goes on with the line above."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from shipper.core.general import General, learn
from shipper.core.stamp_shapes import SEARCHED_CHARACTERS, SHAPES, begins_with_stamp, stamps_in
from shipper.core.timestamps import StampReader, utc_text

NEAR_MS = int(datetime(2025, 12, 20, tzinfo=UTC).timestamp() * 1000)


def lines_of(template: str, count: int = 20) -> list[str]:
    """Return *template* *count* times, `{n}` and `{n:02d}` counted up."""
    return [line for n in range(count) for line in template.format(n=n).split("\n")]


def read_by(general: General, line: str) -> tuple[str | None, str | None]:
    """Return the instant and the level of *line*, as a rule with these patterns takes them."""
    for pattern in general.patterns:
        match = re.match(pattern, line)
        if match is not None:
            found = match.groupdict()
            stamp = StampReader(general.formats, "UTC").read(found["timestamp"], near_ms=NEAR_MS, after_ms=None)
            return stamp and utc_text(stamp.ms), found.get("severity")
    return None, None


@pytest.mark.parametrize(
    ("template", "instant", "level"),
    [
        pytest.param("2025-11-23 09:00:{n:02d}.250 WARN x", "2025-11-23T09:00:03.250Z", "WARN", id="level_behind"),
        pytest.param("[{n}] [2025/11/23 09:00:{n:02d}] [warn] x", "2025-11-23T09:00:03.000Z", "warn", id="third_field"),
        pytest.param("ERROR 23 Nov 2025 09:00:{n:02d} x", "2025-11-23T09:00:03.000Z", "ERROR", id="level_before"),
        pytest.param("23.11.2025 09:00:{n:02d} srv-1 app[7] ERROR: x", "2025-11-23T09:00:03.000Z", "ERROR", id="far"),
        pytest.param("23-Nov-2025 09:00:{n:02d} W: x", "2025-11-23T09:00:03.000Z", "W", id="one_letter"),
        pytest.param("17638884{n:02d}.125 ERROR code 1234567890", "2025-11-23T09:00:03.125Z", "ERROR", id="epoch"),
        pytest.param("ts=17638884{n:02d}000 lvl=error x", "2025-11-23T09:00:03.000Z", "error", id="epoch_ms"),
        pytest.param("2{n:1d}/10/2025 10:00:00 error: x", "2025-10-23T10:00:00.000Z", "error", id="day_before_month"),
        pytest.param("10/2{n:1d}/2025 10:00:00 x", "2025-10-23T10:00:00.000Z", None, id="month_before_day"),
        pytest.param("25/12/0{n:1d} 10:00:00 INFO x", "2025-12-03T10:00:00.000Z", "INFO", id="short_year_first"),
        pytest.param('a={n} time="2025-11-23 09:00:{n:02d}" x', "2025-11-23T09:00:03.000Z", None, id="quoted_deep_in"),
        pytest.param("2025-11-23;09:00:{n:02d};WARN;x", "2025-11-23T09:00:03.000Z", "WARN", id="columns"),
        pytest.param("23/11/2025,09:00:{n:02d},WARN,x", "2025-11-23T09:00:03.000Z", "WARN", id="columns_of_csv"),
        pytest.param("Warning,11/23/2025 9:00:{n:02d} AM,x", "2025-11-23T09:00:03.000Z", "Warning", id="level_first"),
        pytest.param("09:00:{n:02d}.250999999: Warning x", "2025-12-19T09:00:03.250Z", "Warning", id="clock_and_colon"),
        pytest.param("h-{n} 2025-11-23T09:00:{n:02d}Z 2020-01-01 00:00:00", "2025-11-23T09:00:03.000Z", None, id="two"),
    ],
)  # fmt: skip
def test_a_stamp_and_a_level_are_found_where_most_lines_have_them(
    template: str, instant: str, level: str | None
) -> None:
    lines = lines_of(template, 9)
    general = learn(lines, NEAR_MS)

    assert general is not None
    assert read_by(general, lines[3]) == (instant, level)
    assert not general.continues


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("request 17{n:02d}000000 done", id="numbers_out_of_order"),
        pytest.param("order 1763888400 shipped to 10.0.0.{n}", id="a_number_in_the_middle"),
        pytest.param("version 2.{n}.1 of module a/b/c", id="no_number_that_means_a_time"),
        pytest.param("99999999{n:02d} items", id="an_instant_that_nobody_can_mean"),
    ],
)
def test_a_number_in_a_message_is_no_stamp(template: str) -> None:
    lines = lines_of(template)
    lines[::2], lines[1::2] = lines[1::2], lines[::2]

    general = learn(lines, NEAR_MS)

    assert general is None or not general.formats


@pytest.mark.parametrize(
    "speaks",
    [
        '    raise ValueError("bad since 2020-01-01 00:00:00")',
        "ValueError: no such day: 2020-01-01 00:00:00",
        "\tat shop.Cart.get(Cart.java:42) 2020-01-01 00:00:00",
        "Caused by: shop.Gone: 2020-01-01T00:00:00Z",
        "the certificate has expired on 2020-01-01 00:00:00",
    ],
)
@pytest.mark.parametrize(
    "template", ["2025-11-23 09:00:{n:02d} ERROR it broke", "ERROR|2025-11-23T09:00:{n:02d}|it broke"]
)
def test_a_time_that_a_trace_speaks_of_begins_no_record(template: str, speaks: str) -> None:
    general = learn(lines_of(f"{template}\n{speaks}\n{speaks}"), NEAR_MS)

    assert general is not None
    assert read_by(general, speaks) == (None, None)
    assert not begins_with_stamp(speaks)


def test_lines_without_a_stamp_go_on_with_the_record_above() -> None:
    general = learn(lines_of("2025-11-23 09:00:{n:02d} ERROR it broke\nTraceback:\n  here"), NEAR_MS)

    assert general is not None
    assert general.continues
    assert read_by(general, "Traceback:") == (None, None)


def test_a_file_without_stamps_still_has_levels_and_indentation() -> None:
    general = learn(lines_of("ERROR: thing {n}\n    at this place"), NEAR_MS)

    assert general is not None
    assert (general.formats, general.continues) == ((), True)
    assert [m["severity"] for p in general.patterns if (m := re.match(p, "ERROR: thing"))] == ["ERROR"]


def test_plain_prose_has_no_layout() -> None:
    assert learn(["the quick brown fox", "jumps over", "the lazy dog"], NEAR_MS) is None


def test_every_shape_reads_a_stamp_of_its_own() -> None:
    """A shape whose formats cannot read what its pattern finds would take the stamp and give no time."""
    moment = datetime(2025, 11, 23, 9, 5, 7, tzinfo=UTC)
    unread = []
    for shape in SHAPES:
        for text in shape.formats:
            if text in ("rfc3339", "rfc3164", "epoch"):
                continue
            line = moment.strftime(text)
            found = next(iter(stamps_in(line)), None)
            reader = StampReader((text,), "UTC")
            if found is None or found.text != line or reader.read(line, near_ms=NEAR_MS, after_ms=None) is None:
                unread.append((shape.name, text, line, found and (found.shape.name, found.text)))

    assert unread == []


@pytest.mark.parametrize("line", ["1" * 5000, "2025-11-2" * 600, "Nov 1" * 1500, "x" * 250 + "2025-11-23 09:00:00"])
def test_only_the_beginning_of_a_line_is_searched(line: str) -> None:
    assert all(found.end <= SEARCHED_CHARACTERS for found in stamps_in(line))
