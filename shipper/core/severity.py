"""What the words and numbers that programs write mean as one of ten severities.

Normalised before sending, because the endpoint maps by first letters: there
`FINE` would become an emergency and `success` severe. Source: the reference
page, section 4.2, and its traps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SEVERITIES: Final = (
    "emergency", "alert", "critical", "severe", "error", "warn", "notice", "info", "debug", "none",
)  # fmt: skip

_WORDS: Final = {
    "emergency": "emerg emergency panic fatal f ftl fatl",
    "alert": "alert a",
    "critical": "critical crit crt c",
    "severe": "severe",
    "error": "error err erro e eror failure fail failed",
    "warn": "warn warning w wrn warns",
    "notice": "notice noti note n",
    "info": "info information informational inf i log audit ok success default normal config",
    "debug": "debug dbg dbug d trace trc trce t verbose verb v vrb fine finer finest silly "
    "debug1 debug2 debug3 debug4 debug5 trace1 trace2 trace3 trace4 trace5 trace6 trace7 trace8",
    "none": "none notset off unknown",
}
BUILT_IN: Final = {word: severity for severity, words in _WORDS.items() for word in words.split()}

_SYSLOG: Final = ("emergency", "alert", "critical", "error", "warn", "notice", "info", "debug")
_BUNYAN: Final = {1: "debug", 2: "debug", 3: "info", 4: "warn", 5: "error", 6: "emergency"}


def severity_of(word: str | int, words: Mapping[str, str]) -> str | None:
    """Return the severity that *word* stands for; None when it is not understood.

    Args:
        word: As the source writes it; blanks around it and its case do not matter. 0..7 are syslog's numbers,
            10..69 bunyan's and pino's.
        words: The source's own words, lower case; they win over the built-in ones.
    """
    text = str(word).strip().lower()
    found = words.get(text) or BUILT_IN.get(text)
    if found is not None:
        return found
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        return None
    number = int(text)
    return _SYSLOG[number] if number < len(_SYSLOG) else _BUNYAN.get(number // 10)


def raw_level(word: str, severity: str) -> str | None:
    """Return the source's own *word* where it differs from *severity* other than by case."""
    text = word.strip()
    return None if not text or text.lower() == severity else text
