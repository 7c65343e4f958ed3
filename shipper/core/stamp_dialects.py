"""How others write the layout of a time: Go's reference time, the letters of Java, .NET and moment.js, other names.

For what is translated from other shippers' configurations, and for the message
that a format of another language is answered with.
"""

from __future__ import annotations

import re
from typing import Final

_GO: Final = {
    "2006": "%Y", "January": "%B", "Jan": "%b", "Monday": "%A", "Mon": "%a", "01": "%m", "02": "%d", "_2": "%d",
    "15": "%H", "04": "%M", "05": "%S", "03": "%I", "PM": "%p", "Z07:00": "%z", "-07:00": "%z", "-0700": "%z",
    "MST": "%Z", "06": "%y", ".000000000": ".%f", ".000000": ".%f", ".000": ".%f", ",000": ",%f",
    # Digits that may be missing: %S takes them.
    ".999999999": "", ".999999": "", ".999": "", ",999": "",
}  # fmt: skip
_GO_PARTS: Final = re.compile("|".join(map(re.escape, sorted(_GO, key=len, reverse=True))))
_LETTERS: Final = {
    "yyyy": "%Y", "YYYY": "%Y", "uuuu": "%Y", "yy": "%y", "YY": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m",
    "dd": "%d", "DD": "%d", "d": "%d", "D": "%d", "EEEE": "%A", "EEE": "%a", "E": "%a", "ddd": "%a", "HH": "%H",
    "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "a": "%p", "A": "%p", "tt": "%p", "'T'": "T",
    **{letter * count: "%f" for letter in "SfF" for count in range(1, 10)},
    **dict.fromkeys(("Z", "ZZ", "ZZZ", "X", "XX", "XXX", "x", "xxx", "z", "zzz", "K"), "%z"),
}  # fmt: skip
_RUN_OF_LETTERS: Final = re.compile(r"'T'|([A-Za-z])\1*")
_NAMES: Final = {
    name: meant
    for meant, names in {
        "rfc3339": "rfc3339 rfc3339nano rfc5424 iso iso8601 dateiso8601 strictdateoptionaltime",
        "rfc3164": "rfc3164 syslog bsd",
        "epoch_s": "epochs epochsecond epochseconds unix unixs unixtime unixtimestamp seconds",
        "epoch_ms": "epochms epochmillis epochmilliseconds unixms millis milliseconds",
        "epoch_us": "epochus epochmicros unixus micros",
        "epoch_ns": "epochns epochnanos unixns nanos",
    }.items()
    for name in names.split()
}
_TWO_LETTERS: Final = re.compile(r"[A-Za-z]{2}")
_DIRECTIVE: Final = re.compile("%[A-Za-z]")


def go_layout(text: str) -> str:
    """Return a layout of Go's time package as strptime text."""
    return _GO_PARTS.sub(lambda part: _GO[part[0]], text)


def in_strptime(text: str) -> str | None:
    """Return what *text* means in another language, as strptime text or the name that it has here; None for nothing."""
    name = _NAMES.get("".join(filter(str.isalnum, text)).lower())
    if name is not None:
        return name
    letters = _RUN_OF_LETTERS.sub(lambda run: _LETTERS.get(run[0], run[0]), text)
    for written in (go_layout(text), letters):
        if written != text and written.count("%") > 1 and not _TWO_LETTERS.search(_DIRECTIVE.sub("", written)):
            return written
    return None
