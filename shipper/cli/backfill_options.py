"""What the options of `shipper backfill` mean: instants, rates, windows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from shipper.config.units import duration_seconds, size_bytes
from shipper.errors import UsageError

_EPOCH: Final = re.compile(r"\d{10}(?:\d{3})?")
_RATE: Final = re.compile(r"([\d_.]+)\s*([A-Za-z]*)(?:/s)?")


def instant_ms(option: str, text: str, now_ms: int, zone: str) -> int:
    """Return the instant that *text* names.

    ``2026-11-01``, ``2026-11-01T10:30`` (both in *zone* unless they name another), ``-36h`` before now, ``now``, or
    seconds or milliseconds since 1970.

    Raises:
        UsageError: It names none.
    """
    if text == "now":
        return now_ms
    if text.startswith("-"):
        try:
            return now_ms - round(duration_seconds(text[1:]) * 1000)
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from None
    if _EPOCH.fullmatch(text):
        return int(text) * (1 if len(text) == 13 else 1000)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option}: {text!r} is no instant; write 2026-11-01, 2026-11-01T10:30:00Z, -36h or now"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(zone) if "/" in zone or zone == "UTC" else UTC)
    return round(found.timestamp() * 1000)


def rate(text: str) -> tuple[float, float]:
    """Return the events and bytes a second that *text* allows, 0 for no limit: ``50000/s``, ``20MiB/s``.

    Raises:
        UsageError: It is neither.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise UsageError(f"--max-rate: {text!r} is no rate; write 50000/s for events or 20MiB/s for bytes")
    try:
        if match[2]:
            return 0.0, float(size_bytes(match[1] + match[2]))
        events = float(match[1].replace("_", ""))
    except ValueError as error:
        raise UsageError(f"--max-rate: {error}") from None
    if not events:
        raise UsageError("--max-rate: 0 would never end; leave it out for no limit")
    return events, 0.0


def size_of(option: str, text: str) -> int:
    """Return the bytes that *text* names: ``64MiB``.

    Raises:
        UsageError: It names none.
    """
    try:
        return size_bytes(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
