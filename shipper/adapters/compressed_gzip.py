"""gzip, member by member, with restart points inside a member.

The standard library's zlib cannot say where a deflate block ends, which is
what a restart point needs, so the system's libz is called directly (the way
of zlib's own examples/zran.c). Where there is no libz.so.1, decoding works
the same and only the points inside members are missing.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Callable
from typing import Final, Protocol

from shipper.core.restart import Damaged, RestartPoint

READ_BYTES: Final = 65_536
OUT_BYTES: Final = 131_072
WINDOW_BYTES: Final = 32_768
MAGIC: Final = b"\x1f\x8b\x08"

_BLOCK: Final = 5  # Z_BLOCK: stop at the end of each block
_STREAM_END: Final = 1
_BUFFER_ERROR: Final = -5
_HEADER_CRC, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16


class _ZStream(ctypes.Structure):
    """z_stream of zlib.h, unchanged since 1995."""

    _fields_ = (
        ("next_in", ctypes.c_void_p), ("avail_in", ctypes.c_uint), ("total_in", ctypes.c_ulong),
        ("next_out", ctypes.c_void_p), ("avail_out", ctypes.c_uint), ("total_out", ctypes.c_ulong),
        ("msg", ctypes.c_char_p), ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p), ("zfree", ctypes.c_void_p), ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int), ("adler", ctypes.c_ulong), ("reserved", ctypes.c_ulong),
    )  # fmt: skip


def _find_library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libz.so.1")
        library.zlibVersion.restype = ctypes.c_char_p
        return library if library.zlibVersion().startswith(b"1.") else None
    except (OSError, AttributeError):
        return None


_libz: Final = _find_library()


class Inflate(Protocol):
    """One deflate stream."""

    finished: bool

    def step(self, data: bytes) -> tuple[bytes, int]:
        """Take *data*; return some text and how many of its bytes were not used. Raises zlib.error."""

    def bits_left(self) -> int | None:
        """Return how many bits of the last byte belong to the next block; None within a block."""


class BlockInflate:
    """Deflate by the system's zlib, which stops at the end of each block."""

    def __init__(self, window: bytes = b"", bits: int = 0, first: int = 0) -> None:
        """Begin with the last *bits* bits of byte *first*, after the text *window*."""
        if _libz is None:
            raise RuntimeError("there is no libz.so.1")
        self.finished = False
        self._stream = _ZStream()
        self._out = ctypes.create_string_buffer(OUT_BYTES)
        size = ctypes.sizeof(_ZStream)
        self._check(_libz.inflateInit2_(ctypes.byref(self._stream), -15, _libz.zlibVersion(), size))
        self._end = _libz.inflateEnd
        if bits:
            self._check(_libz.inflatePrime(ctypes.byref(self._stream), bits, first >> (8 - bits)))
        if window:
            self._check(_libz.inflateSetDictionary(ctypes.byref(self._stream), window, len(window)))

    def step(self, data: bytes) -> tuple[bytes, int]:
        stream = self._stream
        held = ctypes.create_string_buffer(data, len(data)) if data else None
        stream.next_in = ctypes.addressof(held) if held is not None else None  # a cast would keep the buffer in a cycle
        stream.avail_in = len(data)
        stream.next_out = ctypes.addressof(self._out)
        stream.avail_out = OUT_BYTES
        if _libz is None:
            raise RuntimeError("there is no libz.so.1")
        code = _libz.inflate(ctypes.byref(stream), _BLOCK)
        if code == _STREAM_END:
            self.finished = True
        elif code != _BUFFER_ERROR:
            self._check(code)
        made = OUT_BYTES - int(stream.avail_out)
        return ctypes.string_at(self._out, made), int(stream.avail_in)

    def bits_left(self) -> int | None:
        data_type = int(self._stream.data_type)
        at_border = data_type & 128 and not data_type & 64  # after a block, and not after the last one
        return data_type & 7 if at_border else None

    def __del__(self) -> None:
        end = getattr(self, "_end", None)
        if end is not None:
            end(ctypes.byref(self._stream))

    def _check(self, code: int) -> None:
        if code != 0:
            message = self._stream.msg
            raise zlib.error(message.decode() if message else f"zlib error {code}")


