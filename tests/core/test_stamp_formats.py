"""A format is strptime text or a name, and compiles to the pattern of a whole stamp."""

from __future__ import annotations

import pytest

from shipper.core.stamp_dialects import in_strptime
from shipper.core.stamp_formats import ALL, DAYS, MONTHS, NAMED, compile_format
from shipper.core.timestamps import check_format


@pytest.mark.parametrize(
    "text", [*ALL, *NAMED, "%F %T", "%D %T", "%e. %B %Y %H:%M:%S %Z", "%%%s", "%Y%n%m%t%d %H:%M:%S"]
)
def test_every_known_form_compiles(text: str) -> None:
    assert check_format(text) is None


@pytest.mark.parametrize("text", ["%Q", "%", "%Y-%Y", "%H:%M:%S %T", "%d %e", "%z %Z", "rfc3339%", "%%", "x"])
def test_what_is_wrong_with_a_format_is_said(text: str) -> None:
    said = check_format(text)

    assert said is not None
    assert repr(text) in said


@pytest.mark.parametrize(
    ("format_", "text", "parts"),
    [
        ("%m%d %H:%M:%S", "1112 10:00:00", {"m": "11", "d": "12"}),
        ("%y%m%d %H:%M:%S", "260102 10:00:00", {"y": "26", "m": "01", "d": "02"}),
        ("%Y%m%d%H%M%S%f", "20260102030405123", {"Y": "2026", "m": "01", "d": "02", "H": "03", "S": "05", "f": "123"}),
        ("%m/%d %H:%M:%S", "1/2 3:04:05", {"m": "1", "d": "2", "H": "3"}),
        ("%b %e %H:%M:%S", "Jan  2  3:04:05", {"b": "Jan", "d": "2", "H": "3"}),
        ("%d.%m.%Y %H.%M.%S,%f", "02.01.2026 03.04.05,5", {"point": ",", "f": "5"}),
        ("%H:%M:%S", "03:04:05.5 +01:00", {"point": ".", "f": "5", "zone": "+01:00"}),
        ("(%H:%M:%S)*", "(03:04:05)*", {"H": "03"}),
        ("%I:%M:%S %p", "3:04:05 p.m.", {"I": "3", "p": "p.m."}),
    ],
)  # fmt: skip
def test_parts_are_found_where_they_stand(format_: str, text: str, parts: dict[str, str]) -> None:
    match = compile_format(format_).fullmatch(text)

    assert match is not None
    assert {name: match[name] for name in parts} == parts


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("%m%d %H:%M:%S", "112 10:00:00"), ("%H:%M:%S,%f", "03:04:05.5"), ("%H:%M:%S,%f", "03:04:05"),
        ("%Y-%m-%d %H:%M:%S", "2026-01-02T03:04:05"), ("%s", "1" * 13), ("rfc3164", "Jan   2 03:04:05"),
        ("%d", "٢"), ("%H.%M", "03:04"),
    ],
)  # fmt: skip
def test_what_is_not_written_so_does_not_match(format_: str, text: str) -> None:
    assert compile_format(format_).fullmatch(text) is None


def test_names_of_months_and_days_are_english_short_and_long() -> None:
    assert [MONTHS[name] for name in ("jan", "march", "may", "sept", "december")] == [1, 3, 5, 9, 12]
    assert [DAYS[name] for name in ("mon", "tues", "thursday", "sun")] == [0, 1, 3, 6]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "%Y-%m-%dT%H:%M:%S.%f%z"), ("DD.MM.YY HH:mm", "%d.%m.%y %H:%M"),
        ("MMM d, yyyy h:mm:ss a", "%b %d, %Y %I:%M:%S %p"), ("Jan _2 15:04:05", "%b %d %H:%M:%S"),
        ("2006-01-02 15:04:05.999", "%Y-%m-%d %H:%M:%S"), ("ISO8601", "rfc3339"), ("UNIX_MS", "epoch_ms"),
        ("Message", None), ("12-30", None), ("%Y", None),
    ],
)  # fmt: skip
def test_what_others_write_is_said_in_strptime(text: str, meant: str | None) -> None:
    assert in_strptime(text) == meant
    assert meant is None or check_format(meant) is None
