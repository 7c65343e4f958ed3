"""Time stamps as programs write them, to instants.

Pure: the modification time of the file and the stamp before are arguments.
Instants are milliseconds since 1970-01-01T00:00:00Z; fractions are cut, not
rounded. Sources: the reference page, sections 4.1 and 9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from shipper.core.stamp_formats import ALL, DAYS, EPOCH_DIVISORS, MONTHS, compile_format

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
DAY_MS: Final = 86_400_000
_AHEAD_MS: Final = 60_000  # a program's clock may be a little ahead of the file system's
_DATE_PARTS: Final = frozenset("Yymdba")
_OFFSET: Final = re.compile(r"(?:UTC|GMT|Z)?([+-])(\d\d?)(?::?(\d\d))?", re.IGNORECASE)

ABBREVIATIONS: Final = {
    "Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "MET": 60,
    "MEST": 120, "EET": 120, "EEST": 180, "MSK": 180, "IST": 330, "JST": 540, "KST": 540, "SGT": 480, "HKT": 480,
    "AWST": 480, "ACST": 570, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780, "BRT": -180, "ART": -180,
    "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360,
    "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600, "SAST": 120,
}  # fmt: skip
"""Minutes east of UTC; of several meanings, the one that most logs mean (CST: Chicago, IST: India)."""


class Stamp(NamedTuple):
    """A stamp that was read.

    Attributes:
        ms: The instant.
        fraction_start: Index of the fraction's separator in the text, or of its end where there is none.
        fraction_end: Index after the fraction's last digit.
        stable: The same text always means the same instant; False where the order of the lines decided.
    """

    ms: int
    fraction_start: int
    fraction_end: int
    stable: bool


def utc_text(ms: int) -> str:
    """Return *ms* as RFC 3339 in UTC with exactly three fraction digits."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")[:23] + "Z"


def fraction_text(digits: str, point: str) -> str:
    """Return the milliseconds of a fraction as three digits; behind a colon stands a number of them, zeros left out."""
    return digits[:3].rjust(3, "0") if point == ":" else digits[:3].ljust(3, "0")


def epoch_ms(value: float, divisor: int = 0) -> int | None:
    """Return the instant of an epoch number; without *divisor* (units a second) its size tells the unit.

    Source: OpenPipeline's thresholds, reference page section 4.1.
    """
    divisor = divisor or epoch_divisor(value)
    ms = int(value) * 1000 // divisor if divisor > 1 or isinstance(value, int) else int(value * 1000 // 1)
    return ms if 0 <= ms < 253_402_300_800_000 else None


def epoch_divisor(value: float) -> int:
    """Return the units a second of an epoch number, as its size tells."""
    size = abs(value)
    return 1 if size <= 1e11 else 10**3 if size <= 1e14 else 10**6 if size < 1e16 else 10**9


def check_format(text: str) -> str | None:
    """Return what is wrong with a format, in words; None when it can be used."""
    try:
        compile_format(text)
    except ValueError as error:
        return str(error)
    return None


def check_zone(text: str) -> str | None:
    """Return what is wrong with a zone, in words; None when it can be used."""
    try:
        zone_of(text)
    except ValueError as error:
        return str(error)
    return None


def zone_of(text: str) -> tzinfo:
    """Return the zone called *text*: an IANA name, an abbreviation or an offset; empty is UTC.

    Raises:
        ValueError: No such zone.
    """
    if not text:
        return UTC
    if text.upper() in ABBREVIATIONS:
        return timezone(timedelta(minutes=ABBREVIATIONS[text.upper()]))
    match = _OFFSET.fullmatch(text)
    if match:
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        if minutes >= 24 * 60:
            raise ValueError(f"offset {text!r} is over 24 hours")
        return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown time zone {text!r}; use an IANA name such as Europe/Vienna, or +01:00") from None