class PlainInflate:
    """Deflate by the standard library: no restart points."""

    def __init__(self) -> None:
        self.finished = False
        self._inflate = zlib.decompressobj(-15)

    def step(self, data: bytes) -> tuple[bytes, int]:
        text = self._inflate.decompress(data, OUT_BYTES)
        self.finished = self._inflate.eof
        return text, len(self._inflate.unused_data if self.finished else self._inflate.unconsumed_tail)

    def bits_left(self) -> int | None:
        return None


class GzipDecoder:
    """Reads a gzip file from a place on."""

    def __init__(self, read: Callable[[int, int], bytes], *, blocks: bool = _libz is not None) -> None:
        """*read* gives bytes of the compressed file: (offset, size)."""
        self._read = read
        self._blocks = blocks
        self.begin(RestartPoint(0, 0))

    def begin(self, point: RestartPoint) -> None:
        self._plain = point.plain
        self._window = bytearray(point.window)
        self._check, self._length = point.check, point.length
        self._held = b""
        self._inflate: Inflate | None = None
        self._fetched = -(-point.bit // 8)  # the next one to be fetched
        if point.length or point.bit % 8:
            bits = -point.bit % 8
            first = self._read(self._fetched - 1, 1)[0] if bits else 0
            self._inflate = BlockInflate(point.window, bits, first)

    @property
    def byte(self) -> int:
        return self._fetched - len(self._held)

    def point(self) -> RestartPoint | None:
        at = self.byte
        if self._inflate is None:
            return RestartPoint(at * 8, self._plain)
        bits = self._inflate.bits_left()
        if bits is None or not self._length:
            return None
        window = bytes(self._window[-WINDOW_BYTES:])
        return RestartPoint(at * 8 - bits, self._plain, window, self._check, self._length)

    def step(self) -> bytes:
        while True:
            if self._inflate is None and not self._begin_member():
                return b""
            text = self._inflate_some()
            if text:
                return text

    def _inflate_some(self) -> bytes:
        inflate = self._inflate
        if inflate is None:
            raise AssertionError("a member is open")
        starved = not self._held and not self._fetch()
        before = len(self._held)
        try:
            text, left = inflate.step(self._held)
        except zlib.error as error:
            raise Damaged(self.byte, f"no deflate data ({error})") from None
        self._held = self._held[before - left :]
        if starved and not text and not inflate.finished:
            raise Damaged(self._fetched, "the file ends within a member")
        self._check = zlib.crc32(text, self._check)
        self._length += len(text)
        self._plain += len(text)
        if self._blocks:
            self._window += text
            if len(self._window) > 4 * WINDOW_BYTES:
                del self._window[:-WINDOW_BYTES]
        if inflate.finished:
            self._end_member()
        return text

    # -- members -----------------------------------------------------------------------------------

    def _begin_member(self) -> bool:
        """Read a header; return whether there was one."""
        while True:  # a tape's padding may follow the last member
            self._held = self._held.lstrip(b"\0")
            if self._held or not self._fetch():
                break
        if not self._held:
            return False
        start = self.byte
        header = self._take(10, start)
        if not header.startswith(MAGIC):
            raise Damaged(start, "no gzip member begins here")
        flags = header[3]
        if flags & _EXTRA:
            self._take(int.from_bytes(self._take(2, start), "little"), start)
        for flag in (_NAME, _COMMENT):
            while flags & flag and self._take(1, start) != b"\0":
                pass
        if flags & _HEADER_CRC:
            self._take(2, start)
        self._inflate = BlockInflate() if self._blocks else PlainInflate()
        self._check = self._length = 0
        self._window.clear()
        return True

    def _end_member(self) -> None:
        at = self.byte
        trailer = self._take(8, at)
        check, length = int.from_bytes(trailer[:4], "little"), int.from_bytes(trailer[4:], "little")
        self._inflate = None
        if check != self._check or length != self._length & 0xFFFFFFFF:
            raise Damaged(at, "the checksum of the member does not fit its text")

    def _take(self, size: int, start: int) -> bytes:
        while len(self._held) < size:
            if not self._fetch():
                raise Damaged(self._fetched, f"the file ends within the member that begins at byte {start}")
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _fetch(self) -> bool:
        more = self._read(self._fetched, READ_BYTES)
        self._fetched += len(more)
        self._held += more
        return bool(more)
