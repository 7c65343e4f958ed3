"""Reads bytes as the agent would, and sends nothing: for `check` and whoever else asks what would become of a text.

The same layouts, framing and rules; events come from the reference reader,
which knows the bytes of each and which the compiled converter equals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from shipper.core.framing import Framer
from shipper.core.model import Carry, Event, FileFacts, Reading
from shipper.core.rule import Rule, TooOld
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading

_MOST_AHEAD_MS: Final = 200_000_000_000_000  # six thousand years, and still a date


def without_age_limits(rule: Rule) -> Rule:
    """Return *rule* for events as they are before any re-stamping: what stands in a test or an old file is not late."""
    candidates = tuple(without_age_limits(candidate) for candidate in rule.candidates)
    return msgspec.structs.replace(
        rule, max_age_ms=_MOST_AHEAD_MS, max_ahead_ms=_MOST_AHEAD_MS, too_old=TooOld.RESTAMP, candidates=candidates
    )


def rehearse(
    reading: SourceReading,
    pieces: Iterable[bytes],
    facts: FileFacts,
    now_ms: int,
    guard: MatchGuard,
) -> Iterator[Reading]:
    """Give what becomes of each chunk of a file.

    Args:
        reading: Of the source.
        pieces: The file's bytes; under `format: auto` the first one decides.
        facts: Of the file.
        now_ms: Records without any stamp take it.
        guard: Stops a pattern that runs away.
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
            found = guard.read(converter, chunk, facts, carry, now_ms)
            carry = found.carry
            yield found
    if framer is None or converter is None:
        return
    for chunk in framer.close():
        carry = msgspec.structs.replace(carry, encoding=framer.encoding)
        found = guard.read(converter, chunk, facts, carry, now_ms)
        carry = found.carry
        yield found


def is_first_part(event: Event) -> bool:
    """Return whether *event* stands for its record: it is whole, or the first part of one that was split."""
    return str(event.get("log.part", "1")).partition("/")[0] == "1"
