"""Compressed files, read by offsets of their text: gzip, bzip2, xz, zstd, told apart by their first bytes.

Reading on is cheap. Reading what lies behind begins at the last restart
point before it: a place inside the file at which a decoder can start. Points
are found as the file is read, and may be kept and given back when the file is
opened again.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Literal, Self

from shipper.adapters.compressed_bytes import Bytes, HeldBytes, LocalBytes, shown
from shipper.adapters.compressed_bzip2 import MAGIC as BZIP2
from shipper.adapters.compressed_bzip2 import Bzip2Decoder
from shipper.adapters.compressed_gzip import MAGIC as GZIP
from shipper.adapters.compressed_gzip import GzipDecoder
from shipper.adapters.compressed_xz import MAGIC as XZ
from shipper.adapters.compressed_xz import XzDecoder
from shipper.adapters.compressed_zstd import MAGIC as ZSTD
from shipper.adapters.compressed_zstd import ZstdDecoder, is_skippable
from shipper.core.restart import Damaged, Decoder, NeedsMemory, RestartPoint
from shipper.errors import FileUnreadable

Kind = Literal["gzip", "bzip2", "xz", "zstd"]

HELD_BEHIND_BYTES: Final = 2 << 20  # what stays at hand of what was read, for a short step back
POINT_EVERY_BYTES: Final = 8 << 20
UNPACK_BYTES: Final = 128 << 20  # of text at hand: what the zstd command takes without being asked; xz -9 has 64 MiB
MOST_POINTS: Final = 256  # beyond, every other one is given up: 8 MiB of windows at most

_QUICK: Final = ("gzip", "zstd")  # a step of these takes less than handing it to a thread does


def kind_of(head: bytes) -> Kind | None:
    """Return how a file that begins with *head* (4 bytes or more) is compressed; None for plain text."""
    if head.startswith(GZIP):
        return "gzip"
    if head.startswith(BZIP2) and head[3:4] in b"123456789" and head[4:5] in (b"", b"1", b"\x17"):
        return "bzip2"
    if head.startswith(XZ):
        return "xz"
    return "zstd" if head.startswith(ZSTD) or is_skippable(head) else None


class CompressedFile:
    """A compressed file, open for reading; owned by one thread at a time. Every call may block on the disk.

    Attributes:
        kind: How it is compressed.
        length: Bytes of its text, where that is known without reading all of it (or all of it was read); else None.
        size: Bytes of the compressed file, when it was opened.
    """

    def __init__(
        self, path: str, packed: Bytes, points: Iterable[RestartPoint] = (), unpack_bytes: int = UNPACK_BYTES
    ) -> None:
        """Read *packed*, which is closed with this; *path* is what errors call it, *points* were found in it before.

        A window or dictionary of more than *unpack_bytes* is refused.

        Raises:
            FileUnreadable: It is not compressed in a way that is known.
        """
        kind = kind_of(packed.read(0, 8))
        if kind is None:
            raise FileUnreadable(f"{shown(path)}: not a gzip, bzip2, xz or zstd file")
        self.path = path
        self.kind: Kind = kind
        self.size = packed.size
        self.length: int | None = None
        self._unpack_bytes = unpack_bytes
        self._packed = HeldBytes(packed)
        self._holds_ahead = False
        self._decoder = self._decoder_for(kind)
        self._points = sorted({point.plain: point for point in points if point.plain}.values(), key=_plain)
        if isinstance(self._decoder, XzDecoder):
            self.length = self._decoder.length
            self._points = self._decoder.points()
        self._spacing = POINT_EVERY_BYTES
        self._text = bytearray()
        self._begin = 0
        self._damage: Damaged | None = None

    @classmethod
    def open(cls, path: str, points: Iterable[RestartPoint] = (), unpack_bytes: int = UNPACK_BYTES) -> Self:
        """Open *path*; *points* were found in the same file before. More than *unpack_bytes* at hand is refused.

        Raises:
            FileVanished: There is no such file.
            FileUnreadable: It must not be read, or is not compressed in a way that is known.
        """
        packed = LocalBytes(path)
        try:
            return cls(path, packed, points, unpack_bytes)
        except BaseException:
            packed.close()
            raise

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes of the text at *offset*; fewer before damage or the end, none at the end.

        Raises:
            FileUnreadable: The file is damaged or cut short right where *offset* is, or before; it names the byte.
        """
        data = self._read(offset, size)
        if self._holds_ahead and not self._packed.has_enough(self._decoder.byte):
            with suppress(FileUnreadable):  # said when the decoder asks for these bytes: what it has is good
                self._packed.hold(self._decoder.byte)
        return data

    def read_now(self, offset: int, size: int) -> bytes | None:
        """Return what `read_at` would, where that neither blocks nor takes long; None where it may.

        Whoever asks has `read_at`, which he calls in a thread then, hold more of the compressed file.

        Raises:
            FileUnreadable: As `read_at`.
        """
        if self.kind not in _QUICK:
            return None
        self._holds_ahead = True
        if not self._begin <= offset <= self._end or not self._packed.has_enough(self._decoder.byte):
            return None
        return self._read(offset, size)

    @property
    def compressed_offset(self) -> int:
        """How far the compressed file was read, in bytes."""
        return self._decoder.byte

    @property
    def points(self) -> tuple[RestartPoint, ...]:
        """The restart points that are known, in file order; for an xz file none need to be kept."""
        return tuple(self._points) if self.kind != "xz" else ()

    def point_before(self, offset: int) -> RestartPoint | None:
        """Return the last known restart point at or before *offset* of the text; None for the file's beginning."""
        at = bisect_right(self._points, offset, key=_plain)
        return self._points[at - 1] if at else None

    def find_length(self) -> int | None:
        """Return the bytes of text where the file's own headers say so, at little cost; else None."""
        if self.length is None and isinstance(self._decoder, ZstdDecoder):
            self.length = self._decoder.length()
        return self.length

    def guess_length(self) -> int:
        """Return about how many bytes of text there are, as the part that was read is packed."""
        known = self.find_length()
        if known is not None:
            return known
        read = self.compressed_offset
        if not read:
            return self._end
        guess = round(self._end * self.size / read)
        if self.kind == "gzip" and self.size > 8:
            # The last member's length, modulo 4 GiB: all of it where there is one member.
            said = int.from_bytes(self._packed.read(self.size - 4, 4), "little")
            said += round((guess - said) / (1 << 32)) * (1 << 32)
            if abs(said - guess) < guess // 2:
                return said
        return guess

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._packed.close()

    # -- moving --------------------------------------------------------------------------------------

    def _read(self, offset: int, size: int) -> bytes:
        self._go_to(offset)
        while self._end < offset + size and self._damage is None:
            try:
                text = self._step()
            except Damaged as damage:
                self._damage = damage
                break
            if not text:
                break
        data = bytes(self._text[offset - self._begin : offset - self._begin + size]) if self._end > offset else b""
        if not data and self._damage is not None and size:
            if isinstance(self._damage, NeedsMemory):
                raise FileUnreadable(self._too_large(self._damage))
            raise FileUnreadable(
                f"{shown(self.path)}: damaged at byte {self._damage.byte} of {self.size}: {self._damage.why};"
                f" {self._end} bytes of its text could be read"
            )
        self._forget(offset)
        return data

    @property
    def _end(self) -> int:
        return self._begin + len(self._text)

    def _go_to(self, offset: int) -> None:
        """Have the decoder stand before *offset*, or the text there at hand."""
        point = self.point_before(offset)
        behind = offset < self._begin
        if behind or (point is not None and point.plain > self._end):
            start = point or RestartPoint(0, 0)
            self._decoder.begin(start)
            self._text.clear()
            self._begin = start.plain
            self._damage = None
        while self._end < offset and self._damage is None:  # what lies between is decoded and given up
            try:
                if not self._step():
                    return
            except Damaged as damage:
                self._damage = damage
            self._forget(offset)

    def _step(self) -> bytes:
        """Decode some more, and note where that could begin."""
        self._note_point()
        text = self._decoder.step()
        self._text += text
        if not text:
            self.length = self._end
        return text

    def _note_point(self) -> None:
        if self.kind == "xz" or self._end - (self._points[-1].plain if self._points else 0) < self._spacing:
            return
        point = self._decoder.point()
        if point is None:
            return
        insort(self._points, point, key=_plain)
        if len(self._points) > MOST_POINTS:
            self._points = self._points[1::2]
            self._spacing *= 2

    def _forget(self, offset: int) -> None:
        surplus = min(offset, self._end) - HELD_BEHIND_BYTES - self._begin
        if surplus > HELD_BEHIND_BYTES:
            del self._text[:surplus]
            self._begin += surplus

    def _too_large(self, needs: NeedsMemory) -> str:
        what = "window" if self.kind == "zstd" else "dictionary"
        size = f"{what} of {needs.needed / (1 << 20):.0f} MiB" if needs.needed else f"larger {what}"
        return (
            f"{shown(self.path)}: unpacking it takes a {size}, {self._unpack_bytes >> 20} MiB are allowed;"
            f" unpack it first ({needs.unpack}), or allow a backfill more with --unpack-memory"
        )

    def _decoder_for(self, kind: Kind) -> Decoder:
        read = self._packed.read
        match kind:
            case "gzip":
                return GzipDecoder(read)
            case "bzip2":
                return Bzip2Decoder(read)
            case "xz":
                return XzDecoder(read, self.size, self._unpack_bytes)
            case "zstd":
                return ZstdDecoder(read, self._unpack_bytes)


def _plain(point: RestartPoint) -> int:
    return point.plain
