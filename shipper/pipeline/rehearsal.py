"""Reads bytes as the agent would, and sends nothing: for `check` and whoever else asks what would become of a text.

The same layouts, framing and rules; events come from the reference reader,
which knows the bytes of each and which the compiled converter equals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from shipper.core.converter import MatchBudget
from shipper.core.framing import Framer
from shipper.core.model import Carry, Event, FileFacts, Reading
from shipper.pipeline.reading import SourceReading


def rehearse(
    reading: SourceReading,
    pieces: Iterable[bytes],
    facts: FileFacts,
    now_ms: int,
    budget: MatchBudget | None = None,
) -> Iterator[Reading]:
    """Give what becomes of each chunk of a file.

    Args:
        reading: Of the source.
        pieces: The file's bytes; under `format: auto` the first one decides.
        facts: Of the file.
        now_ms: Records without any stamp take it.
        budget: Entered around each record's matching.
    """
    carry = Carry()
    framer: Framer | None = None
    converter = None
    for piece in pieces:
        if framer is None or converter is None:
            layout = reading.layout_of(piece, carry.encoding)
            converter = reading.converter(layout)
            carry = msgspec.structs.replace(carry, layout=layout if reading.chooses else "")
            framer = Framer(converter.rule, 0, carry)
        for chunk in framer.feed(piece):
            carry = msgspec.structs.replace(carry, encoding=framer.encoding)
            found = converter.reference.read(chunk, facts, carry, now_ms, budget)
            carry = found.carry
            yield found
    if framer is None or converter is None:
        return
    for chunk in framer.close():
        carry = msgspec.structs.replace(carry, encoding=framer.encoding)
        found = converter.reference.read(chunk, facts, carry, now_ms, budget)
        carry = found.carry
        yield found


def is_first_part(event: Event) -> bool:
    """Return whether *event* stands for its record: it is whole, or the first part of one that was split."""
    return str(event.get("log.part", "1")).partition("/")[0] == "1"
