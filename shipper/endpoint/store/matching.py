"""Which events a `Filter` asks for. Pure.

Free text: every word of it (split at white space) must occur in the content,
anywhere, also inside a word, whatever the case (`str.lower` of both). Since a
word has no white space, it can only occur inside one word of the content:
the index relies on that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from shipper.endpoint.model import AttributeValue, Context, Filter, LogRecord, Scalar

SOURCE: Final = "log.source"

Mapper = Callable[[dict[str, object], Context], LogRecord]
Plain = Callable[[dict[str, object], Context], LogRecord | None]
Added = Callable[[Context], Mapping[str, AttributeValue]]


class Outline(NamedTuple):
    """A short way to most records, for the index.

    Attributes:
        plain: The mapper's record without what *added* names, or None where the way is too short.
            Its content and attributes are values of the event, unchanged: texts, numbers, truth values.
        added: The attributes that every such record of a context has besides.
    """

    plain: Plain
    added: Added


LONG_WAY: Final = Outline(lambda _event, _context: None, lambda _context: {})


def words_of(text: str) -> list[str]:
    """Return the words that free text asks for."""
    return text.lower().split()


def text_of(value: Scalar) -> str:
    """Return a value as the text that a filter names it by: ``true``, ``null``, ``2.5``."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def texts_of(value: AttributeValue) -> list[str]:
    """Return the texts that name *value*: of an array each item."""
    return [text_of(item) for item in value] if isinstance(value, list) else [text_of(value)]


def source_of(record: LogRecord) -> str | None:
    """Return the source that an event names; None where it names none, or several."""
    value = record.attributes.get(SOURCE)
    return None if value is None or isinstance(value, list) else text_of(value)


class Matcher:
    """A filter made ready for many events."""

    def __init__(self, wanted: Filter) -> None:
        """Prepare *wanted*."""
        self.filter = wanted
        self.words = words_of(wanted.text)
        self.needs_content = bool(self.words or wanted.attributes)

    def takes_time(self, timestamp_ms: int) -> bool:
        """Whether the filter's time range has this instant."""
        since_ms, until_ms = self.filter.since_ms, self.filter.until_ms
        return (since_ms is None or timestamp_ms >= since_ms) and (until_ms is None or timestamp_ms < until_ms)

    def takes_group(self, loglevel: str, status: str, source: str | None) -> bool:
        """Whether the filter takes events of this severity and source."""
        levels = self.filter.levels
        return (not levels or loglevel in levels or status in levels) and self.filter.source in (None, source)

    def takes_content(self, record: LogRecord) -> bool:
        """Whether text and attributes are as asked for."""
        if self.words:
            content = record.content.lower()
            if not all(word in content for word in self.words):
                return False
        for key, text in self.filter.attributes:
            if key not in record.attributes or text not in texts_of(record.attributes[key]):
                return False
        return True

    def takes(self, record: LogRecord) -> bool:
        """Whether the event is asked for."""
        return (
            self.takes_time(record.timestamp_ms)
            and self.takes_group(record.loglevel, record.status, source_of(record))
            and self.takes_content(record)
        )
