"""Stamps as programs write them become instants; what is none is None."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.stamp_formats import ALL
from shipper.core.timestamps import StampReader, check_zone, epoch_ms, utc_text, zone_of

NEAR = "2026-11-23T20:00:00Z"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def read(text: str, *formats: str, zone: str = "", near: str = NEAR, after: str | None = None) -> str | None:
    stamp = StampReader(formats, zone).read(text, near_ms=ms(near), after_ms=None if after is None else ms(after))
    return None if stamp is None else utc_text(stamp.ms)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-04-17 11:25:12.345", "2022-04-17T09:25:12.345Z"),
        ("2022-04-17T11:25:12.345", "2022-04-17T09:25:12.345Z"),
        ("2025-12-17T22:12:31.0000", "2025-12-17T21:12:31.000Z"),
        ("1652088888997", "2022-05-09T09:34:48.997Z"),
        ("1765281600", "2025-12-09T12:00:00.000Z"),
        ("Apr 17 11:25:12", "2026-04-17T09:25:12.000Z"),
        ("Apr  7 11:25:12", "2026-04-07T09:25:12.000Z"),
        ("2022-05-17-11.25.12.114000-300", "2022-05-17T16:25:12.114Z"),
        ("2022-05-17-11.25.12.114000+120", "2022-05-17T09:25:12.114Z"),
        ("2022-05-17-11.25.12.114000", "2022-05-17T09:25:12.114Z"),
        ("04/17/2022, 11:25:12.345", "2022-04-17T09:25:12.345Z"),
        ("I0408 06:40:02.634162", "2026-04-08T04:40:02.634Z"),
        ("0408 06:40:02.634162", "2026-04-08T04:40:02.634Z"),
        ("1112 10:00:00", "2026-11-12T09:00:00.000Z"),
        ("17 Apr 2022 11:25:12.345", "2022-04-17T09:25:12.345Z"),
        ("2022 Apr 17 11:25:12.345", "2022-04-17T09:25:12.345Z"),
        ("17/Apr/2022:11:25:12.345", "2022-04-17T09:25:12.345Z"),
        ("17/Apr/2022:11:25:12 +0000", "2022-04-17T11:25:12.000Z"),
        ("2022/04/17 11:25:12", "2022-04-17T09:25:12.000Z"),
        ("Mon Nov 23 19:59:58 2026", "2026-11-23T18:59:58.000Z"),
        ("Mon Nov 23 19:59:58.123456 2026", "2026-11-23T18:59:58.123Z"),
        ("Mon Nov 23 19:59:58 UTC 2026", "2026-11-23T19:59:58.000Z"),
        ("Mon, 23 Nov 2026 19:59:58 GMT", "2026-11-23T19:59:58.000Z"),
        ("Nov 23, 2026 7:59:58 PM", "2026-11-23T18:59:58.000Z"),
        ("11/23/2026 07:59:58 am", "2026-11-23T06:59:58.000Z"),
        ("24/12/31 23:59:59", "2024-12-31T22:59:59.000Z"),
        ("260223 21:00:00", "2026-02-23T20:00:00.000Z"),
        ("20261123T195958", "2026-11-23T18:59:58.000Z"),
        ("23.11.2026 19:59:58", "2026-11-23T18:59:58.000Z"),
    ],
)
def test_every_written_form_of_the_reference_page_is_read(text: str, expected: str) -> None:
    """Zone-less stamps are of the source's zone, here Vienna."""
    assert read(text, zone="Europe/Vienna") == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Z", "11:25"), ("z", "11:25"), ("+01:00", "10:25"), ("+0100", "10:25"), ("-0430", "15:55"), ("+4:30", "06:55"),
        ("+04", "07:25"), (" Z-0100", "12:25"), (" UTC-01:00", "12:25"), (" GMT-0100", "12:25"), (" UTC", "11:25"),
        (" CET", "10:25"), (" CEST", "09:25"), (" EST", "16:25"), (" America/New_York", "15:25"), ("+00:00", "11:25"),
        ("", "08:25"),
    ],
)  # fmt: skip
def test_zones_are_read_in_every_spelling(zone: str, expected: str) -> None:
    assert read("2022-04-17T11:25:12.345" + zone, zone="+03:00") == f"2022-04-17T{expected}:12.345Z"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", "x", "now", "2026-13-01T00:00:00Z", "2026-00-10T00:00:00Z", "2026-02-30T00:00:00Z",
        "2027-02-29T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T23:60:00Z", "2026-11-23T23:59:61Z", "2026-11-23",
        "2026-11-23T19:59:58 Mars/Base", "2026-11-23T19:59:58+25:00", "2026-11-23T19:59:58.1234567890Z",
        "2026-11-23T19:59:58.Z", "2026-11-23T19:59:58Zx", "Foo 23 19:59:58", "Nov 31 10:00:00", "Nov 23 19:59",
        "13:00:00 PM", "11/23/2026 00:30:00 AM", "11/23/2026 13:30:00 PM", "-5", "999999999999999999999",
        "1969-12-31T23:59:59Z", "٢٠٢٦-١١-٢٣T١٩:٥٩:٥٨Z", "2026-11-23T19:59:58\n2026", "Xxx Nov 23 19:59:58 2026",
    ],
)  # fmt: skip
def test_nonsense_is_none(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("digits", range(10))
def test_fractions_of_any_length_are_cut_to_milliseconds(digits: int) -> None:
    fraction = "987654321"[:digits]
    text = "2026-11-23T19:59:58" + ("." + fraction if digits else "") + "Z"

    assert read(text) == f"2026-11-23T19:59:58.{fraction[:3]:0<3}Z"


@pytest.mark.parametrize(
    ("fraction", "milliseconds"),
    [(".25", "250"), (",25", "250"), (":250", "250"), (":25", "025"), (":7", "007"), (":250999", "250")],
)
def test_a_fraction_follows_a_point_or_a_comma_and_a_colon_a_number_of_milliseconds(
    fraction: str, milliseconds: str
) -> None:
    assert read(f"2026-11-23 19:59:58{fraction}", "%Y-%m-%d %H:%M:%S") == f"2026-11-23T19:59:58.{milliseconds}Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("14:00:00", "2026-11-24T14:00:00.000Z", id="earlier_on_the_day_of_the_last_writing"),
        pytest.param("15:00:30.5", "2026-11-24T15:00:30.500Z", id="a_clock_a_little_ahead"),
        pytest.param("15:02:00", "2026-11-23T15:02:00.000Z", id="later_than_the_last_writing_is_the_day_before"),
    ],
)
def test_a_mere_time_of_day_is_the_latest_that_the_file_can_hold(text: str, expected: str) -> None:
    near_ms = int(datetime(2026, 11, 24, 15, 0, tzinfo=UTC).timestamp() * 1000)

    stamp = StampReader(("%H:%M:%S",), "UTC").read(text, near_ms=near_ms, after_ms=None)

    assert stamp is not None
    assert (utc_text(stamp.ms), stamp.stable) == (expected, False)


