"""shipper's own log: one line an event, `event=name key=value ...`, on standard error.

It never holds a log's content: that is the user's data. Values with blanks or
quotes are written as JSON strings, so that a line can be split again. The
same complaint is not said twice in a row: `once` remembers what was said
until it is over.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import PurePath

Value = str | int | float | bool | None | PurePath


def line(event: str, fields: dict[str, Value]) -> str:
    """Return the line for *event*; fields that are None are left out."""
    pairs = (f"{name}={_text(value)}" for name, value in fields.items() if value is not None)
    return " ".join([f"event={event}", *pairs])


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") or "0"
    text = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if text and text.isprintable() and not set(text) & set(" \"'="):
        return text
    # A file's name may hold what a terminal obeys, or takes for a line end.
    return json.dumps(text, ensure_ascii=not text.isprintable())


def to_stderr(text: str) -> None:
    """Write one line; a closed terminal is no reason to stop shipping."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


class Journal:
    """Says what happened; owned by the agent, used from its event loop only."""

    def __init__(self, write: Callable[[str], None] = to_stderr) -> None:
        """Lines go to *write* (without newline)."""
        self._write = write
        self._standing: dict[tuple[str, str], str] = {}

    def say(self, event: str, **fields: Value) -> None:
        """Write one event."""
        self._write(line(event, fields))

    def once(self, event: str, about: str, **fields: Value) -> None:
        """Write *event* about a thing unless its last word about it was the same."""
        text = line(event, fields)
        if self._standing.get((event, about)) != text:
            self._standing[event, about] = text
            self._write(text)

    def over(self, event: str, about: str) -> bool:
        """Forget what `once` said, and return whether it had said something."""
        return self._standing.pop((event, about), None) is not None
