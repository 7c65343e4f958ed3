"""The line at the foot of a terminal that says how the agent is doing.

On anything but a terminal it says nothing; `shipper`'s own log lines go
through here, so that the two do not run into each other.
"""

from __future__ import annotations

import shutil
from typing import TextIO

from shipper.pipeline.totals import Totals

_ERASE_LINE = "\r\x1b[K"


class Progress:
    """Owns one terminal line; used from the event loop only."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on *stream* if that is a terminal."""
        self._stream = stream
        self.shown = stream.isatty()
        self._text = ""
        self._before: tuple[float, int, int] | None = None

    def write_line(self, text: str) -> None:
        """Write a line of the agent's log, above the progress line."""
        self._write((_ERASE_LINE if self._text else "") + text + "\n" + self._text)

    def update(self, totals: Totals, lag_bytes: int, waiting: str, monotonic: float) -> None:
        """Draw the line anew: rates since the last call, lag, files, what is waited for."""
        acked, read = totals.acked, totals.bytes_read
        before, self._before = self._before, (monotonic, acked, read)
        if not self.shown or before is None or monotonic <= before[0]:
            return
        seconds = monotonic - before[0]
        parts = [
            f"{totals.files:,} files",
            f"{(acked - before[1]) / seconds:,.0f} events/s",
            f"{size((read - before[2]) / seconds)}/s",
            f"lag {size(lag_bytes)}",
            f"{acked:,} acknowledged",
        ]
        if totals.dead_lettered:
            parts.append(f"{sum(totals.dead_lettered.values()):,} dead letters")
        text = "  ".join(parts) + (f"  [{waiting}]" if waiting else "")
        self._text = text[: shutil.get_terminal_size().columns - 1]
        self._write(_ERASE_LINE + self._text)

    def close(self) -> None:
        """Take the line away."""
        if self._text:
            self._write(_ERASE_LINE)
            self._text = ""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self.shown = False


def size(count: float) -> str:
    """Return *count* bytes as people read them, 1024-based."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("the last unit takes everything")
