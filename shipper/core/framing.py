"""Cuts a file's bytes into chunks of whole records.

Whatever the pieces it is fed in, the records come out the same: a cut depends
on the bytes alone. What is held back is the open record at the end; memory is
bounded, because a record longer than `max_open_bytes` leaves in parts and a
hole of NULs is stepped over.
"""

from __future__ import annotations

import codecs
from typing import Final

from shipper.core.model import Carry, Chunk, ChunkKind
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat, Rule

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_MARK: Final = 4
_UNITS: Final = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_NATIVE: Final = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}


class Framer:
    """One generation's bytes, in file order; owned by whoever reads the file.

    Attributes:
        read_offset: Offset of the next byte to feed.
        encoding: Codec of the text; empty until the first bytes are seen.
        skipped_nul_bytes: NULs of holes that were stepped over.
    """

    def __init__(
        self, rule: Rule, at: int, carry: Carry, *, chunk_bytes: int = 65_536, max_open_bytes: int = 1 << 20
    ) -> None:
        """Begin at offset *at*, which is a record's first byte or, with *carry*.part, inside one."""
        self._splitter = RecordSplitter(rule)
        self._format = rule.format
        self._chunk_bytes = chunk_bytes
        self._max_open = max(max_open_bytes, rule.multiline.max_bytes if rule.multiline else 0)
        self._multiline = rule.multiline
        self._pending = b""
        self._start = at
        self.read_offset = at
        self.skipped_nul_bytes = 0
        self._in_part = carry.part is not None
        configured = "" if rule.encoding == "auto" else codecs.lookup(rule.encoding).name
        self._look_for_mark = at == 0
        self.encoding = ""
        self._configured = _NATIVE.get(configured, configured)
        if not self._look_for_mark:
            self._use(carry.encoding or self._configured or "utf-8")

    @property
    def open_bytes(self) -> int:
        """Bytes held back."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the bytes at `read_offset` and return the chunks that they complete, in file order."""
        self.read_offset += len(data)
        self._pending = self._pending + data if self._pending else data
        if self._look_for_mark and not self._find_mark(final=False):
            return []
        return self._cut(final=False)

    def close(self) -> list[Chunk]:
        """Return what is held back as records; the next bytes may go on with an unterminated line."""
        if not self._pending:
            return []
        if self._look_for_mark:
            self._find_mark(final=True)
        return self._cut(final=True)

    # -- encoding --------------------------------------------------------------------------------

    def _use(self, encoding: str) -> None:
        self.encoding = encoding
        self._unit = _UNITS.get(encoding, 1)
        self._newline = "\n".encode(encoding) if self._unit > 1 else b"\n"

    def _find_mark(self, *, final: bool) -> bool:
        head = self._pending[:_LONGEST_MARK]
        if not final and len(head) < _LONGEST_MARK and any(mark.startswith(head) for mark, _ in _MARKS):
            return False
        mark, encoding = next(((m, e) for m, e in _MARKS if head.startswith(m)), (b"", ""))
        if encoding and self._configured and self._configured != encoding:
            mark, encoding = b"", ""  # the operator's word stands
        self._use(encoding or self._configured or "utf-8")
        self._pending = self._pending[len(mark) :]
        self._start += len(mark)
        self._look_for_mark = False
        return True

    # -- cutting ---------------------------------------------------------------------------------

    def _cut(self, *, final: bool) -> list[Chunk]:
        chunks: list[Chunk] = []
        while True:
            if not self._in_part:
                self._skip_hole()
            elif not self._go_on_with_part(chunks, final=final):
                return chunks
            if end := self._next_end():
                self._emit(chunks, end, ChunkKind.RECORDS)
            elif len(self._pending) > self._max_open:
                self._in_part = True
                self._emit(chunks, self._character_border(self._max_open), ChunkKind.PART)
            else:
                break
        if final and self._pending:
            whole = len(self._pending) - len(self._pending) % self._unit
            if whole:
                self._in_part = not self._ends_line(whole)
                self._emit(chunks, whole, ChunkKind.RECORDS)
        return chunks

    def _emit(self, chunks: list[Chunk], end: int, kind: ChunkKind) -> None:
        chunks.append(Chunk(self._start, self._start + end, self._pending[:end], kind))
        self._pending = self._pending[end:]
        self._start += end

    def _skip_hole(self) -> None:
        """Step over NULs at the start of a line: the hole that a writer leaves who kept its offset over a truncation."""
        if self._unit > 1 or not self._pending.startswith(b"\0"):
            return
        rest = self._pending.lstrip(b"\0")
        skipped = len(self._pending) - len(rest)
        self._pending = rest
        self._start += skipped
        self.skipped_nul_bytes += skipped

    def _go_on_with_part(self, chunks: list[Chunk], *, final: bool) -> bool:
        """Emit the rest of a record that was sent in part; return whether it is complete."""
        line_end = self._find(0)
        while (line_end or len(self._pending)) > self._max_open:
            cut = self._character_border(self._max_open)
            self._emit(chunks, cut, ChunkKind.PART)
            line_end = line_end - cut if line_end else 0
        if line_end:
            self._emit(chunks, line_end, ChunkKind.LAST_PART)
            self._in_part = False
            return True
        if final and self._pending:
            self._emit(chunks, len(self._pending), ChunkKind.LAST_PART)
        return False

    def _character_border(self, at: int) -> int:
        if self._unit > 1:
            at -= at % self._unit
            if (
                self._unit == 2
                and "\ud800" <= self._pending[at - 2 : at].decode(self.encoding, "surrogatepass") < "\udc00"
            ):
                at -= 2
            return at
        border = at
        while border > at - 4 and self._pending[border] & 0xC0 == 0x80:
            border -= 1
        return border if self.encoding == "utf-8" and border > at - 4 else at

    # -- where the next chunk ends -----------------------------------------------------------------

    def _next_end(self) -> int:
        """Return the length of the next chunk of whole records; 0 when there is none yet."""
        last = self._rfind(len(self._pending))
        if not last:
            return 0
        if self._splitter.multi:
            return self._multi_end(last)
        if self._format in (RecordFormat.CRI, RecordFormat.DOCKER):
            return self._container_end(last)
        if last <= self._chunk_bytes:
            return last
        end = self._rfind(self._chunk_bytes) or self._find(self._chunk_bytes)
        # A line that is longer than may be held leaves in parts, wherever the pieces it came in were cut.
        return 0 if end > self._max_open else end

    def _multi_end(self, last: int) -> int:
        """Return the end of the last complete record, at most about a chunk away."""
        if last > self._chunk_bytes:
            end = self._start_before(self._rfind(self._chunk_bytes)) or self._start_after(
                self._rfind(self._chunk_bytes), last
            )
            if end:
                return end
        else:
            end = self._start_before(last)
            if end:
                return end
        return self._limit_end(last)

    def _start_before(self, at: int) -> int:
        """Return where the last line begins that starts a record, is complete and stands before *at*; 0 for none."""
        end = at
        while end > 0:
            begin = self._rfind(end - self._unit)
            if begin and self._splitter.is_start(self._line(begin, end)):
                return begin
            end = begin
        return 0

    def _start_after(self, at: int, last: int) -> int:
        begin = at
        while begin < last:
            end = self._find(begin)
            if begin and self._splitter.is_start(self._line(begin, end)):
                return begin
            begin = end
        return 0

    def _limit_end(self, last: int) -> int:
        """Return where the open record, which begins at 0, reaches its limits; 0 when it does not."""
        rules = self._multiline
        if rules is None:
            return 0
        text_bytes = lines = at = 0
        while at < last:
            end = self._find(at)
            width = len(self._line(at, end).encode("utf-8", "surrogatepass")) + 1
            if lines and (lines >= rules.max_lines or text_bytes + width > rules.max_bytes):
                return at
            lines += 1
            text_bytes += width
            at = end
        too_long = lines and text_bytes + len(self._pending) - at > rules.max_bytes
        return at if too_long else 0

    def _container_end(self, last: int) -> int:
        """Return the end of the last line after which no stream has an open partial."""
        partial_mark, whole_mark = (b" P ", b"") if self._format is RecordFormat.CRI else (b"", b'\\n"')
        region = self._pending[:last]
        plain = partial_mark not in region if partial_mark else region.count(whole_mark) >= region.count(b"\n")
        if plain:
            return last if last <= self._chunk_bytes else (self._rfind(self._chunk_bytes) or self._find(0))
        open_streams: set[bytes] = set()
        closed = at = 0
        while at < last:
            end = self._find(at)
            stream, whole = _container_line(self._pending[at:end], self._format)
            (open_streams.discard if whole else open_streams.add)(stream)
            at = end
            if not open_streams:
                closed = at
                if closed >= self._chunk_bytes:
                    break
        return closed or (last if len(self._pending) > self._max_open else 0)

    # -- lines -------------------------------------------------------------------------------------

    def _line(self, begin: int, end: int) -> str:
        text = self._pending[begin:end].decode(self.encoding, "backslashreplace")
        return text.removesuffix("\n").removesuffix("\r").lstrip("\0")

    def _ends_line(self, end: int) -> bool:
        return self._pending[:end].endswith(self._newline) and self._rfind(end) == end

    def _find(self, begin: int) -> int:
        """Return the index after the first line end at or after *begin*; 0 for none."""
        at = self._pending.find(self._newline, begin)
        while self._unit > 1 and at >= 0 and at % self._unit:
            at = self._pending.find(self._newline, at + 1)
        return at + self._unit if at >= 0 else 0

    def _rfind(self, end: int) -> int:
        """Return the index after the last line end before *end*; 0 for none."""
        at = self._pending.rfind(self._newline, 0, max(end, 0))
        while self._unit > 1 and at >= 0 and at % self._unit:
            at = self._pending.rfind(self._newline, 0, at + self._unit - 1)
        return at + self._unit if at >= 0 else 0


def _container_line(line: bytes, record_format: RecordFormat) -> tuple[bytes, bool]:
    """Return the stream of a container log line, and whether it ends its message."""
    if record_format is RecordFormat.CRI:
        parts = line.split(b" ", 3)
        return (parts[1], not parts[2].startswith(b"P")) if len(parts) > 2 else (b"", True)
    stream = b"stderr" if b'"stderr"' in line else b"stdout"
    return stream, b'\\n"' in line or not line.startswith(b"{")