class StampReader:
    """Reads stamps of one source."""

    def __init__(self, formats: Sequence[str], zone: str) -> None:
        """Try *formats* in order (empty: all); *zone* is for stamps that name none (empty: UTC).

        Raises:
            ValueError: A format or the zone is unknown.
        """
        self.formats = tuple(formats) or ALL
        self._patterns = [(text, compile_format(text)) for text in self.formats]
        self._zone = zone_of(zone)
        self._zones: dict[str, tzinfo | None] = {}
        self.last_format = ""

    def read(self, text: str, *, near_ms: int, after_ms: int | None) -> Stamp | None:
        """Return the stamp that *text* is; None when it is none.

        Args:
            text: The whole stamp; blanks around it do not matter.
            near_ms: Modification time of the file. A stamp without a year is the latest that is not more than a day
                after it; a weekday decides where there is one. A mere time of day is the latest that is not after it.
            after_ms: The stamp before in this file: of two instants with the same local time (the clock was put
                back) the second is meant when the first would go back in time.
        """
        lead = len(text) - len(text.lstrip())
        bare = text.strip()
        for turn, (name, pattern) in enumerate(self._patterns):
            match = pattern.fullmatch(bare)
            if match is None:
                continue
            stamp = self._build(match, name, near_ms, after_ms)
            if stamp is None:
                continue
            if turn and len(self._patterns) > 1 and self.formats is ALL:
                self._patterns.insert(0, self._patterns.pop(turn))  # the next one is most likely written alike
            self.last_format = name
            return (
                stamp
                if not lead
                else stamp._replace(fraction_start=stamp.fraction_start + lead, fraction_end=stamp.fraction_end + lead)
            )
        return None

    def _build(self, match: re.Match[str], name: str, near_ms: int, after_ms: int | None) -> Stamp | None:
        part = match.groupdict()
        if part.get("epoch") is not None:
            return _epoch_stamp(match, EPOCH_DIVISORS.get(name, 1))
        digits = part.get("f") or ""
        if digits:
            start, end = match.start("point" if part.get("point") else "f"), match.end("f")
        else:
            start = end = match.end("S") if "S" in part else match.end()
        fraction = int(fraction_text(digits, part.get("point") or "")) if digits else 0
        zone = self._zone_named(part.get("zone"))
        if zone is None:
            return None
        seconds = _seconds_of_day(part)
        if seconds is None:
            return None
        if not _DATE_PARTS.intersection(part):
            found = _latest(seconds, zone, near_ms, fraction)
        else:
            day = _day(part, near_ms)
            found = None if day is None else _instant(day, seconds, zone, after_ms, fraction)
        return None if found is None else Stamp(found[0], start, end, found[1])

    def _zone_named(self, text: str | None) -> tzinfo | None:
        if not text:
            return self._zone
        if text not in self._zones:
            if len(self._zones) > 1000:
                self._zones.clear()
            try:
                self._zones[text] = _minutes_of(text) or zone_of(text)
            except ValueError:
                self._zones[text] = None
        return self._zones[text]


def _minutes_of(text: str) -> tzinfo | None:
    """Return the zone of an offset that Db2 wrote: three digits are minutes."""
    if len(text) != 4 or text[0] not in "+-" or not text[1:].isdigit():
        return None
    return timezone(timedelta(minutes=int(text)))


def _epoch_stamp(match: re.Match[str], divisor: int) -> Stamp | None:
    """Return the stamp of an epoch number; of one in parts of a second, the last digits are the fraction."""
    number = int(match["epoch"])
    divisor = divisor or epoch_divisor(number)
    ms = epoch_ms(number, divisor)
    if ms is None:
        return None
    digits = match.groupdict().get("f") or ""
    if divisor == 1 and digits:
        ms += int(digits[:3].ljust(3, "0"))
    start = match.end("epoch") - (len(str(divisor)) - 1)
    return Stamp(ms, max(start, match.start()), match.end(), start > match.start())


def _seconds_of_day(part: dict[str, str | None]) -> int | None:
    hour = int(part.get("H") or part.get("I") or 0)
    minute, second = int(part.get("M") or 0), int(part.get("S") or 0)
    half = (part.get("p") or "").lower().replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    return hour * 3600 + minute * 60 + second


def _day(part: dict[str, str | None], near_ms: int) -> int | None:
    """Return the day as days since 1970; for one without a year, the latest not after *near_ms* by more than a day."""
    month = int(part["m"] or 0) if part.get("m") else MONTHS.get((part.get("b") or "").lower(), 0)
    day = int(part.get("d") or 1)
    year_text = part.get("Y")
    weekday = part.get("a")
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return None
    if weekday and weekday.lower() not in DAYS:
        return None
    if year_text:
        return _ordinal(int(year_text), month, day)
    if part.get("y"):
        short = int(part["y"] or 0)
        return _ordinal(short + (1900 if short >= 69 else 2000), month, day)
    latest = near_ms // DAY_MS + 1
    year = (_EPOCH + timedelta(days=latest)).year
    for candidate in range(year, year - 30, -1):
        days = _ordinal(candidate, month, day)
        if days is None or days > latest:
            continue
        if weekday is None or (days + 3) % 7 == DAYS[weekday.lower()]:
            return days
    return None


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


def _latest(seconds: int, zone: tzinfo, near_ms: int, fraction: int) -> tuple[int, bool] | None:
    """Return the latest instant with this time of day that the file can have been written at.

    Unstable: the same text is another day's once the file was modified later.
    """
    for day in range(near_ms // DAY_MS + 1, near_ms // DAY_MS - 3, -1):
        found = _instant(day, seconds, zone, None, fraction)
        if found is not None and found[0] <= near_ms + _AHEAD_MS:
            return found[0], False
    return None


def _instant(day: int, seconds: int, zone: tzinfo, after_ms: int | None, fraction: int) -> tuple[int, bool] | None:
    local = datetime(1970, 1, 1) + timedelta(days=day, seconds=seconds)  # noqa: DTZ001 -- the zone is applied below
    stable = True
    offset = zone.utcoffset(local)
    if offset is None:
        return None
    base = (day * 86_400 + seconds) * 1000 + fraction
    ms = base - int(offset.total_seconds() * 1000)
    if isinstance(zone, ZoneInfo):
        later = zone.utcoffset(local.replace(fold=1))
        if later is not None and later < offset:  # the clock is put back: this local time comes twice
            stable = False
            if after_ms is not None and ms < after_ms:
                ms = base - int(later.total_seconds() * 1000)
    return (ms, stable) if ms >= 0 else None
