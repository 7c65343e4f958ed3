"""Durations and sizes as agent.yaml writes them: `500ms`, `1h30m`, `7d`; `65536`, `64KiB`, `1.5MiB`.

Owns the two grammars, both ways. Sizes are 1024-based; `KB` and `MB` are refused
because readers disagree on what they mean. Names and meanings: the spec page.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_SECONDS: Final = {
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
_BYTES: Final = {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
_BYTES_BY_LOWER: Final = {unit.lower(): factor for unit, factor in _BYTES.items()}

_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])", re.ASCII)
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+", re.ASCII)
_SIZE: Final = re.compile(r"(\d[\d_]*(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)

DURATION_PATTERN: Final = r"^((\d+(\.\d+)?(ms|[dhms]))+|0)$"
SIZE_PATTERN: Final = r"^\d[\d_]*(\.\d+)?\s*([KkMmGgTt][Ii])?[Bb]?$"


def duration_seconds(text: str) -> float:
    """Return the seconds that *text* names; a plain `0` needs no unit.

    Raises:
        ValueError: the text is no duration; the message says how to write one.
    """
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; write one such as 500ms, 2s, 5m, 24h or 7d")
    return float(sum(Decimal(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text)))


def duration_text(seconds: float) -> str:
    """Return *seconds*, cut to whole milliseconds, in the largest units that keep it exact."""
    left_ms = round(seconds * 1000)
    if left_ms == 0:
        return "0s"
    parts = []
    for unit, factor in _SECONDS.items():
        count, left_ms = divmod(left_ms, int(factor * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def size_bytes(text: str) -> int:
    """Return the bytes that *text* names.

    Raises:
        ValueError: the text is no size; the message says how to write one.
    """
    match = _SIZE.fullmatch(text)
    factor = _BYTES_BY_LOWER.get(match[2].lower() or "b") if match else None
    if match is None or factor is None:
        raise ValueError(f"{text!r} is no size; write one such as 65536, 64KiB or 1MiB (1024-based)")
    size = Decimal(match[1].replace("_", "")) * factor
    if size != int(size):
        raise ValueError(f"{text!r} is no whole number of bytes")
    return int(size)


def size_text(size: int) -> str:
    """Return *size* bytes in the largest unit that keeps it a whole number."""
    for unit, factor in _BYTES.items():
        if factor > 1 and size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
