"""gzip bodies, inflated piece by piece and never past the limit."""

from __future__ import annotations

import zlib
from typing import Final

from shipper.endpoint.protocol.answers import Answer, refuse
from shipper.endpoint.protocol.limits import Limits
from shipper.endpoint.protocol.request import too_large

_GZIP_ONLY: Final = 16 + zlib.MAX_WBITS


class Inflater:
    """One request's gzip body. Members one after another are one body (RFC 1952)."""

    def __init__(self, limits: Limits) -> None:
        """Begin a body of at most ``limits.body_bytes`` once inflated."""
        self._limits = limits
        self._pieces: list[bytes] = []
        self._size = 0
        self._member = zlib.decompressobj(_GZIP_ONLY)
        self._untouched = True
        self._refused: Answer | None = None

    @property
    def size(self) -> int:
        """How many bytes `body` has."""
        return self._size

    @property
    def body(self) -> bytes:
        """What was inflated so far."""
        return b"".join(self._pieces)

    def feed(self, chunk: bytes) -> Answer | None:
        """Inflate *chunk*; return the 413 or 400 as soon as it is known, and from then on."""
        while chunk and self._refused is None:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_ONLY)
            try:
                piece = self._member.decompress(chunk, self._limits.body_bytes - self._size + 1)
            except zlib.error:
                self._refused = _corrupt()
                break
            self._untouched = False
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size > self._limits.body_bytes:
                self._pieces.clear()
                self._refused = too_large(self._limits)
            chunk = self._member.unused_data
        return self._refused

    def finish(self) -> Answer | None:
        """Return the 413 or 400 of the whole body, or None: `body` is complete."""
        if self._refused is None and not self._untouched and not self._member.eof:
            self._refused = _corrupt()
        return self._refused


def inflate(wire: bytes, limits: Limits) -> bytes | Answer:
    """Return a whole gzip body inflated, or the answer that refuses it."""
    inflater = Inflater(limits)
    return inflater.feed(wire) or inflater.finish() or inflater.body


def _corrupt() -> Answer:
    return refuse(400, "Invalid gzip body")
