"""The segments in their directory: which there are, how much room they take, which goes first.

Owns the files `NNN.events` and `NNN.index`. The writer's thread changes the
list of segments, indexes are added under the lock; readers take what
`blocks` returns and need not care.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shipper.endpoint.store.files import map_os_errors, sync_directory
from shipper.endpoint.store.index import Built
from shipper.endpoint.store.index_file import SUFFIX as INDEX_SUFFIX
from shipper.endpoint.store.index_file import IndexFile, KeptIndex
from shipper.endpoint.store.segment import SUFFIX, UNFINISHED, Block, Segment, Sync, say_damage

MOST_SEGMENT_BYTES: Final = 64 << 20
LEAST_SEGMENT_BYTES: Final = 64 << 10
_SEGMENTS: Final = 16
# From this many frames a block on, a segment is written anew when it grows no more.
_SMALL_FRAMES: Final = 4

_log = logging.getLogger(__name__)


class Shelf:
    """All segments, oldest first; the last one is written to.

    Attributes:
        next_id: Of the event to come.
        evicted_events: Since the start.
        unindexed: Set when there may be a block without an index.
    """

    def __init__(self, directory: Path, max_bytes: int, max_age_ms: int | None, block_bytes: int, sync: Sync) -> None:
        """Load what stands in *directory*, cutting off what a crash left half written.

        Raises:
            StateError: A file cannot be read, or a later version wrote it.
        """
        self.directory = directory
        self.max_bytes = max_bytes
        self.max_age_ms = max_age_ms
        self.segment_bytes = max(LEAST_SEGMENT_BYTES, min(MOST_SEGMENT_BYTES, max_bytes // _SEGMENTS))
        self.block_bytes = block_bytes
        self.evicted_events = 0
        self.lock = threading.Lock()
        self.unindexed = threading.Event()
        self.sync = sync
        self._segments: tuple[Segment, ...] = ()
        self._indexes: dict[int, IndexFile] = {}
        with map_os_errors(directory):
            self._load()
        self.next_id = max((segment.end_id for segment in self.segments), default=1)
        if self._segments and not self._segments[-1].can_grow:
            # So that the next segment cannot have the name of one whose every byte is damaged.
            self.next_id += 1

    def _load(self) -> None:
        paths = sorted(self.directory.glob(f"*{SUFFIX}"))
        segments: list[Segment] = [Segment.load(path, self.block_bytes, is_last=path == paths[-1]) for path in paths]
        for segment in segments:
            self._indexes[segment.first_id] = IndexFile(segment.path.with_suffix(INDEX_SUFFIX))
            for damage in segment.damage:
                say_damage(damage)
            if segment.torn_bytes:
                _log.warning(
                    "event=store_torn_write_cut file=%s offset=%d bytes=%d",
                    segment.path,
                    segment.size,
                    segment.torn_bytes,
                )
        for path in self.directory.glob(f"*{UNFINISHED}"):
            path.unlink()
        for path in self.directory.glob(f"*{INDEX_SUFFIX}"):
            if not path.with_suffix(SUFFIX).exists():
                path.unlink()
        self._segments = tuple(segments)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, oldest first; the tuple never changes."""
        return self._segments

    def blocks(self) -> list[Block]:
        """Return all blocks, oldest arrival first."""
        return [block for segment in self._segments for block in list(segment.blocks)]

    def size(self) -> int:
        """Return the bytes that all files take."""
        with self.lock:
            indexes = sum(index.size for index in self._indexes.values())
        return indexes + sum(segment.size for segment in self._segments)

    def index_of(self, block: Block) -> KeptIndex | None:
        """Return what is known of *block*."""
        with self.lock:
            file = self._indexes.get(block.segment.first_id)
            return file.get(block) if file else None

    def add_index(self, block: Block, built: Built) -> None:
        """Keep the index of a block that grows no more; nothing if it is there or the segment is gone."""
        with self.lock:
            file = self._indexes.get(block.segment.first_id)
            if file is not None and file.get(block) is None:
                file.add(block, built)

    def drop_index(self, block: Block) -> None:
        """Forget a damaged index."""
        _log.warning("event=store_index_damaged segment=%s offset=%d", block.segment.path, block.offset)
        with self.lock:
            file = self._indexes.get(block.segment.first_id)
            if file is not None:
                file.forget(block)
        self.unindexed.set()

    def is_open(self, block: Block) -> bool:
        """Whether the block may still grow."""
        last = self._segments[-1] if self._segments else None
        return last is block.segment and last.can_grow and last.blocks[-1:] == [block]

    def open_segment(self) -> Segment:
        """Return the segment to write to, starting a new one when the last is full or cannot grow."""
        last = self._segments[-1] if self._segments else None
        if last is not None and last.can_grow and last.size < self.segment_bytes:
            return last
        return self.roll()

    def roll(self) -> Segment:
        """Start a new segment and return it."""
        segment = Segment.create(self.directory, self.next_id, self.block_bytes, self.sync)
        with self.lock:
            self._indexes[segment.first_id] = IndexFile(segment.path.with_suffix(INDEX_SUFFIX))
            # One of the same name never got an event: its first write failed.
            self._segments = (*(other for other in self._segments if other.first_id != segment.first_id), segment)
        return segment

    def in_small_frames(self) -> Segment | None:
        """Return a segment that grows no more and would take less room with one frame a block."""
        small = (
            segment for segment in self._segments[:-1]
            if segment.frames >= _SMALL_FRAMES * len(segment.blocks) and segment.blocks and not segment.damage
        )  # fmt: skip
        return next(small, None)

    def put_in_place(self, old: Segment, new: Segment) -> None:
        """Let *new*, which was `Segment.repacked` from *old*, take its place, unless that was evicted meanwhile."""
        written = old.path.with_suffix(UNFINISHED)
        with self.lock:
            if old not in self._segments:
                written.unlink()
                return
            written.replace(old.path)
            sync_directory(self.directory)
            self._segments = tuple(new if segment is old else segment for segment in self._segments)

    def evict_oldest(self, may_go: Callable[[int], bool]) -> bool:
        """Remove the oldest segment; False when it is the only one or *may_go* says no to its end id."""
        if len(self._segments) < 2 or not may_go(self._segments[0].end_id):
            return False
        with self.lock:
            oldest, *rest = self._segments
            self._segments = tuple(rest)
            index = self._indexes.pop(oldest.first_id)
            index.path.unlink(missing_ok=True)
            oldest.path.unlink(missing_ok=True)
        sync_directory(self.directory)
        self.evicted_events += oldest.count
        _log.info("event=store_segment_evicted file=%s events=%d bytes=%d", oldest.path, oldest.count, oldest.size)
        return True

    def expire(self, now_ms: int, may_go: Callable[[int], bool]) -> None:
        """Remove the segments whose newest event is past the age limit; the last one is closed first if it is."""
        if self.max_age_ms is None:
            return
        limit = now_ms - self.max_age_ms
        while self._segments:
            is_last = len(self._segments) == 1
            newest = self._segments[0].newest_ms
            if (is_last and newest is None) or (newest is not None and newest >= limit):
                return
            if is_last:
                self.roll()
            if not self.evict_oldest(may_go):
                return
