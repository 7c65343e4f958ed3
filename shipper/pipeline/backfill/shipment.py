"""One piece of a text on its way: read, framed, converted, offered to the sender, and accounted for.

Reads as the tailer does, by a `Followed`: the same choice of a layout and
second thoughts, framing, and limits on patterns.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import BinaryIO, Final, NamedTuple

import msgspec

from shipper.adapters.offsets import Life
from shipper.adapters.texts import PackedText, Text, open_text
from shipper.core.batch import Portion, Settlement
from shipper.core.model import Carry, Chunk
from shipper.core.plan import OPEN_END
from shipper.core.restart import RestartPoint
from shipper.errors import SourceError
from shipper.pipeline.accounts import figures, settled_figures
from shipper.pipeline.backfill.account import Account, Underway
from shipper.pipeline.backfill.ahead import Ahead
from shipper.pipeline.backfill.asked import Selection, Window
from shipper.pipeline.backfill.protocol import Finished, Moved, Piece
from shipper.pipeline.backfill.stamps import Places, Subject
from shipper.pipeline.followed import Followed
from shipper.pipeline.guard import BYPASS_SECONDS, PATTERN_TIMEOUTS_ALLOWED, MatchGuard
from shipper.pipeline.letters import letters_for
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.reads import READ_BYTES
from shipper.pipeline.rehearsal import without_age_limits

STEP_BYTES: Final = 1 << 20  # of what is skipped because it is too early

_encode_carry: Final = msgspec.json.Encoder().encode


class Yard(NamedTuple):
    """What the shipments of a process share.

    Attributes:
        offer: Hands a portion to the sender.
        room: Waits until more may be read.
        passed: Waits as a rate limit wants, after so many events and bytes.
        changed: Something of a shipment is settled.
        read: All of a shipment was read, or it waits for its turn.
    """

    guard: MatchGuard
    offer: Callable[[Portion], None]
    room: Callable[[], Awaitable[None]]
    passed: Callable[[int, int], Awaitable[None]]
    changed: Callable[[Shipment], None]
    read: Callable[[], None]
    now_ms: Callable[[], int]
    unpack_bytes: int


class Mark(NamedTuple):
    """What a portion carries back: whose it is, and its place there."""

    shipment: Shipment
    chunk: Underway


class Shipment:
    """Owns a piece from its first byte to its last answer; used from the event loop only.

    Attributes:
        pending: Records that were converted and are not settled.
        all_read: Set when no more of it is read: it is converted, or cannot be.
        saved: Everything below this offset is kept by the owner, as far as he has said.
    """

    def __init__(self, piece: Piece, reading: SourceReading, yard: Yard, stdin: BinaryIO | None = None,
                 after: Shipment | None = None) -> None:  # fmt: skip
        """Read *piece* as *reading* says, once all of *after* was read: what is sent first is converted first."""
        self.piece = piece
        self.all_read = asyncio.Event()
        self._after = after
        self.pending = 0
        self._yard = yard
        self._stdin = stdin
        self._reading = reading
        self._seat(piece.begin, piece.carry)
        self._window = Window(piece.since_ms, piece.until_ms, piece.disorder_ms)
        self._selection = Selection(self._window, yard.guard)
        self._account = Account()
        self._held: list[Portion] | None = [] if piece.hold else None
        self._text: Text | None = None
        self._length: int | None = None
        self._points_said: set[int] = set()
        self._idle, self._gone = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._stopped = self._past = self._read_whole = False

    def _seat(self, begin: int, carry: Carry) -> None:
        piece, key = self.piece, self.piece.facts.key
        life = Life(
            file_id=key.file_id, generation=key.generation, source=self._reading.rule.source, path=piece.facts.path,
            device=0, inode=0, offset=begin, mtime_ns=piece.facts.mtime_ms * 1_000_000, carry=_encode_carry(carry),
        )  # fmt: skip
        self._followed = Followed(life, self._reading, piece.facts.attributes, lineage=piece.number)
        self._begin = self.saved = begin

    # -- from outside --------------------------------------------------------------------------------

    def go(self) -> None:
        """Send what was held back, and what follows."""
        held, self._held = self._held or [], None
        for portion in held:
            self._yard.offer(portion)
        self._gone.set()

    def stop(self) -> None:
        """Read no more; what was held back is given up."""
        self._stopped = True
        if self._held is not None:
            self._held = []
            self._idle.set()
        self._gone.set()

    @property
    def is_over(self) -> bool:
        """Whether nothing more of the piece will be offered for now: all is, or it waits for its turn."""
        return self._read_whole or self._held is not None

    @property
    def unsaved_bytes(self) -> int:
        """Bytes of text that are settled and would be sent again after a kill."""
        return self._followed.watermark.safe.offset - self.saved

    def left(self) -> Finished:
        """Return how the piece stands when there is no time to finish it."""
        return Finished(self.piece.number, None, "stopped", self.pending)

    async def run(self) -> Finished:
        """Send the piece; return when everything that was read of it is settled, or could not be."""
        error = ""
        if self._after is not None:
            await self._after.all_read.wait()
            self._after = None
        try:
            place, points, allowed = self.piece.place, self.piece.points, self._yard.unpack_bytes
            self._text = await asyncio.to_thread(open_text, place, points, self._stdin, allowed)
            await self._read_all(self._text)
        except SourceError as fault:
            error = str(fault)
        finally:
            self.all_read.set()
        if self._held is not None:
            self._yard.read()
            await self._gone.wait()
        self._read_whole = True
        self._yard.read()
        await self._idle.wait()
        if self._text is not None:
            self._text.close()
        return Finished(self.piece.number, self._length, error or ("stopped" if self._stopped else ""), self.pending)

    def report(self) -> Moved | None:
        """Return what is settled since the last report; None where nothing is."""
        safe = self._followed.watermark.safe
        if safe.offset == self._begin and self._account.is_empty:
            return None
        moved = Moved(self.piece.number, self._account.settled(self._begin, safe), safe.offset)
        moved.counts, moved.letters = self._account.take()
        moved.points = self._fresh_points()
        if self._text is not None:
            moved.packed_offset = self._text.packed_offset(safe.offset)
        self._begin = safe.offset
        return moved

    # -- reading ---------------------------------------------------------------------------------------

    async def _read_all(self, text: Text) -> None:
        if self._window.since_ms is not None and text.packing:
            begin = await self._skip_early(text)
            if begin > self.piece.begin:
                self._seat(begin, msgspec.structs.replace(self.piece.carry, part=None))
        followed = self._followed
        ahead = Ahead(text, followed.read_offset, self.piece.end)
        while not self._stopped and not self._past:
            await self._yard.room()
            offset = followed.read_offset
            data = await ahead.take()
            if data:
                chunks = followed.feed(data)
                ahead.reach(offset + len(data))
            else:
                chunks = followed.close_record()
                self._ended(offset)
            if await self._take(chunks):
                await ahead.give_up()
                ahead.reach(followed.read_offset)
            elif not data:
                break
        await ahead.give_up()

    def _ended(self, offset: int) -> None:
        if self.piece.end == OPEN_END:
            self._length = offset
        elif offset < self.piece.end:
            name, end = self.piece.place.shown, self.piece.end
            raise SourceError(f"{name}: it ends at byte {offset}; before, it had {end} or more")

    async def _take(self, chunks: list[Chunk]) -> bool:
        """Convert and offer *chunks*; return whether reading goes back to the last one's end."""
        for chunk in chunks:
            if self._stopped or self._past:
                return False
            events = self._convert(chunk)
            await self._yard.passed(events, len(chunk.data))
            await asyncio.sleep(0)  # the sender's turn
            if self._followed.reframe:
                self._followed.frame_anew()
                return True
        return False

    async def _skip_early(self, text: Text) -> int:
        """Return where to begin in a text whose middle cannot be found but by reading up to it."""
        piece, layout = self.piece, self.piece.carry.layout
        ageless = SourceReading(without_age_limits(self._reading.rule))
        converter = ageless.converter(layout or ageless.rule.layout)
        subject = Subject(text, converter, piece.facts, piece.carry, self._yard.now_ms())
        places = Places(subject, self._yard.guard)
        begin = piece.begin
        while places.can_be_cut and not self._stopped:
            ahead = begin + STEP_BYTES
            await asyncio.to_thread(text.read_at, ahead, READ_BYTES)  # decoded off the loop
            seen = places.sighting_at(ahead, piece.end)
            if seen is None or not self._window.is_long_before(seen.stamp_ms):
                break
            begin = seen.offset
        return begin

    # -- converting ------------------------------------------------------------------------------------

    def _convert(self, chunk: Chunk) -> int:
        """Offer what *chunk* becomes; return how many events that is."""
        followed = self._followed
        now = time.monotonic()
        now_ms = self.piece.now_ms or self._yard.now_ms()
        facts, carry = followed.facts(), followed.carry
        converter = followed.converter_now(now)
        asked = self._selection.of(converter, chunk, facts, carry, now_ms)
        if not self._window.bounded and followed.look_again(chunk, asked.encoded):
            converter, carry = followed.converter_now(now), followed.carry
            asked = self._selection.of(converter, chunk, facts, carry, now_ms)
        encoded = asked.encoded
        followed.timeouts += encoded.pattern_timeouts
        if followed.timeouts >= PATTERN_TIMEOUTS_ALLOWED:
            followed.timeouts, followed.bypassed_until = 0, now + BYPASS_SECONDS
        ticket = followed.track(chunk, encoded)
        followed.chosen = None
        mark = Underway(ticket, asked.outside, Counter(figures(encoded)))
        if self._window.bounded:
            mark.note_guard(chunk)
        self._account.open(mark)
        self._idle.clear()
        portion = Portion(
            key=followed.key, lineage=followed.lineage, chunk=chunk, facts=facts, carry=carry, encoded=encoded,
            converter=converter, now_ms=now_ms, token=Mark(self, mark), events=asked.events,
        )  # fmt: skip
        self._past = self._past or asked.past
        self.pending += encoded.records
        if not encoded.events:
            self.settled(portion, mark, Settlement())
        elif self._held is not None:
            self._held.append(portion)
        else:
            self._yard.offer(portion)
        return encoded.events

    # -- settling ----------------------------------------------------------------------------------------

    def settled(self, portion: Portion, mark: Underway, settlement: Settlement) -> None:
        """The sender is done with *portion*."""
        source = portion.converter.rule.source
        self.pending -= portion.encoded.records
        mark.letters = letters_for(portion, settlement, source, self._yard.now_ms())
        mark.counts.update(settled_figures(portion, settlement))
        watermark = self._followed.watermark
        watermark.ack(mark.ticket)
        watermark.take()
        if self._account.close():
            self._idle.set()
        self._yard.changed(self)

    # -- restart points ------------------------------------------------------------------------------------

    def _fresh_points(self) -> list[RestartPoint]:
        if not isinstance(self._text, PackedText):
            return []
        fresh = [point for point in self._text.file.points if point.plain not in self._points_said]
        self._points_said.update(point.plain for point in fresh)
        return [point for point in fresh if point not in self.piece.points]
