"""Sizes and durations as the command line writes them: `65536`, `64KiB`, `1GiB`; `500ms`, `30s`, `7d`."""

from __future__ import annotations

import re
from typing import Final

_BYTES: Final = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def size_bytes(text: str) -> int:
    """Return the bytes that *text* names (1024-based).

    Raises:
        ValueError: it is no size; the message says how to write one.
    """
    match = re.fullmatch(r"(\d{1,15})\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _BYTES:
        raise ValueError(f"{text!r} is no size; write one such as 65536, 64KiB or 1GiB (1024-based)")
    return int(match[1]) * _BYTES[match[2]]


def duration_ms(text: str) -> int:
    """Return the milliseconds that *text* names.

    Raises:
        ValueError: it is no duration; the message says how to write one.
    """
    match = re.fullmatch(r"(\d{1,12})(ms|[smhd])", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; write one such as 500ms, 30s, 5m, 24h or 7d")
    return int(match[1]) * _MS[match[2]]
