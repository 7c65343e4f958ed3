"""Cuts a file's bytes into chunks of whole records.

Whatever the pieces it is fed in, the records come out the same: where a record
ends depends on the bytes alone. What is held back is the open record at the
end; memory is bounded, because a line longer than `max_open_bytes` leaves in
parts and a hole of NULs is stepped over.
"""

from __future__ import annotations

import re
from typing import Final

from shipper.core.containers import Joined, joins
from shipper.core.encodings import configured_name, find_mark, newline_of, without_mark, word_border
from shipper.core.model import Carry, Chunk, ChunkKind
from shipper.core.records import RecordSplitter
from shipper.core.rule import RecordFormat, Rule
from shipper.core.text import without_ansi

_WHOLE_DOCKER_LINE: Final = re.compile(
    rb'^\{"log":"(?:[^"\\\n]++|\\[^n\n]|\\n(?!"))*+\\n","stream":"std(?:out|err)"', re.MULTILINE
)
_CRI_PARTIALS: Final = (b" stdout P", b" stderr P")
_SMALLEST_OPEN_BYTES: Final = 16


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
        self._ansi = rule.ansi
        self._format = rule.format
        self._multiline = rule.multiline
        self._max_open = max(max_open_bytes, rule.multiline.max_bytes if rule.multiline else 0, _SMALLEST_OPEN_BYTES)
        self._chunk_bytes = min(chunk_bytes, self._max_open)
        self._pending = b""
        self._start = at
        self.read_offset = at
        self.skipped_nul_bytes = 0
        self._in_part = carry.part is not None
        self._configured = configured_name(rule.encoding)
        self._look_for_mark = at == 0
        self.encoding = ""
        if not self._look_for_mark:
            self._use(carry.encoding or without_mark(self._configured))

    @property
    def open_bytes(self) -> int:
        """Bytes held back."""
        return len(self._pending)

    @property
    def held(self) -> Chunk:
        """What is held back."""
        return Chunk(self._start, self._start + len(self._pending), self._pending)

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

    def _use(self, encoding: str) -> None:
        self.encoding = encoding
        self._newline = newline_of(encoding)
        self._unit = len(self._newline)
        self._hole = self._newline + b"\0" * self._unit
        # What follows a part must be more than a line end, so that the last part is never empty.
        self._longest_line = self._max_open + 2 * self._unit

    def _find_mark(self, *, final: bool) -> bool:
        found = find_mark(self._pending, self._configured, final=final)
        if found is None:
            return False
        length, encoding = found
        self._use(encoding)
        self._pending = self._pending[length:]
        self._start += length
        self._look_for_mark = False
        return True

    # -- cutting ---------------------------------------------------------------------------------

    def _cut(self, *, final: bool) -> list[Chunk]:
        chunks: list[Chunk] = []
        while True:
            if self._in_part and not self._go_on_with_part(chunks, final=final):
                return chunks
            self._skip_hole()
            if end := self._next_end():
                self._emit(chunks, end, ChunkKind.RECORDS)
            elif len(self._pending) > self._longest_line < (self._find(0) or len(self._pending)):
                self._in_part = True
                self._emit(chunks, self._part_end(), ChunkKind.PART)
            else:
                break
        whole = len(self._pending) - len(self._pending) % self._unit
        if final and whole:
            self._in_part = self._rfind(whole) != whole
            self._emit(chunks, whole, ChunkKind.RECORDS)
        return chunks

    def _emit(self, chunks: list[Chunk], end: int, kind: ChunkKind) -> None:
        chunks.append(Chunk(self._start, self._start + end, self._pending[:end], kind))
        self._pending = self._pending[end:]
        self._start += end

    def _skip_hole(self) -> None:
        """Step over NULs at the start of a line: the hole of a writer who kept its offset over a truncation."""
        if not self._pending.startswith(b"\0"):
            return
        skipped = len(self._pending) - len(self._pending.lstrip(b"\0"))
        skipped -= skipped % self._unit
        self._pending = self._pending[skipped:]
        self._start += skipped
        self.skipped_nul_bytes += skipped

    def _part_end(self) -> int:
        return word_border(self._pending, self._max_open - self._max_open % self._unit, self.encoding)

    def _go_on_with_part(self, chunks: list[Chunk], *, final: bool) -> bool:
        """Emit the rest of a record that was sent in part; return whether it is complete."""
        line_end = self._find(0)
        while (line_end or len(self._pending)) > self._longest_line:
            cut = self._part_end()
            self._emit(chunks, cut, ChunkKind.PART)
            line_end = line_end - cut if line_end else 0
        if line_end:
            self._emit(chunks, line_end, ChunkKind.LAST_PART)
            self._in_part = False
            return True
        whole = len(self._pending) - len(self._pending) % self._unit
        if final and whole:
            self._emit(chunks, whole, ChunkKind.LAST_PART)
        return False

    # -- where the next chunk ends -----------------------------------------------------------------

    def _next_end(self) -> int:
        """Return the length of the next chunk of whole records; 0 for none yet, or where a long line comes first."""
        last = self._rfind(len(self._pending))
        container = self._format in (RecordFormat.CRI, RecordFormat.DOCKER)
        if self._splitter.multi or container:
            last, closed = self._border(last)
            if not last:
                return 0
            end = self._container_end(last) if container else self._multi_end(last)
            return end or (last if closed else 0)
        if last <= self._chunk_bytes:
            return last
        end = self._rfind(self._chunk_bytes) or self._find(self._chunk_bytes)
        return 0 if end > self._longest_line else end

    def _border(self, last: int) -> tuple[int, bool]:
        """Return up to where records may be looked for, and whether the one before must end there.

        Neither a line that leaves in parts nor a hole is within a record.
        """
        closed = self._pending.startswith(b"\0" * self._unit, last)
        # One byte is looked for far faster than two, and nearly no text has a NUL.
        some = self._unit > 1 or self._pending.find(b"\0", 0, last) >= 0
        hole = self._pending.find(self._hole, 0, last) if some else -1
        while hole >= 0 and hole % self._unit:
            hole = self._pending.find(self._hole, hole + 1, last)
        if hole >= 0:
            last, closed = hole + self._unit, True
        if len(self._pending) <= self._longest_line:
            return last, closed
        at = 0
        while at < last:
            end = self._find(at)
            if end - at > self._longest_line:
                return at, True
            at = end
        return last, closed or len(self._pending) - last > self._longest_line

    def _multi_end(self, last: int) -> int:
        """Return the end of the last complete record, at most about a chunk away."""
        near = self._rfind(self._chunk_bytes) if last > self._chunk_bytes else last
        end = self._start_before(near) or self._limit_end(near)
        return end if end or near == last else self._start_after(near, last) or self._limit_end(last)

    def _start_before(self, at: int) -> int:
        """Return where the last line begins that starts a record, is complete and stands before *at*; 0 for none."""
        end = at
        while end > 0:
            begin = self._rfind(end - self._unit)
            if begin and self._is_start(begin, end):
                return begin
            end = begin
        return 0

    def _start_after(self, at: int, last: int) -> int:
        begin = at
        while begin < last:
            end = self._find(begin)
            if begin and self._is_start(begin, end):
                return begin
            begin = end
        return 0

    def _is_start(self, begin: int, end: int) -> bool:
        above = self._line(self._rfind(begin - self._unit), begin)
        return self._splitter.is_start(self._line(begin, end), above)

    def _limit_end(self, last: int) -> int:
        """Return where the limits were last reached before *last*, in lines of which only the first starts a record."""
        rules = self._multiline
        if rules is None:
            return 0
        cut = text_bytes = lines = at = 0
        while at < last:
            end = self._find(at)
            width = len(self._line(at, end).encode("utf-8", "surrogatepass")) + 1
            if lines and (lines >= rules.max_lines or text_bytes + width > rules.max_bytes):
                cut, lines, text_bytes = at, 0, 0
            lines += 1
            text_bytes += width
            at = end
        return at if lines >= rules.max_lines else cut

    def _container_end(self, last: int) -> int:
        """Return the end of the last line after which no message is open, or where one has gone on for too long."""
        if self._splitter.multi:
            return self._joined_end(last)
        near = last if last <= self._chunk_bytes else self._rfind(self._chunk_bytes) or self._find(0)
        if self._all_whole(near):
            return near
        open_streams: set[str] = set()
        closed = at = 0
        while at < last and closed < self._chunk_bytes:
            end = self._find(at)
            stream, whole = joins(self._line(at, end), self._format)
            (open_streams.discard if whole else open_streams.add)(stream)
            at = end
            if not open_streams:
                closed = at
            elif at - closed > self._max_open:
                return at
        return closed

    def _joined_end(self, last: int) -> int:
        """Return the same where messages are joined to records."""
        joined = Joined(self._format, self._splitter)
        ends = [0]
        while ends[-1] < last and ends[joined.whole] < self._chunk_bytes:
            ends.append(self._find(ends[-1]))
            joined.add(len(ends) - 2, self._line(ends[-2], ends[-1]))
            if ends[-1] - ends[joined.whole] > self._max_open:
                return ends[-1]
        return ends[joined.whole]

    def _all_whole(self, last: int) -> bool:
        """Return whether it is plain that no line before *last* is a partial one."""
        if self._unit > 1:
            return False
        if self._format is RecordFormat.CRI:
            return not any(self._pending.find(mark, 0, last) >= 0 for mark in _CRI_PARTIALS)
        region = self._pending[:last]
        return len(_WHOLE_DOCKER_LINE.findall(region)) == region.count(b"\n")

    # -- lines -------------------------------------------------------------------------------------

    def _line(self, begin: int, end: int) -> str:
        text = self._pending[begin:end].decode(self.encoding, "backslashreplace")
        text = text.removesuffix("\n").removesuffix("\r").lstrip("\0")
        return without_ansi(text) if self._ansi else text

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
