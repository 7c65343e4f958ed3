"""zstd, frame by frame and inside a frame block by block; each frame is a restart point.

pzstd, `zstd --adapt` and the seekable format write many frames; plain `zstd`
writes one, whose header mostly says how much text it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import zstandard

from shipper.core.restart import Damaged, NeedsMemory, RestartPoint

MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = 0x184D2A50
_RAW, _REPEATED, _RESERVED = 0, 1, 3
_LONGEST_HEADER: Final = 18


def is_skippable(head: bytes) -> bool:
    """Return whether a frame that begins with *head* holds no text."""
    return len(head) >= 4 and int.from_bytes(head[:4], "little") & 0xFFFFFFF0 == _SKIPPABLE


class ZstdDecoder:
    """Reads a zstd file from a place on."""

    def __init__(self, read: Callable[[int, int], bytes], most_bytes: int) -> None:
        """*read* gives bytes of the compressed file: (offset, size). A window may be *most_bytes* large."""
        self._read = read
        self._most_bytes = most_bytes
        self.begin(RestartPoint(0, 0))

    def begin(self, point: RestartPoint) -> None:
        self.byte = point.bit // 8
        self._plain = point.plain
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._checksum = False

    def point(self) -> RestartPoint | None:
        return RestartPoint(self.byte * 8, self._plain) if self._frame is None else None

    def step(self) -> bytes:
        while True:
            if self._frame is None and not self._begin_frame():
                return b""
            if self._frame is not None and (text := self._block(self._frame)):
                self._plain += len(text)
                return text

    def length(self) -> int | None:
        """Return how much text the whole file holds, from the frames' headers; None where one does not say."""
        at = total = 0
        while head := self._read(at, _LONGEST_HEADER):
            if is_skippable(head):
                at += 8 + int.from_bytes(head[4:8], "little")
                continue
            size = zstandard.frame_content_size(head) if head.startswith(MAGIC) and len(head) > 8 else -1
            if size < 0:
                return None
            total += size
            at = self._frame_end(at, head)
        return total

    def _frame_end(self, at: int, head: bytes) -> int:
        parameters = zstandard.get_frame_parameters(head)
        at += zstandard.frame_header_size(head)
        while len(mark := self._read(at, 3)) == 3:
            value = int.from_bytes(mark, "little")
            at += 3 + (1 if value >> 1 & 3 == _REPEATED else value >> 3)
            if value & 1:
                break
        return at + (4 if parameters.has_checksum else 0)

    def _begin_frame(self) -> bool:
        """Read a frame's header; return whether there was a frame, with text or without."""
        head = self._read(self.byte, _LONGEST_HEADER)
        if not head:
            return False
        if is_skippable(head) and len(head) >= 8:
            self.byte += 8 + int.from_bytes(head[4:8], "little")
            return True
        if not head.startswith(MAGIC):
            raise Damaged(self.byte, "no zstd frame begins here")
        try:
            size = zstandard.frame_header_size(head)
            parameters = zstandard.get_frame_parameters(head)
        except zstandard.ZstdError:
            raise Damaged(self.byte, "the file ends within a frame's header") from None
        self._checksum, window = parameters.has_checksum, parameters.window_size
        if window > self._most_bytes:
            raise NeedsMemory(self.byte, window, f"zstd -dc --long={(window - 1).bit_length()}")
        self._frame = zstandard.ZstdDecompressor(max_window_size=max(window, 1024)).decompressobj()
        self._feed(self._frame, head[:size])
        return True

    def _block(self, frame: zstandard.ZstdDecompressionObj) -> bytes:
        mark = self._read(self.byte, 3)
        value = int.from_bytes(mark, "little")
        kind, size = value >> 1 & 3, 1 if value >> 1 & 3 == _REPEATED else value >> 3
        last = bool(value & 1)
        wanted = 3 + size + (4 if last and self._checksum else 0)
        data = self._read(self.byte, wanted)
        if len(mark) < 3 or len(data) < wanted:
            raise Damaged(self.byte + len(data), "the file ends within a frame")
        if kind == _RESERVED:
            raise Damaged(self.byte, "no zstd block")
        text = self._feed(frame, data)
        if last:
            self._frame = None
        return text

    def _feed(self, frame: zstandard.ZstdDecompressionObj, data: bytes) -> bytes:
        try:
            text = frame.decompress(data)
        except zstandard.ZstdError as error:
            raise Damaged(self.byte, f"no zstd data ({error})") from None
        self.byte += len(data)
        return text
