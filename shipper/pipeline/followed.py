"""One followed generation of a file: where reading stands, and by which layout.

Every field is written by the tailer and by what it reads through. Three
offsets matter: `read_offset` (bytes handed to the framer), `chunk_end`
(converted and offered to the sender), and the watermark (everything below is
acked, filtered or among the dead letters). Only the last one is ever saved.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import msgspec

from shipper.adapters.files import Turn
from shipper.adapters.offsets import Life
from shipper.core.converter import Converter
from shipper.core.detect import Choice
from shipper.core.doubt import SURE_AFTER_LINES, Doubt, misfits_in
from shipper.core.framing import Framer
from shipper.core.identity import GUARD_BYTES, HEAD_BYTES, NO_GUARD, Guard, Point, Trail, guard_of
from shipper.core.ledger import HOLE, Entry, digest_of, without_delivery
from shipper.core.model import NO_FILES, Chunk, ChunkKind, Encoded, FileFacts, FileKey
from shipper.core.watermark import Ticket
from shipper.errors import SourceError
from shipper.pipeline.contents import Content
from shipper.pipeline.followed_row import FollowedRow
from shipper.pipeline.reading import SourceReading

RECENT_BYTES: Final = 8192
LONGEST_LOOK_SECONDS: Final = 0.1  # at the first bytes: others are to be read meanwhile

_NO_ATTRIBUTES: Final[dict[str, str]] = {}  # one for the many files that have none; never written to


class Followed(FollowedRow):
    """A file being read, and its row in the offset store."""

    __slots__ = (
        "_digest",
        "_forced_end",
        "_trail",
        "ahead",
        "at_end",
        "bypassed_until",
        "carry",
        "chosen",
        "chunk_end",
        "chunk_tail",
        "converter",
        "detached",
        "doubt",
        "error_since_ms",
        "file",
        "framer",
        "last_error",
        "not_before",
        "path_attributes",
        "quiet_since",
        "rate_limit",
        "read_offset",
        "reading",
        "recent",
        "reframe",
        "settled_ms",
        "tail",
        "timeouts",
        "waits_for",
    )

    def __init__(self, life: Life, reading: SourceReading, path_attributes: dict[str, str], *, lineage: int) -> None:
        """Take up *life* at its saved offset; *lineage* names the stream whose order must hold."""
        super().__init__(life, lineage)
        self.reading = reading
        self.path_attributes = path_attributes or _NO_ATTRIBUTES
        self.file: Content | None = None
        self.ahead: asyncio.Future[Turn] | None = None
        self.waits_for: set[FileKey] | frozenset[FileKey] = NO_FILES
        self.last_error: str | None = None
        self.error_since_ms = 0
        self.settled_ms = 0  # when the file was last seen wholly delivered; 0 for never
        self.at_end = self.reframe = self.detached = False
        self.quiet_since = self.bypassed_until = self.not_before = 0.0
        self.chosen: Choice | None = None
        self.doubt: Doubt | None = None
        self.recent = b""
        self.rate_limit = reading.rate_limit
        self.carry = self.watermark.safe.carry
        self.converter: Converter | None = None
        self.framer: Framer | None = None
        self.read_offset = self.chunk_end = life.offset
        self.tail = self.chunk_tail = b""
        self._trail: Trail | None = None
        self.timeouts = self._digest = 0
        self._forced_end = -1

    # -- reading ---------------------------------------------------------------------------------

    @property
    def guard(self) -> Guard:
        """Digest of the last bytes before `read_offset`."""
        return guard_of(self.tail) if self.tail else self._guard

    @property
    def points(self) -> tuple[Point, ...]:
        """Where reading stood before, oldest first."""
        return self._trail.points if self._trail is not None else ()

    def _pass_by(self) -> None:
        self._trail = self._trail or Trail()
        self._trail.pass_by(self.read_offset, self.tail)

    @property
    def open_bytes(self) -> int:
        """Bytes that were read and belong to a record that is not complete."""
        return self.framer.open_bytes if self.framer else 0

    def rest(self) -> None:
        """Give up what only reading on needs, where nothing is open: the carry makes it anew, as at a start."""
        if self.finished:
            self.framer = self.doubt = None
            self.recent = b""

    def settle_layout(self, head: bytes) -> None:
        """Choose how the file is read, from *head*: its first bytes, or those at the offset where it is taken up."""
        if self.framer is not None:
            return
        layout = self.carry.layout
        if not (layout and self.reading.knows(layout)):
            choice = self.reading.choose(head, self.carry.encoding, self.mtime_ms)
            layout = choice.layout
            if self.reading.chooses:
                self.chosen = choice
                self.doubt = Doubt(choice.lines)
        self._read_by(layout)

    def _read_by(self, layout: str) -> None:
        self.converter = self.reading.converter(layout)
        self.carry = msgspec.structs.replace(self.carry, layout=layout if self.reading.chooses else "")
        self.framer = Framer(self.converter.rule, self.read_offset, self.carry)

    def look_again(self, chunk: Chunk, encoded: Encoded) -> bool:
        """Return whether *chunk*, which was read as *encoded*, and what follows are to be read by another layout."""
        if not self.reading.chooses or self.bypassed_until or chunk.kind is not ChunkKind.RECORDS:
            return False
        self.doubt = self.doubt or Doubt(SURE_AFTER_LINES)
        lines = chunk.data.count(b"\n")
        misfits = misfits_in(encoded.records, encoded.unparsed, lines)
        sample = chunk.data
        if self.doubt.young:  # a file that grows line by line: one line alone would say little
            sample = self.recent + chunk.data
            if len(sample) > RECENT_BYTES:
                sample = sample[-RECENT_BYTES:].partition(b"\n")[2] or chunk.data
        self.recent = sample if self.doubt.young else b""
        if not self.doubt.grows(max(lines, encoded.records), misfits):
            return False
        choice = self.reading.choose_again(self.carry.layout, sample, self.carry.encoding, self.mtime_ms)
        if choice is None:
            return False
        self.chosen = choice
        self.doubt = Doubt(choice.lines)
        self.converter = self.reading.converter(choice.layout)
        self.carry = msgspec.structs.replace(self.carry, layout=choice.layout)
        self.reframe = True
        return True

    def frame_anew(self) -> int:
        """Cut what follows the last converted chunk by the new layout; return how many bytes are read once more."""
        again = self.read_offset - self.chunk_end
        self.reframe = False
        self.read_offset, self.tail = self.chunk_end, self.chunk_tail
        self.ahead = None
        self.at_end = False
        self._read_by(self.carry.layout)
        return again

    def read_by(self, source: str, reading: SourceReading, path_attributes: dict[str, str]) -> int:
        """Read what follows the last converted chunk by other rules; return how many bytes are read once more."""
        again = self.read_offset - self.chunk_end
        self.source, self.reading, self.path_attributes = source, reading, path_attributes
        self.rate_limit = reading.rate_limit
        self.read_offset, self.tail = self.chunk_end, self.chunk_tail
        self.converter = self.framer = self.ahead = None
        self.at_end = self.reframe = False
        self.not_before = self.bypassed_until = 0.0
        self.recent, self.timeouts = b"", 0
        return again

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the bytes at `read_offset` and return the chunks that they complete."""
        self.settle_layout(data)
        if self.framer is None:
            raise AssertionError("settle_layout makes the framer")
        chunks = self.framer.feed(data)
        self.read_offset += len(data)
        self.tail = (self.tail + data)[-GUARD_BYTES:] if len(data) < GUARD_BYTES else data[-GUARD_BYTES:]
        self._pass_by()
        if self.framer.encoding != self.carry.encoding:
            self.carry = msgspec.structs.replace(self.carry, encoding=self.framer.encoding)
        return chunks

    @property
    def held(self) -> Chunk | None:
        """The bytes that were read and belong to a record that is not complete; None where there are none."""
        return self.framer.held if self.framer is not None and self.framer.open_bytes else None

    def give_up_held(self) -> None:
        """Take what is held back as a record that is closed: somebody else has made it one."""
        self._forced_end = self.read_offset
        self._read_by(self.carry.layout if self.reading.chooses else self.reading.rule.layout)

    def take_lead(self, lead: bytes, why: str, now_ms: int) -> Ticket:
        """Begin behind *lead*, the first bytes, which go into another file's record; the ticket is acked with that."""
        self.read_offset = self.chunk_end = len(lead)
        self.tail = self.chunk_tail = lead[-GUARD_BYTES:]
        self._pass_by()
        ticket = self.watermark.track(len(lead), self.carry, self.tail)
        ticket.accounts = (without_delivery(0, len(lead), why, now_ms),)
        return ticket

    def skip(self, count: int, why: str, now_ms: int) -> None:
        """Go on *count* bytes further on: those that stood here are lost, for the reason *why*, and nothing is open."""
        offset = self.read_offset + count
        if self.carry.part is not None:
            self.carry = msgspec.structs.replace(self.carry, part=None)
        ticket = self.watermark.track(offset, self.carry, b"")
        ticket.accounts = (without_delivery(self.chunk_end, offset, why, now_ms),)
        self.watermark.ack(ticket)
        self.read_offset = self.chunk_end = offset
        self.tail = self.chunk_tail = b""
        self._trail = None
        self._guard = NO_GUARD
        if self.framer is not None:
            self._read_by(self.carry.layout if self.reading.chooses else self.reading.rule.layout)

    def close_record(self) -> list[Chunk]:
        """Return what is held back as a record of its own."""
        chunks = self.framer.close() if self.framer else []
        if chunks:
            self._forced_end = chunks[-1].end
        return chunks

    def facts(self) -> FileFacts:
        """Return what a converter is told of the file."""
        shown = self.path.encode("utf-8", "backslashreplace").decode("utf-8")
        return FileFacts(
            key=self.key, path=shown, name=shown.rpartition("/")[2], mtime_ms=self.mtime_ms,
            attributes=self.path_attributes,
        )  # fmt: skip

    def converter_now(self, monotonic: float) -> Converter:
        """Return the converter to use: the bypass while a runaway pattern is out of use."""
        if self.bypassed_until > monotonic:
            return self.reading.bypass()
        if self.converter is None:
            raise AssertionError("a chunk comes from feed, which settles the layout")
        return self.converter

    def track(self, chunk: Chunk, encoded: Encoded) -> Ticket:
        """Note *chunk* as converted; the returned ticket is acked when it is settled."""
        accounts: tuple[Entry, ...] = ()
        if chunk.start > self.chunk_end:  # the framer has stepped over these
            accounts = (without_delivery(self.chunk_end, chunk.start, HOLE, self.mtime_ms),)
        known = self.chunk_tail if chunk.start == self.chunk_end else b""
        chunk_tail = (known + chunk.data[-GUARD_BYTES:])[-GUARD_BYTES:]
        self.chunk_tail = self.tail if chunk_tail == self.tail else chunk_tail  # one object: there are many files
        self.chunk_end = chunk.end
        seed, self._digest = self._digest, digest_of(chunk.data, self._digest)
        cuts = [chunk.end] if chunk.end == self._forced_end else []
        layout = self.carry.layout
        self.carry = encoded.carry
        ticket = self.watermark.track(chunk.end, encoded.carry, self.chunk_tail)
        ticket.accounts = (*accounts, Entry(chunk.start, chunk.end, seed, self._digest, layout=layout, cuts=cuts))
        return ticket

    @property
    def open_timeout(self) -> float:
        """Seconds that the file must be quiet at its end before an open record is closed."""
        rule = self.converter.rule if self.converter else self.reading.rule
        return (rule.multiline.timeout_ms if rule.multiline else rule.open_line_timeout_ms) / 1000

    async def grow_head(self) -> None:
        """Take the fingerprint anew where the file has grown."""
        if self.file is None or self.head.length >= min(HEAD_BYTES, self.size):
            return
        # Where that takes long or fails it grows with a later read, or that one says what is wrong.
        first = asyncio.ensure_future(self.file.first())
        first.add_done_callback(lambda done: done.cancelled() or done.exception())
        if (await asyncio.wait({first}, timeout=LONGEST_LOOK_SECONDS))[0]:
            with suppress(SourceError):
                self.head = self.head.grown(first.result())

    @property
    def pending_bytes(self) -> int:
        """Bytes that were read or are known to be there, and are not safe yet."""
        return max(self.size, self.read_offset) - self.watermark.safe.offset

    @property
    def finished(self) -> bool:
        """Whether everything that was seen of the file is safe and saved."""
        return self.at_end and not self.open_bytes and self.saved_offset >= self.read_offset
