"""The endpoint's own log: one line an event, `event=name key=value ...`, on standard error.

Never a log's content, never a token. Standard output is for the one line that
says where the endpoint answers, which scripts and the agent wait for.
"""

from __future__ import annotations

import contextlib
import json
import sys

Field = str | int | float | None


def say(event: str, **fields: Field) -> None:
    """Write one event; fields that are None are left out. A closed terminal is no reason to stop."""
    pairs = (f"{name}={_text(value)}" for name, value in fields.items() if value is not None)
    with contextlib.suppress(OSError, ValueError):
        print(" ".join([f"event={event}", *pairs]), file=sys.stderr, flush=True)  # noqa: T201 -- this is the log


def _text(value: str | float) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if text and text.isprintable() and not set(text) & set(" \"'="):
        return text
    return json.dumps(text, ensure_ascii=False)
