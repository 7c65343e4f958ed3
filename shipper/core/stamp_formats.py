"""Layouts of time stamps, compiled to patterns whose groups say which part is which.

A format is strptime text, or one of the named layouts. Names of months and
days are English whatever the locale, because log files are.
"""

from __future__ import annotations

import re
from typing import Final

from shipper.core.stamp_dialects import in_strptime

MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"), 1,
    )
    for name in names.split()
}  # fmt: skip
DAYS: Final = {
    name: number
    for number, names in enumerate(
        ("mon monday", "tue tues tuesday", "wed wednesday", "thu thur thurs thursday", "fri friday",
         "sat saturday", "sun sunday"),
    )
    for name in names.split()
}  # fmt: skip

_ZONE: Final = r"(?P<zone>[Zz]|(?:UTC|GMT|Z)?[+-]\d\d?(?::?\d\d)?|[A-Za-z]{2,5}|[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)"
_FRACTION: Final = r"(?P<point>[.,:])(?P<f>\d{1,9})"
_TIME: Final = rf"(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)(?:{_FRACTION})?"
_DIRECTIVES: Final = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d\d)", "m": r"(?P<m>\d\d?)", "d": r"(?P<d>[ \d]?\d)", "e": r"(?P<d>[ \d]?\d)",
    "H": r"(?P<H>[ \d]?\d)", "I": r"(?P<I>[ \d]?\d)", "M": r"(?P<M>\d\d)", "S": r"(?P<S>\d\d)",
    "b": r"(?P<b>[A-Za-z]{3,9})", "B": r"(?P<b>[A-Za-z]{3,9})", "h": r"(?P<b>[A-Za-z]{3,9})",
    "a": r"(?P<a>[A-Za-z]{3,9})", "A": r"(?P<a>[A-Za-z]{3,9})", "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "f": r"(?P<f>\d{1,9})", "z": _ZONE, "Z": _ZONE, "T": r"(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)",
    "F": r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)", "D": r"(?P<m>\d\d)/(?P<d>\d\d)/(?P<y>\d\d)",
    "s": r"(?P<epoch>\d{1,12})", "%": "%", "n": r"\s", "t": r"\s",
}  # fmt: skip

EPOCH_DIVISORS: Final = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9, "epoch": 0}
NAMED: Final = {
    "rfc3339": rf"(?P<Y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)[Tt ]{_TIME} ?{_ZONE}?",
    "rfc3164": rf"(?P<b>[A-Za-z]{{3}}) {{1,2}}(?P<d>\d\d?)(?: (?P<Y>\d{{4}}))? {_TIME}(?: {_ZONE})?",
    "klog": rf"[IWEF]?(?P<m>\d\d)(?P<d>\d\d) {_TIME}(?: ?{_ZONE})?",
    **dict.fromkeys(EPOCH_DIVISORS, r"(?P<epoch>-?\d{1,20})(?:(?P<point>\.)(?P<f>\d{1,9}))?"),
}

ALL: Final = (
    "rfc3339",
    "rfc3164",
    "%d/%b/%Y:%H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d-%H.%M.%S",
    "%m/%d/%Y, %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%Y %b %d %H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S.%f %Y",
    "%a %b %d %H:%M:%S %Z %Y",
    "%a, %d %b %Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%b %d %Y %H:%M:%S",
    "%d %b %H:%M:%S",
    "%y/%m/%d %H:%M:%S",
    "%y%m%d %H:%M:%S",
    "klog",
    "%m-%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M:%S",
    "%Y%m%d %H:%M:%S",
    "%Y%m%dT%H%M%S",
    "epoch",
)
"""Every layout that the reference page's tables name, the surest first."""


_PIECES: Final = re.compile(r"%.?|.", re.DOTALL)
_NUMBERS: Final = frozenset("YymdeHIMSfs")
_TWO_DIGITS: Final = frozenset("mdeHI")


def compile_format(text: str) -> re.Pattern[str]:
    """Return the pattern for a format; it matches a whole stamp.

    Raises:
        ValueError: An unknown directive, or one part twice.
    """
    if text in NAMED:
        return re.compile(NAMED[text], re.ASCII)
    pieces: list[str] = _PIECES.findall(text)
    unknown = next((piece for piece in pieces if piece[0] == "%" and piece[1:] not in _DIRECTIVES), None)
    if unknown is not None:
        raise ValueError(
            f"unknown directive {unknown!r} in time format {text!r}; they are strptime's, a fraction is %f, a zone %z"
        )
    if not any(piece[0] == "%" and piece not in ("%%", "%n", "%t") for piece in pieces):
        raise ValueError(f"time format {text!r} has no part of a time in it; {_mend(text)}")
    around = zip(("", *pieces), pieces, (*pieces[1:], ""), strict=False)
    pattern = "".join(_piece(piece, {before[1:], after[1:]}) for before, piece, after in around)
    if "(?P<f>" in pattern:
        pattern = re.sub(
            r"(\\\.|,|:)\(\?P<f>\\d\{1,9\}\)",
            lambda m: f"(?P<point>{m[1]})(?P<f>\\\\d{{1,9}})".replace("\\\\", "\\"),
            pattern,
        )
    elif "(?P<S>" in pattern:
        pattern = pattern.replace(r"(?P<S>\d\d)", rf"(?P<S>\d\d)(?:{_FRACTION})?")
    if "(?P<zone>" not in pattern and "(?P<epoch>" not in pattern:
        pattern += rf"(?: ?{_ZONE})?"
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise ValueError(f"time format {text!r}: {error}") from None


def _mend(text: str) -> str:
    meant = in_strptime(text)
    if meant is not None:
        return f"did you mean {meant!r}?"
    return f"write strptime's directives, such as '%Y-%m-%d %H:%M:%S', or one of {', '.join(NAMED)}"


def _piece(piece: str, around: set[str]) -> str:
    if piece[0] != "%":
        return r"\s{1,2}" if piece.isspace() else re.escape(piece)
    # Where no sign parts two numbers, only their widths do.
    if piece[1] in _TWO_DIGITS and around & _NUMBERS:
        return rf"(?P<{piece[1].replace('e', 'd')}>\d\d)"
    return _DIRECTIVES[piece[1]]
