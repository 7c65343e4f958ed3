"""A frame: what one commit appends to a segment. Pure.

::

    magic 4  stored 4  raw 4  count 4  first id 8  oldest ms 8  newest ms 8  payload crc 4  head crc 4
    payload: zstd( parts length 4, parts as JSON, events joined by commas )

Little endian. The head has a checksum of its own, so that a damaged payload can
be stepped over by its length; a damaged head is stepped over by looking for the
next one that holds. A part is what one request brought: its context, and how
much of the events is its.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import zstandard

from shipper.endpoint.model import Accepted, Context
from shipper.endpoint.store.trouble import FrameDamaged

MAGIC: Final = b"SEv1"
_HEAD: Final = struct.Struct("<4sIIIQqqI")
_CRC: Final = struct.Struct("<I")
HEAD_BYTES: Final = _HEAD.size + _CRC.size
# Level 1 was measured best: docs/endpoint-store.md.
_LEVEL: Final = 1


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What one request brought: `Accepted` with the length of its events in their place."""

    context: Context
    count: int
    size: int
    oldest_ms: int
    newest_ms: int


class Head(NamedTuple):
    """A frame without its payload; *stored* and *raw* are its length in bytes, compressed and not."""

    stored: int
    raw: int
    events: int
    first_id: int
    oldest_ms: int
    newest_ms: int
    crc: int

    @property
    def end_id(self) -> int:
        """The first id behind this frame's."""
        return self.first_id + self.events

    @property
    def length(self) -> int:
        """Bytes of the whole frame in the file."""
        return HEAD_BYTES + self.stored


class Content(NamedTuple):
    """What is in a frame or in several that stand together: events joined by commas, and whose they are."""

    parts: list[Part]
    events: bytes


_encode_parts = msgspec.json.Encoder().encode
_decode_parts = msgspec.json.Decoder(list[Part]).decode


def encode(first_id: int, accepted: Sequence[Accepted]) -> tuple[Head, bytes]:
    """Return a frame with the events of these requests, in their order; the first gets *first_id*."""
    parts = [Part(a.context, a.count, len(a.events), a.oldest_ms, a.newest_ms) for a in accepted]
    return encode_content(first_id, Content(parts, b",".join(a.events for a in accepted)))


def encode_content(first_id: int, content: Content) -> tuple[Head, bytes]:
    """Return a frame with this content; the first event gets *first_id*."""
    parts = content.parts
    named = _encode_parts(parts)
    raw = b"".join((_CRC.pack(len(named)), named, content.events))
    payload = zstandard.ZstdCompressor(level=_LEVEL).compress(raw)
    head = Head(
        stored=len(payload),
        raw=len(raw),
        events=sum(part.count for part in parts),
        first_id=first_id,
        oldest_ms=min(part.oldest_ms for part in parts),
        newest_ms=max(part.newest_ms for part in parts),
        crc=zlib.crc32(payload),
    )
    packed = _HEAD.pack(MAGIC, *head)
    return head, b"".join((packed, _CRC.pack(zlib.crc32(packed)), payload))


def read_head(data: bytes | memoryview, at: int = 0) -> Head | None:
    """Return the head that starts at *at*, None where none does."""
    if len(data) - at < HEAD_BYTES:
        return None
    packed = bytes(data[at : at + _HEAD.size])
    if not packed.startswith(MAGIC) or _CRC.unpack_from(data, at + _HEAD.size)[0] != zlib.crc32(packed):
        return None
    return Head(*_HEAD.unpack(packed)[1:])


def find_head(data: bytes, start: int) -> int:
    """Return where the next head that holds begins, at *start* or behind it; -1 when none does."""
    at = data.find(MAGIC, start)
    while at >= 0 and read_head(data, at) is None:
        at = data.find(MAGIC, at + 1)
    return at


def is_whole(head: Head, payload: bytes | memoryview) -> bool:
    """Whether *payload* is the one that *head* was written for."""
    return len(payload) == head.stored and zlib.crc32(payload) == head.crc


def decode(data: bytes) -> Content:
    """Return what is in the frames that *data* is made of.

    Raises:
        FrameDamaged: Not everything is as it was written.
    """
    parts = list[Part]()
    pieces = list[bytes]()
    at = 0
    view = memoryview(data)
    while at < len(data):
        head = read_head(view, at)
        if head is None:
            raise FrameDamaged(f"no frame at byte {at}")
        payload = view[at + HEAD_BYTES : at + head.length]
        if not is_whole(head, payload):
            raise FrameDamaged(f"checksum of the frame at byte {at}")
        raw = zstandard.ZstdDecompressor().decompress(payload, max_output_size=head.raw)
        events_at = _CRC.size + _CRC.unpack_from(raw)[0]
        parts += _decode_parts(raw[_CRC.size : events_at])
        pieces.append(raw[events_at:])
        at += head.length
    return Content(parts, pieces[0] if len(pieces) == 1 else b",".join(pieces))
