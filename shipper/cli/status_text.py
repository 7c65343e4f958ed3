"""Figures of the agent as people read them: times, sizes, counts, curves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from shipper.pipeline.progress import size
from shipper.pipeline.state_rewind import printable

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_PLAIN_BLOCKS: Final = ".:-=+*#@"
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

__all__ = ["harmless", "lag", "lasting", "number", "per_second", "since", "size", "sparkline", "stamp"]


def harmless(text: str) -> str:
    """Return *text* with escapes for what is not Unicode and for what a terminal obeys: it is others' text."""
    text = printable(text).expandtabs(4)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def lasting(seconds: float) -> str:
    """Return a span of time in its two largest units; under ten seconds to the tenth."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    left, parts = int(seconds), list[str]()
    for length, unit in _UNITS:
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 "))


def since(instant_ms: int, now_ms: int) -> str:
    """Return how long ago *instant_ms* was."""
    return lasting(max(now_ms - instant_ms, 0) / 1000)


def lag(seconds: float | None) -> str:
    """Return how far behind something is in log time; a dash where nothing tells."""
    return "-" if seconds is None else "0 s" if seconds == 0 else lasting(seconds)


def stamp(instant_ms: int | None) -> str:
    """Return an instant to the second, UTC; a dash for none."""
    if instant_ms is None:
        return "-"
    try:
        return datetime.fromtimestamp(instant_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "-"


def number(count: float) -> str:
    """Return a count with its thousands apart; under ten to the tenth, where it has one."""
    return f"{count:,.1f}" if 0 < count < 9.95 and round(count, 1) % 1 else f"{count:,.0f}"


def per_second(count: float) -> str:
    """Return bytes a second."""
    return f"{size(count)}/s"


def sparkline(values: Sequence[float], width: int, *, plain: bool = False) -> str:
    """Return the last *width* of *values* as a curve, the highest at the top; *plain* is ASCII alone."""
    shown = list(values)[-width:] if width > 0 else []
    top = max(shown, default=0.0)
    blocks = _PLAIN_BLOCKS if plain else _BLOCKS
    if top <= 0:
        return blocks[0] * len(shown)
    return "".join(blocks[min(int(value / top * len(blocks)), len(blocks) - 1)] for value in shown)
