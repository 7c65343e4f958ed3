"""Words for how bad it is: any text to one of ten levels, a level to one of four statuses.

Source: the reference page, section 4.2: a prefix match, not case sensitive.
``none`` as a whole word comes first, else its ``n`` would make it NOTICE.
Numbers have no documented meaning.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

LEVELS: Final = ("EMERGENCY", "ALERT", "CRITICAL", "SEVERE", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG", "NONE")

# In this order: the first prefix that fits.
_PREFIXES: Final = (
    ("emerg", "EMERGENCY"),
    ("f", "EMERGENCY"),
    ("e", "ERROR"),
    ("a", "ALERT"),
    ("c", "CRITICAL"),
    ("s", "SEVERE"),
    ("w", "WARN"),
    ("n", "NOTICE"),
    ("i", "INFO"),
    ("d", "DEBUG"),
    ("trace", "DEBUG"),
    ("verbose", "DEBUG"),
)
_STATUS: Final = {
    "EMERGENCY": "ERROR",
    "ALERT": "ERROR",
    "CRITICAL": "ERROR",
    "SEVERE": "ERROR",
    "ERROR": "ERROR",
    "WARN": "WARN",
    "NOTICE": "INFO",
    "INFO": "INFO",
    "DEBUG": "INFO",
    "NONE": "NONE",
}


def level_of(value: object) -> str:
    """Return the loglevel for what an event says under its severity key."""
    return _level(value[:16]) if isinstance(value, str) else "NONE"


def status_of(level: str) -> str:
    """Return ERROR, WARN, INFO or NONE for one of `LEVELS`."""
    return _STATUS[level]


@lru_cache(maxsize=1024)
def _level(word: str) -> str:
    word = word.lower()
    if word == "none":
        return "NONE"
    return next((level for prefix, level in _PREFIXES if word.startswith(prefix)), "NONE")
