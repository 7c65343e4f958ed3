"""Where in a log an instant lies, found by bisection on the stamps of its records.

Pure: a search is a generator that yields the offset to look at and is sent
what stands there, so that whoever drives it does the reading. Stamps of a log
rise on the whole and not always from line to line; the caller takes the
instant earlier or later by as much as they may be out of order.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, NamedTuple

NEAR_BYTES: Final = 65_536


class Sighting(NamedTuple):
    """The first record that begins at or behind the offset that was looked at, and whose own time is known."""

    offset: int
    stamp_ms: int


class Bracket(NamedTuple):
    """Where an instant lies between two records.

    Attributes:
        low: Offset of a record's first byte: what begins before it is older than the instant.
        high: The same from the other side: what begins at it or behind is not older.
    """

    low: int
    high: int


Search = Generator[int, Sighting | None, Bracket]
Look = Callable[[int], Sighting | None]


def bracket(begin: int, end: int, instant_ms: int, *, near_bytes: int = NEAR_BYTES) -> Search:
    """Look for *instant_ms* among the records that begin in [begin, end); *low* and *high* end up near each other.

    Where nothing is older, *low* is *begin*; where nothing is as young, *high* is *end*.
    """
    low = begin
    border = high = end
    while border - low > near_bytes:
        middle = (low + border) // 2
        seen = yield middle
        if seen is None or seen.offset >= border:
            border = middle  # no record with a time begins between the two
        elif seen.stamp_ms < instant_ms:
            low = seen.offset
        else:
            border, high = middle, seen.offset
    return Bracket(low, high)


def found(search: Search, look: Look) -> Bracket:
    """Return where *search* ends when *look* answers it."""
    try:
        offset = next(search)
        while True:
            offset = search.send(look(offset))
    except StopIteration as stop:
        bracket_found = stop.value
        if not isinstance(bracket_found, Bracket):
            raise TypeError("a search ends with a bracket") from None
        return bracket_found
