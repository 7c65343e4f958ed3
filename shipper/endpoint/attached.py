"""What an agent that ships to this endpoint says of its files: how much of each source it has not read yet.

An agent of ours says so in a header of its requests, `X-Shipper-Unread:
shop=0&web=125829120` (bytes by source, URL-encoded); a OneAgent ignores it.
Kept in memory only: it is what was true at the last request.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qsl

HEADER: Final = "x-shipper-unread"
MOST_SOURCES: Final = 1000
_LONGEST_HEADER: Final = 32_768


class Unread(NamedTuple):
    """Bytes of a source that were not read yet, and when that was said."""

    size: int
    at_ms: int


class Attached:
    """The last word of every source; owned by the server."""

    def __init__(self) -> None:
        """No agent has said anything yet."""
        self._sources: dict[str, Unread] = {}

    def note(self, header: str, now_ms: int) -> None:
        """Take in a request's header; what is no number of bytes is passed over."""
        if not header or len(header) > _LONGEST_HEADER:
            return
        try:
            said = parse_qsl(header, keep_blank_values=True, max_num_fields=MOST_SOURCES, errors="replace")
        except ValueError:  # more fields than that
            return
        for source, text in said:
            known = source in self._sources
            if text.isascii() and text.isdigit() and len(text) < 19 and (known or len(self._sources) < MOST_SOURCES):
                self._sources[source] = Unread(int(text), now_ms)

    def of(self, source: object) -> Unread | None:
        """Return the last word of *source*; None where no agent has said one."""
        return self._sources.get(source) if isinstance(source, str) else None