@pytest.mark.parametrize(
    ("text", "format_", "expected"),
    [
        ("12:00:00 AM", "%I:%M:%S %p", "00:00:00"), ("12:30:00 PM", "%I:%M:%S %p", "12:30:00"),
        ("1:05:09 p.m.", "%I:%M:%S %p", "13:05:09"), ("11:59:59 pm", "%I:%M:%S %p", "23:59:59"),
    ],
)  # fmt: skip
def test_the_clock_of_twelve_hours(text: str, format_: str, expected: str) -> None:
    assert read("2026-11-23 " + text, "%Y-%m-%d " + format_) == f"2026-11-23T{expected}.000Z"


@pytest.mark.parametrize(
    ("year", "expected"), [("69", "1969"), ("70", "1970"), ("99", "1999"), ("00", "2000"), ("68", "2068")]
)
def test_years_of_two_digits_are_those_of_posix(year: str, expected: str) -> None:
    found = read(f"{year}/06/01 00:00:00", "%y/%m/%d %H:%M:%S")

    assert found == (None if expected == "1969" else f"{expected}-06-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("text", "near", "expected"),
    [
        pytest.param("Feb 29 23:59:59", "2028-03-01T00:00:05Z", "2028-02-29T23:59:59.000Z", id="leap_day"),
        pytest.param("Feb 29 23:59:59", "2027-03-01T00:00:05Z", "2024-02-29T23:59:59.000Z", id="leap_day_years_ago"),
        pytest.param("Dec 31 23:59:59", "2028-01-01T00:00:05Z", "2027-12-31T23:59:59.000Z", id="seen_after_new_year"),
        pytest.param("Jan 1 00:00:02", "2027-12-31T23:59:58Z", "2028-01-01T00:00:02.000Z", id="writer_clock_ahead"),
        pytest.param("Jan 3 00:00:00", "2027-12-31T23:59:58Z", "2027-01-03T00:00:00.000Z", id="not_after_the_file"),
        pytest.param("Nov 25 00:00:00", "2026-11-23T20:00:00Z", "2025-11-25T00:00:00.000Z", id="the_year_before"),
        pytest.param("Sun Nov 23 10:00:00", "2026-11-23T20:00:00Z", "2025-11-23T10:00:00.000Z", id="weekday_decides"),
        pytest.param(
            "Tue Feb 29 10:00:00", "2026-11-23T20:00:00Z", "2000-02-29T10:00:00.000Z", id="weekday_of_leap_day"
        ),
    ],
)
def test_a_missing_year_is_the_latest_not_after_the_file(text: str, near: str, expected: str) -> None:
    assert read(text, "rfc3164", "%a %b %d %H:%M:%S", near=near) == expected


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        pytest.param("02:30:00", None, "00:30:00", id="first_when_nothing_is_known"),
        pytest.param("02:30:00", "2026-10-25T00:20:00Z", "00:30:00", id="first_goes_on"),
        pytest.param("02:30:00", "2026-10-25T00:30:00Z", "00:30:00", id="the_same_instant_again"),
        pytest.param("02:30:00", "2026-10-25T00:59:59Z", "01:30:00", id="second_when_the_clock_was_put_back"),
        pytest.param("03:00:00", "2026-10-25T00:59:59Z", "02:00:00", id="after_it"),
        pytest.param("01:59:59", "2026-10-25T00:59:59Z", "23:59:59", id="before_it"),
    ],
)
def test_of_an_hour_that_comes_twice_the_order_of_lines_decides(text: str, after: str | None, expected: str) -> None:
    found = read("2026-10-25 " + text, zone="Europe/Vienna", after=after)

    assert found is not None
    assert found[11:19] == expected


