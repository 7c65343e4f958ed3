"""What a reader asks for, from the query string; a wrong parameter is named, never ignored.

Names and meanings: the spec page, "The endpoint's own routes". Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Final, Literal

from shipper.endpoint.model import Filter

MOST_EVENTS: Final = 1_000
MOST_BUCKETS: Final = 2_000
LONGEST_TEXT: Final = 1_000
FILTERS: Final = frozenset({"since", "until", "severity", "source", "q"})
_ATTRIBUTE: Final = "attr."
_WORDS: Final = (
    "EMERGENCY", "ALERT", "CRITICAL", "SEVERE", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG", "NONE",
)  # fmt: skip
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d)?)?", re.ASCII
)
_EPOCH_MS: Final = re.compile(r"\d{1,15}", re.ASCII)
LATEST_MS: Final = 253_402_300_799_999  # the last millisecond of the year 9999: later ones have no RFC 3339

Order = Literal["newest", "oldest"]


class BadParameter(Exception):
    """A parameter is wrong; the message says how to write it."""

    def __init__(self, name: str, message: str) -> None:
        """*name* as the client wrote it."""
        super().__init__(f"{name}: {message}")
        self.name = name


class Parameters:
    """The query string of one request, each parameter once."""

    def __init__(self, pairs: Iterable[tuple[str, str]], names: Collection[str]) -> None:
        """*names* are the ones this route knows; ``attr.KEY`` goes with the filters.

        Raises:
            BadParameter: one is unknown or given twice.
        """
        self._values: dict[str, str] = {}
        for name, value in pairs:
            known = name in names or (name.startswith(_ATTRIBUTE) and len(name) > len(_ATTRIBUTE) and "q" in names)
            if not known:
                raise BadParameter(name, f"unknown; this route takes {', '.join(sorted(names))}")
            if name in self._values:
                raise BadParameter(name, "given twice")
            self._values[name] = value

    def filter(self) -> Filter:
        """Return the filter.

        Raises:
            BadParameter: a part of it is wrong.
        """
        since_ms, until_ms = self.instant("since"), self.instant("until")
        if since_ms is not None and until_ms is not None and since_ms >= until_ms:
            raise BadParameter("until", "is not after since")
        attributes = tuple(
            (name.removeprefix(_ATTRIBUTE), value)
            for name, value in self._values.items()
            if name.startswith(_ATTRIBUTE)
        )
        return Filter(
            since_ms=since_ms,
            until_ms=until_ms,
            levels=self._levels(),
            source=self._values.get("source") or None,
            text=self._text("q"),
            attributes=attributes,
        )

    def instant(self, name: str) -> int | None:
        """Return an instant in ms, from RFC 3339 (no zone is UTC) or epoch milliseconds."""
        text = self._values.get(name, "")
        if not text:
            return None
        if _EPOCH_MS.fullmatch(text):
            return min(int(text), LATEST_MS)
        if not _RFC3339.fullmatch(text):
            raise BadParameter(name, "write RFC 3339 (a + as %2B) or epoch milliseconds")
        try:
            moment = datetime.fromisoformat(text.upper())
        except ValueError as error:
            raise BadParameter(name, "no such date or time") from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000)

    def count(self, name: str, default: int, most: int) -> int:
        """Return a number from 1 to *most*."""
        text = self._values.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= most:
            raise BadParameter(name, f"write a number from 1 to {most}")
        return int(text)

    def order(self) -> Order:
        """Return which end to begin at."""
        text = self._values.get("order", "newest")
        if text == "newest":
            return "newest"
        if text == "oldest":
            return "oldest"
        raise BadParameter("order", "write newest or oldest")

    def cursor(self) -> str | None:
        """Return the cursor of the page before, which the store checks."""
        return self._text("cursor") or None

    def _text(self, name: str) -> str:
        text = self._values.get(name, "")
        if len(text) > LONGEST_TEXT:
            raise BadParameter(name, f"longer than {LONGEST_TEXT} characters")
        return text

    def _levels(self) -> frozenset[str]:
        words = [word.strip().upper() for word in self._values.get("severity", "").split(",") if word.strip()]
        if any(word not in _WORDS for word in words):
            raise BadParameter("severity", f"write a comma list of {', '.join(_WORDS).lower()}")
        return frozenset(words)
