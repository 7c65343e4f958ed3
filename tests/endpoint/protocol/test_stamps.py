"""The instants of section 4.1."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.endpoint.protocol import instant_of, rfc_3339
from tests.endpoint.protocol.asking import NOW_MS, own_attributes, record_of, warnings_of

SECOND = 1_765_281_600  # 2025-12-09T12:00:00Z


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(SECOND, SECOND * 1000, id="seconds"),
        pytest.param(SECOND * 1000 + 7, SECOND * 1000 + 7, id="milliseconds"),
        pytest.param(SECOND * 1_000_000 + 7999, SECOND * 1000 + 7, id="microseconds"),
        pytest.param(SECOND * 1_000_000_000 + 7_999_999, SECOND * 1000 + 7, id="nanoseconds"),
        pytest.param(f"{SECOND}", SECOND * 1000, id="seconds_as_text"),
        pytest.param(f"{SECOND}007", SECOND * 1000 + 7, id="milliseconds_as_text"),
        pytest.param(f" {SECOND} ", SECOND * 1000, id="blanks_around"),
        pytest.param(100_000_000_000, 100_000_000_000_000, id="the_last_seconds"),
        pytest.param(100_000_000_001, 100_000_000_001, id="the_first_milliseconds"),
        pytest.param(100_000_000_000_000, 100_000_000_000_000, id="the_last_milliseconds"),
        pytest.param(100_000_000_000_001, 100_000_000_000, id="the_first_microseconds"),
        pytest.param(9_999_999_999_999_999, 9_999_999_999_999, id="the_last_microseconds"),
        pytest.param(10_000_000_000_000_000, 10_000_000_000, id="the_first_nanoseconds"),
        pytest.param(SECOND + 0.123, SECOND * 1000 + 123, id="fractional_seconds"),
        pytest.param(f"{SECOND}.123999", SECOND * 1000 + 123, id="fractional_seconds_as_text"),
        pytest.param(float(SECOND * 1000) + 0.5, SECOND * 1000, id="fractional_milliseconds"),
        pytest.param(10**40, 1 << 53, id="beyond_all"),
        pytest.param(0, 0, id="the_epoch"),
    ],
)
def test_the_unit_of_a_number_is_known_by_its_size(value: object, expected: int) -> None:
    assert instant_of(value, NOW_MS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2025-12-09T12:00:00.007Z", SECOND * 1000 + 7, id="three_digits"),
        pytest.param("2025-12-09T12:00:00Z", SECOND * 1000, id="no_fraction"),
        pytest.param("2025-12-09T12:00:00.0000", SECOND * 1000, id="four_digits_and_no_zone"),
        pytest.param("2025-12-09T12:00:00.0", SECOND * 1000, id="one_digit"),
        pytest.param("2025-12-09T12:00:00.007999", SECOND * 1000 + 7, id="six_digits_as_python_writes"),
        pytest.param("2025-12-09T12:00:00.007999999Z", SECOND * 1000 + 7, id="nine_digits"),
        pytest.param("2025-12-09T12:00:00", SECOND * 1000, id="no_zone_is_utc"),
        pytest.param("2025-12-09T13:30:00.5+01:30", SECOND * 1000 + 500, id="east"),
        pytest.param("2025-12-09T04:00:00-08:00", SECOND * 1000, id="west"),
        pytest.param("2025-12-09T13:00:00+0100", SECOND * 1000, id="zone_without_colon"),
        pytest.param("2025-12-09 12:00:00,007z", SECOND * 1000 + 7, id="blank_and_comma_and_small_z"),
        pytest.param("2025-12-09t12:00:00Z", SECOND * 1000, id="small_t"),
        pytest.param("2016-12-31T23:59:60Z", 1_483_228_800_000, id="leap_second"),
        pytest.param("2028-02-29T00:00:00Z", 1_835_395_200_000, id="leap_day"),
    ],
)
def test_rfc_3339_has_up_to_nine_digits_and_any_zone(text: str, expected: int) -> None:
    assert instant_of(text, NOW_MS) == expected


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        pytest.param("Apr 17 11:25:12", "2026-04-18T00:00:00Z", "2026-04-17T11:25:12Z", id="this_year"),
        pytest.param("Apr  7 11:25:12", "2026-04-18T00:00:00Z", "2026-04-07T11:25:12Z", id="blank_for_a_digit"),
        pytest.param("apr 17 11:25:12.345", "2026-04-18T00:00:00Z", "2026-04-17T11:25:12.345Z", id="fraction"),
        pytest.param("Dec 31 23:59:59", "2027-01-01T00:00:05Z", "2026-12-31T23:59:59Z", id="seen_after_new_year"),
        pytest.param("Apr 20 00:00:01", "2026-04-18T00:00:00Z", "2025-04-20T00:00:01Z", id="in_the_future"),
        pytest.param("Apr 18 02:00:00", "2026-04-18T00:00:00Z", "2026-04-18T02:00:00Z", id="a_zone_ahead_of_utc"),
        pytest.param("Jan  1 00:00:02", "2026-12-31T23:59:58Z", "2027-01-01T00:00:02Z", id="clock_ahead_at_new_year"),
        pytest.param("Feb 29 23:59:59", "2028-03-01T00:00:05Z", "2028-02-29T23:59:59Z", id="leap_day"),
    ],
)
def test_rfc_3164_is_of_this_year_or_of_the_last(text: str, now: str, expected: str) -> None:
    assert instant_of(text, _ms(now)) == _ms(expected)


@pytest.mark.parametrize(
    "value",
    [
        "", "yesterday",
        "2026-02-30T00:00:00Z", "2026-02-22T24:00:00Z", "2026-02-22T21:28:59.1234567890Z",
        -1, "-1", "2026-02-22T21:28:59+25:00", "Foo 17 11:25:12", "Feb 29 11:25:12", True, ["1"], {"a": 1},
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-02-22T21:28:59.169Z", "2026-02-22T21:28:59.١٦٩Z", "2026-02-22T21:28:59.1²9Z", "1e9", "2026-02-22",
    ],
    ids=repr,
)  # fmt: skip
def test_what_names_no_instant_is_known(value: object) -> None:
    assert instant_of(value, NOW_MS) is None


@given(
    moment=st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30)),  # noqa: DTZ001 - the zone is added below
    digits=st.integers(0, 9),
    minutes=st.integers(-1439, 1439),
    mark=st.sampled_from("Tt "),
)
def test_any_rfc_3339_stamp_is_read_back(moment: datetime, digits: int, minutes: int, mark: str) -> None:
    there = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    fraction = f"{moment.microsecond:06}789"[:digits]
    text = there.strftime(f"%Y-%m-%d{mark}%H:%M:%S").rjust(19, "0") + (f".{fraction}" if fraction else "")
    text += f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"

    expected = round(there.timestamp()) * 1000 + int(fraction[:3].ljust(3, "0"))
    assert instant_of(text, NOW_MS) == expected


@given(instant=st.integers(0, 253_402_300_799_999))
def test_what_we_write_we_read(instant: int) -> None:
    assert instant_of(rfc_3339(instant), NOW_MS) == instant


def test_a_missing_stamp_is_the_time_of_receipt() -> None:
    assert record_of({"content": "x"}).timestamp_ms == NOW_MS
    assert record_of({"content": "x", "timestamp": None}).timestamp_ms == NOW_MS


@pytest.mark.parametrize(("stamp", "text"), [("yesterday", "yesterday"), (["a", 1], '["a",1]'), (True, "true")])
def test_an_unparsable_stamp_is_kept_as_text(stamp: object, text: str) -> None:
    record = record_of({"content": "x", "@timestamp": stamp})

    assert record.timestamp_ms == NOW_MS
    assert own_attributes(record) == {"unparsed_timestamp": text}


def test_a_stamp_over_ten_minutes_ahead_is_replaced_by_now_with_a_warning() -> None:
    record = record_of({"content": "x", "timestamp": NOW_MS + 600_001})

    assert record.timestamp_ms == NOW_MS
    assert warnings_of(record) == ["timestamp_corrected"]


def test_a_stamp_up_to_ten_minutes_ahead_is_kept() -> None:
    record = record_of({"content": "x", "timestamp": NOW_MS + 600_000})

    assert record.timestamp_ms == NOW_MS + 600_000
    assert warnings_of(record) is None


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
