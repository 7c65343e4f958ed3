"""Feeds a file in pieces, as the tailer does, and gives back what was made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import msgspec

from shipper.core.event import MatchBudget
from shipper.core.framing import Framer
from shipper.core.model import Carry, Chunk, ChunkKind, Encoded, Event, FileFacts, FileKey, Reading
from shipper.core.reference import ReferenceReader
from shipper.core.rule import Rule


def pieces_of(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Return *data* cut at *cuts*, which may be in any order and lie outside."""
    borders = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(borders)]


def chunks_of(
    rule: Rule,
    pieces: Iterable[bytes],
    *,
    at: int = 0,
    carry: Carry | None = None,
    chunk_bytes: int = 65_536,
    max_open_bytes: int = 1 << 20,
    close: bool = True,
) -> Iterator[Chunk]:
    """Yield the chunks that a framer makes of *pieces*; with *close* also what is open at the end."""
    framer = Framer(rule, at, carry or Carry(), chunk_bytes=chunk_bytes, max_open_bytes=max_open_bytes)
    for piece in pieces:
        yield from framer.feed(piece)
    if close:
        yield from framer.close()


def figures(encoded: Encoded) -> dict[str, object]:
    """Return everything that is known of a converted chunk, its events parsed."""
    plain = {name: getattr(encoded, name) for name in encoded.__struct_fields__ if name != "json"}
    return plain | {"json": msgspec.json.decode(b"[" + bytes(encoded.json) + b"]")}


NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z
FACTS = FileFacts(FileKey(7, 2), "/var/log/shop/a.log", "a.log", NOW_MS)


def read_text(
    rule: Rule,
    text: str | bytes,
    *,
    carry: Carry | None = None,
    facts: FileFacts = FACTS,
    budget: MatchBudget | None = None,
    kind: ChunkKind = ChunkKind.RECORDS,
    at: int = 0,
) -> Reading:
    """Return what the plain reader makes of one chunk."""
    data = text.encode() if isinstance(text, str) else text
    chunk = Chunk(at, at + len(data), data, kind)
    return ReferenceReader(rule).read(chunk, facts, carry or Carry(), NOW_MS, budget)


def events_of(reading: Reading) -> list[Event]:
    """Return the events of a reading."""
    return [produced.event for produced in reading.produced]