def test_an_hour_that_is_left_out_is_read_as_if_the_clock_had_not_been_put_forward() -> None:
    assert read("2026-03-29 02:30:00", zone="Europe/Vienna") == "2026-03-29T01:30:00.000Z"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (100_000_000_000, "5138-11-16T09:46:40.000Z"), (100_000_000_001, "1973-03-03T09:46:40.001Z"),
        (100_000_000_000_000, "5138-11-16T09:46:40.000Z"), (100_000_000_000_001, "1973-03-03T09:46:40.000Z"),
        (9_999_999_999_999_999, "2286-11-20T17:46:39.999Z"), (10_000_000_000_000_000, "1970-04-26T17:46:40.000Z"),
        (0, "1970-01-01T00:00:00.000Z"), (1_795_463_998.25, "2026-11-23T19:59:58.250Z"),
        (1_795_463_998_250.0, "2026-11-23T19:59:58.250Z"),
    ],
)  # fmt: skip
def test_the_size_of_an_epoch_number_tells_its_unit(number: float, expected: str) -> None:
    found = epoch_ms(number)

    assert found is not None
    assert utc_text(found) == expected
    assert read(f"{number:.2f}" if isinstance(number, float) else str(number), "epoch") == expected


@pytest.mark.parametrize("number", [-1, -1.5, 1e308, -1e308, 10**30, 10**22])
def test_an_epoch_number_outside_of_our_calendar_is_none(number: float) -> None:
    assert epoch_ms(number) is None
    assert epoch_ms(253_402_300_800, 1) is None


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("epoch_s", "1795463998"), ("epoch_s", "1795463998.250"), ("epoch_ms", "1795463998250"), ("%s", "1795463998"),
        ("epoch_us", "1795463998250000"), ("epoch_ns", "1795463998250000000"), ("epoch_ms", "1795463998250.75"),
    ],
)  # fmt: skip
def test_a_named_epoch_has_its_unit_whatever_the_size(format_: str, text: str) -> None:
    assert read(text, format_) == ("2026-11-23T19:59:58.250Z" if "25" in text else "2026-11-23T19:59:58.000Z")
    assert read("5", "epoch_ms") == "1970-01-01T00:00:00.005Z"


