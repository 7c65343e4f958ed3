"""xz: the index at a stream's end says where its blocks begin and how much text each holds.

So the length is known without decoding, and every block is a restart point
(`xz -T` and pixz write many, plain `xz` one). Where the index is missing or
wrong, the file is read in one go from its start.
"""

from __future__ import annotations

import lzma
from bisect import bisect_right
from collections.abc import Callable
from typing import Final, NamedTuple

from shipper.core.restart import Damaged, NeedsMemory, RestartPoint

MAGIC: Final = b"\xfd7zXZ\x00"
READ_BYTES: Final = 65_536
OUT_BYTES: Final = 131_072
BESIDE_BYTES: Final = 2 << 20  # what a decoder takes beside its dictionary: 65 MiB for the 64 MiB of xz -9
_HEADER_BYTES: Final = 12
_FOOTER_MAGIC: Final = b"YZ"


class _Block(NamedTuple):
    """A block: where it stands in both files, and how long it is in each."""

    byte: int
    size: int
    plain: int
    plain_size: int
    stream: int


class XzDecoder:
    """Reads an xz file from a place on.

    Attributes:
        length: Bytes of text; None where no index says so.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int, most_bytes: int) -> None:
        """*read* gives bytes of the compressed file, which has *size*: (offset, size).

        A dictionary may be *most_bytes* large.
        """
        self._read = read
        self._most_bytes = most_bytes
        self._size = size
        try:
            self._blocks: list[_Block] | None = _blocks_of(read, size)
        except (Damaged, IndexError):
            self._blocks = None
        self.length = sum(block.plain_size for block in self._blocks) if self._blocks is not None else None
        self.begin(RestartPoint(0, 0))

    def points(self) -> list[RestartPoint]:
        """Return the places that the index names."""
        return [RestartPoint(block.byte * 8, block.plain) for block in self._blocks or ()]

    def begin(self, point: RestartPoint) -> None:
        self._plain = point.plain
        self.byte = point.bit // 8
        self._decompressor: lzma.LZMADecompressor | None = None
        self._held = b""
        self._left = 0
        self._at = 0
        if self._blocks and point.bit:
            self._at = bisect_right(self._blocks, point.plain, key=lambda block: block.plain) - 1

    def point(self) -> RestartPoint | None:
        if self._blocks is None or self._decompressor is not None or self._at == len(self._blocks):
            return None
        block = self._blocks[self._at]
        return RestartPoint(block.byte * 8, block.plain)

    def step(self) -> bytes:
        text = self._step_in_stream() if self._blocks is None else self._step_in_block()
        self._plain += len(text)
        return text

    def _step_in_block(self) -> bytes:
        while self._blocks is not None and self._at < len(self._blocks):
            block = self._blocks[self._at]
            if self._decompressor is None:
                self._decompressor = self._new_decompressor()
                self._held = self._read(block.stream, _HEADER_BYTES)
                self.byte, self._left = block.byte, block.plain_size
            end = block.byte + block.size
            if self._decompressor.needs_input and not self._held and self.byte >= end:
                if self._left:
                    raise Damaged(block.byte, "the block holds less than the index says")
                self._decompressor = None
                self._at += 1
                continue
            text = self._decode(end)
            self._left -= len(text)
            if text:
                return text
        return b""

    def _step_in_stream(self) -> bytes:
        while True:
            if self._decompressor is None:
                self._held = self._held.lstrip(b"\0")  # padding between streams
                if not self._held and not self._fetch(self._size):
                    return b""
                if not self._held.strip(b"\0"):
                    continue
                self._decompressor = self._new_decompressor()
            text = self._decode(self._size)
            if self._decompressor.eof:
                self._held, self._decompressor = self._decompressor.unused_data, None
            if text:
                return text

    def _decode(self, end: int) -> bytes:
        """Return more text, of compressed bytes up to *end*."""
        decompressor = self._decompressor
        if decompressor is None:
            raise AssertionError("a stream or block is open")
        if not decompressor.needs_input:
            data = b""
        elif self._held or self._fetch(end):
            data, self._held = self._held, b""
        else:
            raise Damaged(self.byte, "the file ends within a stream")
        try:
            return decompressor.decompress(data, OUT_BYTES)
        except lzma.LZMAError as error:
            if "limit" in str(error):  # "Memory usage limit exceeded": there is no other sign of it
                raise NeedsMemory(self.byte - len(data), 0, "xz -dc") from None
            raise Damaged(self.byte - len(data), f"no xz data ({error})") from None

    def _fetch(self, end: int) -> bool:
        more = self._read(self.byte, min(READ_BYTES, end - self.byte))
        self.byte += len(more)
        self._held += more
        return bool(more)

    def _new_decompressor(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=self._most_bytes + BESIDE_BYTES)


# -- the index ------------------------------------------------------------------------------------


def _blocks_of(read: Callable[[int, int], bytes], size: int) -> list[_Block]:
    """Return every block of every stream, in file order; the streams are found from the end of the file."""
    streams: list[list[_Block]] = []
    end = size
    while end > 0:
        while end >= 4 and read(end - 4, 4) == b"\0\0\0\0":
            end -= 4
        footer = read(end - _HEADER_BYTES, _HEADER_BYTES) if end >= 2 * _HEADER_BYTES else b""
        if footer[10:] != _FOOTER_MAGIC:
            raise Damaged(end, "no xz stream ends here")
        index_size = (int.from_bytes(footer[4:8], "little") + 1) * 4
        records = _index(read(end - _HEADER_BYTES - index_size, index_size))
        packed = sum(_padded(unpadded) for unpadded, _ in records)
        start = end - _HEADER_BYTES - index_size - packed - _HEADER_BYTES
        if start < 0 or read(start, len(MAGIC)) != MAGIC:
            raise Damaged(end, "the index leads nowhere")
        at = start + _HEADER_BYTES
        blocks = []
        for unpadded, plain_size in records:
            blocks.append(_Block(at, _padded(unpadded), 0, plain_size, start))
            at += _padded(unpadded)
        streams.insert(0, blocks)
        end = start
    return _with_plain_offsets([block for blocks in streams for block in blocks])


def _with_plain_offsets(blocks: list[_Block]) -> list[_Block]:
    plain = 0
    placed = []
    for block in blocks:
        placed.append(block._replace(plain=plain))
        plain += block.plain_size
    return placed


def _padded(size: int) -> int:
    return -(-size // 4) * 4


def _index(data: bytes) -> list[tuple[int, int]]:
    """Return the index's records: bytes of each block without its padding, and of its text."""
    if not data or data[0] != 0:
        raise Damaged(0, "no index")
    count, at = _number(data, 1)
    records = []
    for _ in range(count):
        unpadded, at = _number(data, at)
        plain, at = _number(data, at)
        records.append((unpadded, plain))
    return records


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where the next one stands."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
