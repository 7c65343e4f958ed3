"""The words of the pipeline as types: chunks, carries, readings, batches of them.

Nothing here does anything: these are the shapes that the rooms hand to each
other. Offsets are bytes from the start of a generation; instants are integers
in milliseconds since 1970-01-01T00:00:00Z (``_ms``).
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

import msgspec


class FileKey(NamedTuple):
    """One life of a followed file: an opaque id, and which generation between truncations."""

    file_id: int
    generation: int


NO_FILES: Final = frozenset[FileKey]()
"""One for the many files that wait for no other."""


class Span(NamedTuple):
    """Half-open byte range [start, end) of one generation."""

    start: int
    end: int


class ChunkKind(enum.Enum):
    """What a chunk holds: whole records, or a piece of one that is too long to hold."""

    RECORDS = "records"
    PART = "part"
    LAST_PART = "last_part"


class Chunk(NamedTuple):
    """Raw bytes of a file, cut at record boundaries: *data* is what stands at [start, end)."""

    start: int
    end: int
    data: bytes
    kind: ChunkKind = ChunkKind.RECORDS


class OpenPart(msgspec.Struct, frozen=True):
    """A record of which *sent* parts have left already, and what later parts take from the first.

    Attributes:
        sent: -1 where the record was left out, and so is what goes on it.
        timestamp: Empty where nothing is known of the record.
        refused: Why the record went to the dead letters, where what goes on it follows.
        tail: The last characters that were sent, where a mask may need them to know what follows; masked.
    """

    sent: int
    timestamp: str
    severity: str
    attributes: dict[str, str | int | float | bool | list[str]] = {}
    refused: str = ""
    tail: str = ""


class Carry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the next chunk of a file must know; saved with each checkpoint as JSON.

    Attributes:
        stamp_ms: The last readable stamp, for records that have none.
        restamp_ms: The last instant given to a record past the age limit.
        encoding: Codec found from the byte order mark; empty until known.
        layout: Name of the layout chosen under ``format: auto``; empty until chosen.
        header: Field names of the last directive line (IIS ``#Fields``).
        part: Set while a record goes on that was sent in part: an over-long one, or an unterminated last line that
            was shipped after its timeout. The offset then stands inside that record.
    """

    stamp_ms: int | None = None
    restamp_ms: int = 0
    encoding: str = ""
    layout: str = ""
    header: tuple[str, ...] = ()
    part: OpenPart | None = None


class FileFacts(msgspec.Struct, frozen=True):
    """What a converter is told of the file besides its bytes.

    Attributes:
        key: Identity, for ``log.record_id`` and dead letters.
        path: As matched; surrogate escapes are already turned into backslash escapes.
        name: Last part of *path*.
        mtime_ms: Last modification; stamps without a year are read against it.
        attributes: Those filled from parts of the path (``${1}``).
    """

    key: FileKey
    path: str
    name: str
    mtime_ms: int
    attributes: dict[str, str] = {}


Scalar = str | int | float | bool | None
AttributeValue = Scalar | list[Scalar]
Event = dict[str, AttributeValue]


class Produced(NamedTuple):
    """One event of the reference reader, with the bytes that it was read from."""

    span: Span
    event: Event


class Refused(NamedTuple):
    """An event that must not or can not be sent, for the dead letters.

    Attributes:
        span: Where its bytes stand.
        reason: One word: ``mask_failed``, ``too_old``, ``rejected``, ``too_large``, ``refused_unnamed``.
        detail: What the endpoint or the rule said, one line, no log content.
        event: As it would have been sent; masked, or None where the mask itself failed.
    """

    span: Span
    reason: str
    detail: str
    event: Event | None


class Reading(msgspec.Struct):
    """What the reference reader makes of a chunk; the same figures as `Encoded`, event by event."""

    produced: list[Produced]
    carry: Carry
    records: int = 0
    parts: int = 0
    filtered: dict[str, int] = {}
    refused: list[Refused] = []
    oldest_ms: int | None = None
    trimmed: int = 0
    bad_bytes: int = 0
    nul_bytes: int = 0
    restamped: int = 0
    unparsed: int = 0
    pattern_timeouts: int = 0


class Encoded(msgspec.Struct):
    """What a converter makes of a chunk.

    Attributes:
        json: The events as JSON objects joined by commas, without brackets; empty when there are none.
        events: How many objects that is (a split record gives several).
        records: Records that became events; *filtered* and *refused* ones are not among them.
        parts: Events beyond the first of their record.
        filtered: Records left out on purpose, by reason (``drop``, ``keep``, ``too_old``).
        refused: Records for the dead letters.
        oldest_ms: The oldest stamp that is sent as it was read (restamped ones do not count), to the whole second.
        carry: For the next chunk.
        trimmed, bad_bytes, nul_bytes, restamped, unparsed, pattern_timeouts: Counters of what was done to them.
    """

    json: bytes | memoryview
    events: int
    records: int
    carry: Carry
    parts: int = 0
    filtered: dict[str, int] = {}
    refused: list[Refused] = []
    oldest_ms: int | None = None
    trimmed: int = 0
    bad_bytes: int = 0
    nul_bytes: int = 0
    restamped: int = 0
    unparsed: int = 0
    pattern_timeouts: int = 0