def test_formats_are_tried_in_order() -> None:
    text = "05/06/2026 10:00:00"

    assert read(text, "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S") == "2026-06-05T10:00:00.000Z"
    assert read(text, "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S") == "2026-05-06T10:00:00.000Z"


INSTANTS = st.datetimes(datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2068-12-30"))


@given(
    moment=INSTANTS,
    zone=st.sampled_from(["UTC", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_what_was_written_with_an_offset_is_the_instant_again(moment: datetime, zone: str) -> None:
    written = moment.replace(tzinfo=ZoneInfo(zone))

    assert read(written.isoformat()) == utc_text(int(written.astimezone(UTC).timestamp() * 1000 // 1))


_WRITTEN = {
    "rfc3339": "%Y-%m-%dT%H:%M:%S", "rfc3164": "%b %d %H:%M:%S", "klog": "%m%d %H:%M:%S", "epoch": "%s",
    "%a %b %d %H:%M:%S.%f %Y": "%a %b %d %H:%M:%S.%f %Y", "%a %b %d %H:%M:%S %Z %Y": "%a %b %d %H:%M:%S UTC %Y",
}  # fmt: skip


@given(moment=INSTANTS, form=st.sampled_from(ALL))
def test_no_two_of_all_forms_read_a_text_differently(moment: datetime, form: str) -> None:
    """So the order in which they are tried, which changes with what was met, is never visible."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    text = moment.strftime(_WRITTEN.get(form, form)) if form != "epoch" else str(int(moment.timestamp()))

    readings = {read(text, other, near=moment.isoformat()) for other in ALL}

    assert readings - {None} == {utc_text(int(moment.timestamp()) * 1000)}


@given(text=st.text(max_size=30) | st.from_regex(r"\d{1,20}([.,:/ T-]\d{1,4}){0,8}(Z|[+-]\d\d:?\d\d)?", fullmatch=True))
def test_any_text_is_a_stamp_or_none_and_never_an_error(text: str) -> None:
    found = StampReader((), "Europe/Vienna").read(text, near_ms=ms(NEAR), after_ms=0)

    assert found is None or 0 <= found.fraction_start <= found.fraction_end <= len(text)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("", 0), ("UTC", 0), ("cet", 60), ("+01:00", 60), ("-0330", -210), ("UTC+2", 120), ("Asia/Tokyo", 540)],
)
def test_a_zone_is_a_name_an_abbreviation_or_an_offset(text: str, minutes: int) -> None:
    offset = zone_of(text).utcoffset(datetime.fromisoformat("2026-01-01"))

    assert offset is not None
    assert offset.total_seconds() == minutes * 60
    assert check_zone(text) is None


@pytest.mark.parametrize("text", ["Mars/Base", "+25:00", "../etc/passwd", "Europe", "+1:2:3", "\0"])
def test_a_zone_that_is_none_is_said_in_words(text: str) -> None:
    assert check_zone(text) is not None
