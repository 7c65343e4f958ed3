"""Colour and cursor codes of terminals, which some programs write into their logs."""

from __future__ import annotations

import re
from typing import Final

ANSI_MARK: Final = "\x1b["
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def without_ansi(text: str) -> str:
    """Return *text* without the codes; its lines stay what they are."""
    return _ANSI.sub("", text)
