"""Places at which reading a compressed file can begin, and what a decoder of one promises.

A gzip member is one long stream: to begin inside it one needs the bit at
which a block begins and the 32 KiB of text before it. bzip2 blocks, xz blocks
and zstd frames stand on their own.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class RestartPoint(msgspec.Struct, frozen=True):
    """Where decoding can begin.

    Attributes:
        bit: Offset in the compressed file, in bits.
        plain: Offset in the text, in bytes.
        window: The text right before, as far as it may be referred to; empty where nothing is.
        check: Checksum of the stream up to here, so that its end can still be verified.
        length: Bytes of text of the stream (gzip: of the member) up to here.
        stream_bit: Where the stream begins that this is in; its header says how to read on.
    """

    bit: int
    plain: int
    window: bytes = b""
    check: int = 0
    length: int = 0
    stream_bit: int = 0


class Damaged(Exception):
    """The compressed bytes make no sense, or end too soon.

    Attributes:
        byte: Where, in the compressed file.
        why: One phrase.
    """

    def __init__(self, byte: int, why: str) -> None:
        """Keep both."""
        super().__init__(f"byte {byte}: {why}")
        self.byte = byte
        self.why = why


class NeedsMemory(Damaged):
    """Unpacking takes more memory than is allowed; the file is not damaged.

    Attributes:
        needed: Bytes of text that must be kept at hand; 0 where that is not known.
        unpack: What unpacks it, as a command without the file.
    """

    def __init__(self, byte: int, needed: int, unpack: str) -> None:
        """Keep all."""
        super().__init__(byte, f"{needed} bytes must be kept at hand")
        self.needed = needed
        self.unpack = unpack


class Decoder(Protocol):
    """Reads one compressed file from a place on; text comes in file order."""

    @property
    def byte(self) -> int:
        """How far the compressed file was read, in bytes."""

    def begin(self, point: RestartPoint) -> None:
        """Go to *point*."""

    def step(self) -> bytes:
        """Return the next text, some 100 KiB at most a few times over; empty at the end.

        Raises:
            Damaged: Nothing more can be read from here; what came before is good.
        """

    def point(self) -> RestartPoint | None:
        """Return where the next `step` begins, if one can begin there."""
