"""bzip2, block by block: each block (up to 900 kB of text) is a restart point.

Blocks begin at any bit, with a 48-bit mark. Each is cut out, shifted to a
byte and given to the standard library as a stream of its own, as bzip2recover
does; the check over the whole stream is made here. The mark can stand inside
a block by chance (once in some 35 TB): a block that does not decode is tried
again with what follows that mark.
"""

from __future__ import annotations

import bz2
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from shipper.core.restart import Damaged, RestartPoint

MAGIC: Final = b"BZh"
SCAN_BYTES: Final = 1 << 18
OUT_BYTES: Final = 1 << 18
_BLOCK_MARK: Final = 0x314159265359
_END_MARK: Final = 0x177245385090
_MARK_BITS: Final = 48
_LARGEST_BLOCK_BYTES: Final = 1_200_000  # compressed; 900 kB that cannot be compressed, and its tables


class _Pattern(NamedTuple):
    """A mark at one of the eight bits of a byte: the whole bytes inside it, and what the two partial ones hold."""

    mark: int
    shift: int
    inner: bytes
    before: int


class _Mark(NamedTuple):
    bit: int
    mark: int


def _patterns() -> list[_Pattern]:
    found = []
    for mark in (_BLOCK_MARK, _END_MARK):
        for shift in range(8):
            spread = (mark << (8 - shift)).to_bytes(7, "big")
            found.append(_Pattern(mark, shift, spread[1:6] if shift else spread[:6], 1 if shift else 0))
    return found


_PATTERNS: Final = _patterns()


class Bzip2Decoder:
    """Reads a bzip2 file from a place on."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        """*read* gives bytes of the compressed file: (offset, size)."""
        self._read = read
        self.begin(RestartPoint(0, 0))

    def begin(self, point: RestartPoint) -> None:
        self._plain = point.plain
        self._bit, self._stream_bit, self._check = point.bit, point.stream_bit, point.check
        self._in_stream = point.bit != point.stream_bit
        self._marks: deque[_Mark] = deque()
        self._scanned_to = point.bit // 8
        self._block: bz2.BZ2Decompressor | None = None
        self._block_end = point.bit
        self._rest = b""

    @property
    def byte(self) -> int:
        return self._bit // 8

    def point(self) -> RestartPoint | None:
        if self._block is not None:
            return None
        if not self._in_stream:
            return RestartPoint(self._bit, self._plain, stream_bit=self._bit)
        return RestartPoint(self._bit, self._plain, check=self._check, stream_bit=self._stream_bit)

    def step(self) -> bytes:
        while True:
            if self._block is not None:
                text = self._block_text()
            elif self._in_stream:
                text = self._begin_block()
            elif self._begin_stream():
                continue
            else:
                return b""
            if text:
                self._plain += len(text)
                return text

    # -- streams and blocks ------------------------------------------------------------------------

    def _begin_stream(self) -> bool:
        at = self._bit // 8
        header = self._read(at, 4)
        if not header.strip(b"\0") and not self._read(at, 1 << 16).strip(b"\0"):
            return False
        if not header.startswith(MAGIC) or header[3:] not in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"):
            raise Damaged(at, "no bzip2 stream begins here" if len(header) == 4 else "the file ends within a header")
        self._stream_bit, self._bit, self._check = self._bit, self._bit + 32, 0
        self._in_stream = True
        self._scanned_to, self._marks = self._bit // 8, deque()
        return True

    def _begin_block(self) -> bytes:
        """Take up the block at `_bit`, or end the stream there; return the block's first text."""
        here = self._mark_at(self._bit)
        if here == _END_MARK:
            self._end_stream()
            return b""
        if here != _BLOCK_MARK:
            raise Damaged(self._bit // 8, "no block begins here")
        check = self._bits(self._bit + _MARK_BITS, 32)
        end = self._bit
        while True:
            end = self._next_mark(end + 1)
            self._block, self._rest = bz2.BZ2Decompressor(), self._cut_out(self._bit, end, check)
            self._block_end = end
            try:
                return self._decoded()
            except OSError:
                self._block = None
                if end - self._bit > _LARGEST_BLOCK_BYTES * 8:
                    raise Damaged(self._bit // 8, "the block does not decode") from None

    def _decoded(self) -> bytes:
        """Return more of the block's text; at its end go to what follows."""
        if self._block is None:
            raise AssertionError("a block is open")
        text = self._block.decompress(self._rest, OUT_BYTES)
        self._rest = b""
        if self._block.eof:
            check = self._bits(self._bit + _MARK_BITS, 32)
            self._check = ((self._check << 1) | (self._check >> 31)) & 0xFFFFFFFF ^ check
            self._bit, self._block = self._block_end, None
        return text

    def _block_text(self) -> bytes:
        try:
            return self._decoded()
        except OSError:
            raise Damaged(self._bit // 8, "the block does not decode") from None

    def _end_stream(self) -> None:
        at = self._bit + _MARK_BITS
        if self._bits(at, 32) != self._check:
            raise Damaged(self._bit // 8, "the checksum of the stream does not fit its text")
        self._bit = -(-(at + 32) // 8) * 8
        self._in_stream = False

    def _cut_out(self, begin: int, end: int, check: int) -> bytes:
        """Return the block as a stream of its own."""
        first, last = begin // 8, -(-end // 8)
        value = int.from_bytes(self._read(first, last - first), "big") >> (last * 8 - end)
        size = end - begin
        value &= (1 << size) - 1
        value = (value << (_MARK_BITS + 32)) | (_END_MARK << 32) | check
        size += _MARK_BITS + 32
        padding = -size % 8
        header = self._read(self._stream_bit // 8, 4)
        return header + (value << padding).to_bytes((size + padding) // 8, "big")

    # -- bits --------------------------------------------------------------------------------------

    def _bits(self, bit: int, count: int) -> int:
        first, last = bit // 8, -(-(bit + count) // 8)
        data = self._read(first, last - first)
        if len(data) < last - first:
            raise Damaged(first + len(data), "the file ends within a block")
        return (int.from_bytes(data, "big") >> (last * 8 - bit - count)) & ((1 << count) - 1)

    def _mark_at(self, bit: int) -> int:
        return self._bits(bit, _MARK_BITS)

    def _next_mark(self, bit: int) -> int:
        """Return where the next mark at or after *bit* stands."""
        while True:
            while self._marks and self._marks[0].bit < bit:
                self._marks.popleft()
            if self._marks:
                return self._marks[0].bit
            self._scan()

    def _scan(self) -> None:
        data = self._read(self._scanned_to, SCAN_BYTES + 8)
        if len(data) < 8:
            raise Damaged(self._scanned_to + len(data), "the file ends within a block")
        found = []
        for pattern in _PATTERNS:
            at = data.find(pattern.inner)
            while at >= 0:
                bit = (self._scanned_to + at - pattern.before) * 8 + pattern.shift
                if at < SCAN_BYTES + 2 and bit >= 0 and self._holds(bit, pattern.mark):
                    found.append(_Mark(bit, pattern.mark))
                at = data.find(pattern.inner, at + 1)
        self._marks = deque(sorted({*self._marks, *found}))
        self._scanned_to += min(len(data) - 7, SCAN_BYTES) if len(data) > 7 else len(data)

    def _holds(self, bit: int, mark: int) -> bool:
        try:
            return self._mark_at(bit) == mark
        except Damaged:
            return False
