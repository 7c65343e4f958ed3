"""One file of frames, and the blocks that its frames make.

A block is what is indexed, skipped and decoded at once: frames that stand
together, up to about *block_bytes* before compression. The last one is open: it grows with
the next frame. Where blocks end follows from the frames alone, so that a
restart cuts them the same way and the index beside the file still fits.

`append` is called by the writer's thread only; the rest by anyone.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from shipper.endpoint.store.files import Descriptor, sync_directory
from shipper.endpoint.store.frames import (
    HEAD_BYTES,
    Content,
    Head,
    decode,
    encode_content,
    find_head,
    is_whole,
    read_head,
)
from shipper.endpoint.store.trouble import FrameDamaged
from shipper.errors import StateError

SUFFIX: Final = ".events"
UNFINISHED: Final = ".events-new"
TITLE: Final = b"shipper events 1\n"
_ANY_TITLE: Final = re.compile(rb"shipper events \d\n")
BLOCK_RAW_BYTES: Final = 1 << 20
_SCAN_BYTES: Final = 1 << 16

Sync = Callable[[int], None]

_log = logging.getLogger(__name__)


class Block(NamedTuple):
    """Where a block stands in its segment and what is in it; *raw* is its length before compression."""

    segment: Segment
    offset: int
    length: int
    raw: int
    first_id: int
    events: int
    oldest_ms: int
    newest_ms: int

    def read(self) -> Content:
        """Return its events.

        Raises:
            FrameDamaged: They are not as they were written.
        """
        return decode(self.segment.descriptor.read(self.offset, self.length))


class Damage(NamedTuple):
    """Bytes of a segment that are passed over."""

    path: Path
    offset: int
    length: int


class Segment:
    """One file.

    Attributes:
        first_id: Of its first event; its name.
        end_id: The first id behind its events.
        size: Bytes that are durable; what a failed write left behind them is no part of it.
        frames: That its blocks are made of.
        blocks: In order; replaced at its end while the last one grows, so copy it before walking.
        can_grow: Whether frames may be appended: not behind bytes that could not be read.
        damage: What is passed over.
        torn_bytes: Cut off at `load`: a write that a crash ended.
    """

    def __init__(self, path: Path, descriptor: Descriptor, block_bytes: int) -> None:
        """Describe an empty file."""
        self.path = path
        self.descriptor = descriptor
        self.first_id = int(path.stem)
        self.end_id = self.first_id
        self.size = len(TITLE)
        self.blocks: list[Block] = []
        self.damage: list[Damage] = []
        self.frames = 0
        self.torn_bytes = 0
        self.can_grow = True
        self._block_bytes = block_bytes
        self._lock = threading.Lock()

    @classmethod
    def create(cls, directory: Path, first_id: int, block_bytes: int, sync: Sync) -> Self:
        """Make a new file, durably."""
        path = directory / f"{first_id:016d}{SUFFIX}"
        # A file of this name can only be one that never got an event: its first would have this id.
        descriptor = Descriptor(path, os.O_TRUNC)
        descriptor.write(0, TITLE)
        sync(descriptor.number)
        sync_directory(directory)
        return cls(path, descriptor, block_bytes)

    @classmethod
    def load(cls, path: Path, block_bytes: int, *, is_last: bool) -> Self:
        """Read the heads of a file's frames; of the *last* also check the payloads and cut off a torn end.

        Raises:
            StateError: A later version wrote it.
        """
        descriptor = Descriptor(path)
        segment = cls(path, descriptor, block_bytes)
        title = descriptor.read(0, len(TITLE))
        if title != TITLE and _ANY_TITLE.fullmatch(title):
            raise StateError(f"{path}: another version of shipper wrote it; run that one, or use another store")
        segment._scan(os.fstat(descriptor.number).st_size, check=is_last)
        return segment

    @property
    def oldest_ms(self) -> int | None:
        """Of its events."""
        return min((block.oldest_ms for block in self.blocks), default=None)

    @property
    def newest_ms(self) -> int | None:
        """Of its events."""
        return max((block.newest_ms for block in self.blocks), default=None)

    @property
    def count(self) -> int:
        """Events that are in its blocks."""
        return sum(block.events for block in self.blocks)

    def repacked(self, sync: Sync, pause: Callable[[], None]) -> Segment:
        """Write a file beside this one with one frame a block, durably, and return it; it has no place yet.

        Small requests make small frames, which compress badly.

        Raises:
            FrameDamaged: Not everything can be read.
        """
        path = self.path.with_suffix(UNFINISHED)
        new = Segment(self.path, Descriptor(path, os.O_TRUNC), self._block_bytes)
        new.descriptor.write(0, TITLE)
        for block in list(self.blocks):
            pause()
            content = block.read()
            head, frame = encode_content(block.first_id, content)
            new.descriptor.write(new.size, frame)
            new.blocks.append(new._block(head, new.size))
            new.frames += 1
            new.size += head.length
        sync(new.descriptor.number)
        new.end_id = self.end_id
        return new

    def append(self, frames: Sequence[tuple[Head, bytes]], sync: Sync) -> None:
        """Write the frames behind the present ones, durably or not at all."""
        written = False
        try:
            self.descriptor.write(self.size, b"".join(frame for _, frame in frames))
            written = True
            sync(self.descriptor.number)
        except OSError:
            # After a failed sync the kernel may hold the pages for clean: this file gets nothing more.
            self.can_grow = not written
            os.ftruncate(self.descriptor.number, self.size)
            raise
        with self._lock:
            for head, _ in frames:
                self._add(head, self.size)
                self.size += head.length

    def set_aside(self, block: Block) -> None:
        """Pass over the frames of a block whose bytes have changed; the others become blocks of their own."""
        with self._lock:
            place = next((place for place, other in enumerate(self.blocks) if other.offset == block.offset), None)
            if place is not None:  # else another thread has met the damage as well
                sound, damage = self._sound_frames(self.blocks[place])
                self.blocks[place : place + 1] = sound
                # Last: a query that sees the damage counted must see the sound blocks too.
                self.damage += damage

    def _sound_frames(self, block: Block) -> tuple[list[Block], list[Damage]]:
        data = self.descriptor.read(block.offset, block.length)
        sound, damage = list[Block](), list[Damage]()
        at = 0
        while at < len(data):
            head = read_head(data, at)
            if head is not None and is_whole(head, data[at + HEAD_BYTES : at + head.length]):
                sound.append(self._block(head, block.offset + at))
                at += head.length
                continue
            next_at = find_head(data, at + 1) if head is None else at + head.length
            length = min(next_at if next_at >= 0 else len(data), len(data)) - at
            damage.append(Damage(self.path, block.offset + at, length))
            say_damage(damage[-1])
            at += length
        return sound, damage

    def _block(self, head: Head, offset: int) -> Block:
        place = (offset, head.length, head.raw, head.first_id, head.events, head.oldest_ms, head.newest_ms)
        return Block(self, *place)

    def _add(self, head: Head, offset: int) -> None:
        last = self.blocks[-1] if self.blocks else None
        self.end_id = head.end_id
        self.frames += 1
        if last is None or last.offset + last.length != offset or last.raw + head.raw > self._block_bytes * 5 // 4:
            self.blocks.append(self._block(head, offset))
            return
        self.blocks[-1] = last._replace(
            length=last.length + head.length,
            raw=last.raw + head.raw,
            events=last.events + head.events,
            oldest_ms=min(last.oldest_ms, head.oldest_ms),
            newest_ms=max(last.newest_ms, head.newest_ms),
        )

    def _scan(self, file_size: int, *, check: bool) -> None:
        at = len(TITLE)
        window, window_at = b"", 0
        while at < file_size:
            if not window_at <= at <= window_at + len(window) - HEAD_BYTES:
                window, window_at = self.descriptor.read(at, _SCAN_BYTES), at
            head = read_head(window, at - window_at)
            if head is None or head.first_id < self.end_id:
                at, file_size = self._step_over(at, file_size)
            elif at + head.length > file_size:
                self._cut(at, file_size)
                break
            else:
                if check and not is_whole(head, self.descriptor.read(at + HEAD_BYTES, head.stored)):
                    self.end_id = head.end_id
                    self.damage.append(Damage(self.path, at, head.length))
                else:
                    self._add(head, at)
                at += head.length
        self.size = max(len(TITLE), min(at, file_size))

    def _step_over(self, at: int, file_size: int) -> tuple[int, int]:
        """Return where the frames go on after bytes that are no frame, and where the file ends.

        A torn write is cut off; anything else stays, and nothing is written behind it.
        """
        rest = self.descriptor.read(at, file_size - at)
        next_at = find_head(rest, 1)
        while next_at >= 0 and (head := read_head(rest, next_at)) is not None and head.first_id < self.end_id:
            next_at = find_head(rest, next_at + 1)
        if next_at < 0 and (len(rest) < HEAD_BYTES or not any(rest)):
            self._cut(at, file_size)
            return at, at
        length = next_at if next_at >= 0 else len(rest)
        self.damage.append(Damage(self.path, at, length))
        self.can_grow = next_at >= 0
        return at + length, file_size

    def _cut(self, at: int, file_size: int) -> None:
        os.ftruncate(self.descriptor.number, at)
        os.fsync(self.descriptor.number)
        self.torn_bytes += file_size - at


def read_or_set_aside(block: Block) -> Content | None:
    """Return a block's events; None when they are damaged, and it is passed over from now on."""
    try:
        return block.read()
    except FrameDamaged:
        block.segment.set_aside(block)
        return None


def say_damage(damage: Damage) -> None:
    """Name bytes that are passed over; they stay where they are until their segment is evicted."""
    _log.error(
        "event=store_block_damaged file=%s offset=%d bytes=%d: passed over, the rest is readable",
        damage.path, damage.offset, damage.length,
    )  # fmt: skip
