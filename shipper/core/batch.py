"""Converted chunks on their way: portions, the batches they travel in, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from shipper.core.converter import Converter
from shipper.core.model import Carry, Chunk, Encoded, FileFacts, FileKey, Produced, Refused


class Portion(msgspec.Struct, eq=False):
    """One converted chunk.

    Attributes:
        lineage: The stream whose order must hold: a file and its rotated siblings.
        carry: As it was before the chunk: with it the chunk can be read again.
        encoded: Its JSON is made anew when an event of it grows too old on its way; its counts stay.
        now_ms: When it was converted: with it the chunk gives the same events again.
        token: The tailer's own mark, handed back.
        events: Of the chunk one by one; None until they are needed that way.
        filtered, refused: What was left out on the way, beyond what the conversion left out.
        batch: Number of the batch that it travels in; 0 before there is one.
    """

    key: FileKey
    lineage: int
    chunk: Chunk
    facts: FileFacts
    carry: Carry
    encoded: Encoded
    converter: Converter
    now_ms: int
    token: object
    events: list[Produced] | None = None
    filtered: dict[str, int] = {}
    refused: list[Refused] = []
    batch: int = 0

    @property
    def held_bytes(self) -> int:
        """Memory that it takes."""
        return len(self.chunk.data) + len(self.encoded.json)


class Settlement(msgspec.Struct):
    """What became of a portion that is no longer on its way.

    Attributes:
        refused: Events for the dead letters, with their exact bytes.
        refused_unnamed: Records that are charged with what the endpoint refused without saying which.
        unnamed_in_batch: Events that it refused so in the whole batch; said with its first portion.
        unnamed_detail: What it said then.
        filtered: Left out because they grew too old on the way.
        trimmed: Events that were cut because they were too large even alone, beyond those that the conversion cut.
        status: Of the answer that settled it.
    """

    refused: list[Refused] = []
    trimmed: int = 0
    refused_unnamed: int = 0
    unnamed_in_batch: int = 0
    unnamed_detail: str = ""
    filtered: dict[str, int] = {}
    status: int | None = None

    def remaining(self, records: int) -> int:
        """Return how many of *records* have no other fate."""
        refused = len({refused.span for refused in self.refused})
        return max(records - refused - sum(self.filtered.values()), 0)


class BatchLimits(NamedTuple):
    """How large and how old a request may grow; sizes are of the uncompressed JSON."""

    target_bytes: int = 1 << 20
    flush_seconds: float = 1.0
    max_bytes: int = 4_500_000
    max_events: int = 20_000
    concurrency: int = 4


def body_of(parts: Iterable[bytes | memoryview]) -> list[bytes | memoryview]:
    """Return the pieces of a JSON array of *parts*, each one or more objects joined by commas."""
    pieces: list[bytes | memoryview] = [b"["]
    for part in parts:
        if len(pieces) > 1:
            pieces.append(b",")
        pieces.append(part)
    pieces.append(b"]")
    return pieces


def size_of(json_bytes: int, parts: int) -> int:
    """Return the bytes of the array that `body_of` makes."""
    return json_bytes + max(parts - 1, 0) + 2
