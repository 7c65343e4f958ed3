"""Instants as clients write them, to milliseconds since 1970 UTC.

Source: the reference page, section 4.1: epoch numbers (also as text), RFC
3339 with 0 to 9 digits of fraction, RFC 3164. What has no zone is UTC. The
unit of a number is guessed by its size, at OpenPipeline's thresholds.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime
from functools import lru_cache
from math import floor
from typing import Final

_SECONDS_UP_TO: Final = 100_000_000_000
_MILLISECONDS_UP_TO: Final = 100_000_000_000_000
_MICROSECONDS_UP_TO: Final = 9_999_999_999_999_999
_DAY_MS: Final = 86_400_000
# Any number past this is as much "in the future" as this one; it keeps sums in 64 bits.
_FARTHEST_MS: Final = 1 << 53

_RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_RFC_3164: Final = re.compile(r"([A-Za-z]{3}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?", re.ASCII)
_NUMBER: Final = re.compile(r"(\d{1,30})(?:\.(\d{1,30}))?", re.ASCII)
_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_MONTHS: Final = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip


def instant_of(value: object, now_ms: int) -> int | None:
    """Return the instant that *value* names, or None when it names none.

    Args:
        value: A JSON value.
        now_ms: The current time: an RFC 3164 stamp has no year.
    """
    if type(value) is str:
        # The form that our own agent sends, and most others: worth a way of its own.
        if len(value) == 24 and value[19] == "." and value[23] == "Z":
            second = second_ms(value[:19])
            fraction = value[20:23]
            if second is not None and fraction.isdecimal() and fraction.isascii():
                return second + int(fraction)
        return _text(value.strip(), now_ms)
    if type(value) is int:
        return _epoch(value, 0)
    if type(value) is float:
        # To the microsecond first: 1765281600.123 is 1765281600.1229999 in binary.
        whole = floor(value)
        return _epoch(whole, min(round((value - whole) * 1_000_000), 999_999))
    return None


@lru_cache(maxsize=8192)
def second_ms(text: str) -> int | None:
    """Return the instant of ``2026-02-22T21:28:59``, UTC, or None when there is no such second.

    A leap second is the one that follows it.
    """
    if _SECOND.fullmatch(text) is None:
        return None
    leap = text.endswith(":60")
    try:
        moment = datetime.strptime(text[:17] + "59" if leap else text, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - UTC by rule
    except ValueError:
        return None
    return (timegm(moment.timetuple()) + leap) * 1000


def _epoch(whole: int, micros: int) -> int | None:
    """Return the instant of a number, *micros* being millionths of its unit; a negative one names none."""
    if whole < 0:
        return None
    if whole <= _SECONDS_UP_TO:
        return whole * 1000 + micros // 1000
    if whole <= _MILLISECONDS_UP_TO:
        return whole
    if whole <= _MICROSECONDS_UP_TO:
        return whole // 1000
    return min(whole // 1_000_000, _FARTHEST_MS)


def _text(text: str, now_ms: int) -> int | None:
    number = _NUMBER.fullmatch(text)
    if number is not None:
        return _epoch(int(number[1]), int((number[2] or "").ljust(6, "0")[:6]))
    stamp = _RFC_3339.fullmatch(text)
    if stamp is not None:
        return _rfc_3339(stamp)
    stamp = _RFC_3164.fullmatch(text)
    return None if stamp is None else _rfc_3164(stamp, now_ms)


def _rfc_3339(stamp: re.Match[str]) -> int | None:
    second = second_ms(f"{stamp[1]}T{stamp[2]}")
    if second is None:
        return None
    offset_minutes = 0
    if stamp[5]:
        hours, minutes = int(stamp[6]), int(stamp[7])
        if hours > 23 or minutes > 59:
            return None
        offset_minutes = (hours * 60 + minutes) * (-1 if stamp[5] == "-" else 1)
    return second + _millis(stamp[3]) - offset_minutes * 60_000


def _rfc_3164(stamp: re.Match[str], now_ms: int) -> int | None:
    """Return the instant in the current year, or in the previous one if that is in the future.

    A clock or zone ahead of ours is not another year: "the future" begins a
    day from now, and a stamp of tomorrow may be in the next year.
    """
    month = _MONTHS.get(stamp[1].lower())
    if month is None:
        return None
    this_year = datetime.fromtimestamp(now_ms / 1000, tz=UTC).year
    for year in (this_year + 1, this_year, this_year - 1):
        second = second_ms(f"{year:04}-{month:02}-{int(stamp[2]):02}T{stamp[3]}:{stamp[4]}:{stamp[5]}")
        if second is not None and second <= now_ms + _DAY_MS:
            return second + _millis(stamp[6])
    return None


def _millis(fraction: str | None) -> int:
    return int(fraction.ljust(3, "0")[:3]) if fraction else 0
