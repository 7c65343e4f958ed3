"""The events of a block, one by one: where each begins, whose it is, and what it reads as. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import Final

import msgspec

from shipper.endpoint.model import Context, LogRecord
from shipper.endpoint.store.frames import Content
from shipper.endpoint.store.matching import Mapper

_split: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_BETWEEN: Final = b", \t\r\n"
_decode_many: Final = msgspec.json.Decoder(list[dict[str, object]]).decode
_decode: Final = msgspec.json.Decoder(dict[str, object]).decode


def starts_of(events: bytes) -> array[int]:
    """Return where each event begins, and at the end one behind the last: event i is within ``[s[i], s[i+1] - 1)``."""
    lengths = [memoryview(raw).nbytes + 1 for raw in _split(b"[" + events + b"]")]
    starts = array("I", accumulate(lengths, initial=0))
    if starts[-1] == len(events) + 1:
        return starts
    # A client may write white space round its commas.
    at = 0
    for position, length in enumerate(lengths):
        at = len(events) - len(events[at:].lstrip(_BETWEEN)) if events[at] in _BETWEEN else at
        starts[position] = at
        at += length
    starts[-1] = len(events) + 1
    return starts


class Events:
    """A block's content with the starts of its events."""

    def __init__(self, content: Content, starts: array[int], mapper: Mapper) -> None:
        """Join the three; *starts* as `starts_of` gives them for the content."""
        self.raw = content.events
        self.starts = starts
        self._mapper = mapper
        self._ends = list(accumulate(part.count for part in content.parts))
        self._contexts = [part.context for part in content.parts]

    def __len__(self) -> int:
        """Events."""
        return len(self.starts) - 1

    def context(self, position: int) -> Context:
        """Return the context of the request that brought the event."""
        return self._contexts[bisect_right(self._ends, position)]

    def decoded(self, first: int, end: int) -> list[dict[str, object]]:
        """Return the events in [first, end), as they were sent."""
        return _decode_many(b"[" + self.raw[self.starts[first] : self.starts[end] - 1].rstrip(_BETWEEN) + b"]")

    def record(self, position: int) -> LogRecord:
        """Return an event as a reader gets it."""
        return self.mapped(_decode(self.original(position)), self.context(position))

    def mapped(self, event: dict[str, object], context: Context) -> LogRecord:
        """Return a decoded event as a reader gets it."""
        return self._mapper(event, context)

    def original(self, position: int) -> bytes:
        """Return an event as it was sent."""
        return self.raw[self.starts[position] : self.starts[position + 1] - 1].rstrip(_BETWEEN)
