"""The generated loop for records of key=value pairs: their keys are learned as those of JSON records are."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shipper.core.extract import logfmt_pairs
from shipper.core.json_loop import JsonLoop
from shipper.core.loop import Slow


class LogfmtLoop(JsonLoop):
    """The loop of a logfmt rule; every value is a text."""

    def object_of(self, record: str) -> dict[str, object] | None:
        """Return the pairs of a record; None where it has none."""
        return dict(logfmt_pairs(record)) or None

    def decoder(self) -> Callable[[str], object]:
        """Return what takes a record's pairs apart."""
        return pairs_decoder(self._shape.struct())


def pairs_decoder(shape: type[msgspec.Struct]) -> Callable[[str], object]:
    """Return what makes a record's pairs a *shape*, or raises ValidationError; None where it has no pairs."""
    convert = msgspec.convert

    def decode(record: str) -> object:
        pairs = logfmt_pairs(record)
        found = dict(pairs)
        if len(found) != len(pairs):  # a key that comes twice is kept beside itself
            raise Slow
        return convert(found, shape) if found else None

    return decode
