"""The spill: bytes of files that are about to vanish, compressed, below the state directory.

It owns ``spill/``. A segment is one file: some megabytes of one generation,
named by their span and by how many lines they hold (spill_segment.py). The
bytes are those of the log, not masked, for nobody's eyes but the owner's
(directory 0700, files 0600). When the cap is reached the oldest segments are
removed, and returned to whoever has to say so.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from shipper.adapters.spill_segment import (
    Frame,
    Origin,
    data_of,
    frames_of,
    give_to_owner_of,
    origin_of,
    packed_segment,
    write_durably,
)
from shipper.core.model import FileKey

DIRECTORY: Final = "spill"
SEGMENT_BYTES: Final = 8 << 20
SMALLEST_SEGMENT_BYTES: Final = 4096
SEGMENTS_AT_THE_CAP: Final = 8  # at least: what goes to make room is about an eighth of the cap
FULL: Final = "spill_full"
DAMAGED: Final = "spill_damaged"

_NAME: Final = re.compile(r"(\d+)-(\d+)-(\d+)-(\d+)-(\d+)\.spill")

__all__ = ["DAMAGED", "FULL", "Origin", "Piece", "Segment", "Spill"]


class Segment(NamedTuple):
    """One file of the spill: the bytes [start, end) of a generation.

    Attributes:
        size: Of the file, in bytes.
        made_ns: When it was made.
    """

    key: FileKey
    start: int
    end: int
    lines: int
    size: int = 0
    made_ns: int = 0

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.key.file_id}-{self.key.generation}-{self.start:020d}-{self.end:020d}-{self.lines}.spill"


class Piece(NamedTuple):
    """What stands at an offset of a generation.

    Attributes:
        at: Offset of the first byte of *data*: beyond what was asked for, where bytes are missing.
        why: One word for why they are; empty where none are.
    """

    at: int
    data: bytes
    why: str = ""


class Spill:
    """One directory of segments. Every call may block on the disk; calls may come from any thread."""

    def __init__(self, state_dir: Path, cap_bytes: int, *, owned: bool = True) -> None:
        """Take up what is there, and remove what was not finished; nothing is made before something is spilled.

        *owned* is off for who only reads, beside the owner.

        Raises:
            OSError: The directory is there and cannot be used.
        """
        self._owned = owned
        self._directory = state_dir / DIRECTORY
        self._cap = cap_bytes
        self._segments: dict[FileKey, list[Segment]] = {}
        self._lock = threading.RLock()
        self._at_hand: tuple[str, int, bytes | None] = ("", -1, None)
        self.segment_bytes = max(min(SEGMENT_BYTES, cap_bytes // SEGMENTS_AT_THE_CAP), SMALLEST_SEGMENT_BYTES)
        self.used_bytes = 0
        if self._directory.is_dir():
            self._take_up()

    def _take_up(self) -> None:
        for path in self._directory.iterdir():
            if path.suffix == ".new":
                if self._owned:
                    path.unlink()
            elif found := _NAME.fullmatch(path.name):
                file_id, generation, start, end, lines = map(int, found.groups())
                status = path.stat()
                key = FileKey(file_id, generation)
                self._add(Segment(key, start, end, lines, status.st_size, status.st_mtime_ns))

    def _add(self, segment: Segment) -> None:
        segments = self._segments.setdefault(segment.key, [])
        segments.append(segment)
        segments.sort(key=lambda one: one.start)
        self.used_bytes += segment.size

    @property
    def enabled(self) -> bool:
        """Whether there is room for anything at all."""
        return self._cap > 0

    @property
    def keys(self) -> list[FileKey]:
        """Whose bytes are here."""
        return list(self._segments)

    def span(self, key: FileKey) -> tuple[int, int] | None:
        """Return from where to where *key* is here, holes among it; None where nothing is."""
        segments = self._segments.get(key)
        return (segments[0].start, segments[-1].end) if segments else None

    # -- writing ---------------------------------------------------------------------------------------

    def write(self, origin: Origin, start: int, data: bytes) -> list[Segment]:
        """Make *data*, `segment_bytes` at most, a segment that is durable on return; return those that had to go.

        Raises:
            OSError: The disk is full or fails; *data* is not here.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        give_to_owner_of(self._directory.parent, self._directory)
        content = packed_segment(origin, start, data)
        segment = Segment(origin.key, start, start + len(data), data.count(b"\n"), len(content))
        with self._lock:
            if len(content) > self._cap:
                return [segment]
            path = self._directory / segment.name
            write_durably(path, content)
            dropped = self.make_room(len(content))  # after it: a disk that fails must cost nothing that is there
            self._add(segment._replace(made_ns=path.stat().st_mtime_ns))
        return dropped

    def make_room(self, wanted: int) -> list[Segment]:
        """Remove the oldest segments until *wanted* bytes fit in; return them."""
        dropped: list[Segment] = []
        if self.used_bytes + wanted > self._cap:
            segments = [segment for own in self._segments.values() for segment in own]
            for segment in sorted(segments, key=lambda one: (one.made_ns, one.key, one.start)):
                self._remove(segment)
                dropped.append(segment)
                if self.used_bytes + wanted <= self._cap:
                    break
        return dropped

    def release(self, key: FileKey, below: int) -> None:
        """Remove what of *key* is wholly below an offset that is saved."""
        with self._lock:
            for segment in [one for one in self._segments.get(key, ()) if one.end <= below]:
                self._remove(segment)

    def forget(self, key: FileKey) -> None:
        """Remove all that is here of *key*."""
        with self._lock:
            for segment in list(self._segments.get(key, ())):
                self._remove(segment)

    def _remove(self, segment: Segment) -> None:
        (self._directory / segment.name).unlink(missing_ok=True)
        self.used_bytes -= segment.size
        self._segments[segment.key].remove(segment)
        if not self._segments[segment.key]:
            del self._segments[segment.key]

    # -- reading ---------------------------------------------------------------------------------------

    def read(self, key: FileKey, offset: int, size: int) -> Piece:
        """Return up to *size* bytes at *offset*, or at the first offset behind it that is here; none at the end.

        Raises:
            OSError: The disk fails.
        """
        at, why = offset, ""
        with self._lock:
            for segment in self._segments.get(key, ()):
                if segment.end <= at:
                    continue
                if segment.start > at:
                    at, why = segment.start, FULL
                piece = self._read_segment(segment, at, size)
                if piece.data:
                    return piece._replace(why=piece.why or why)
                at, why = segment.end, DAMAGED
        return Piece(at, b"", why)

    def _read_segment(self, segment: Segment, offset: int, size: int) -> Piece:
        """Return the first sound bytes of a segment from *offset* on."""
        parts: list[bytes] = []
        at, why = offset, ""
        for frame, data in self._sound_frames(segment, offset):
            begin = max(frame.start, offset)
            if parts and frame.start != offset:
                break
            if not parts:
                at, why = begin, DAMAGED if begin > at else ""
            part = data[begin - frame.start : begin - frame.start + size]
            parts.append(part)
            offset = begin + len(part)
            size -= len(part)
            if size <= 0:
                break
        return Piece(at, b"".join(parts), why)

    def _sound_frames(self, segment: Segment, offset: int) -> Iterator[tuple[Frame, bytes]]:
        try:
            file = (self._directory / segment.name).open("rb")
        except FileNotFoundError:
            return
        with file:
            for frame in frames_of(file):
                if frame.end > offset and segment.start <= frame.start and frame.end <= segment.end:
                    data = self._data(segment.name, file, frame)
                    if data is not None:
                        yield frame, data

    def _data(self, name: str, file: BinaryIO, frame: Frame) -> bytes | None:
        """Return a frame's bytes; those of the last one are kept, for the next read goes on in it."""
        if self._at_hand[:2] != (name, frame.position):
            self._at_hand = (name, frame.position, data_of(file, frame))
        return self._at_hand[2]

    def origin(self, key: FileKey) -> Origin | None:
        """Return whose bytes those of *key* are; None where nothing here says so. Raises OSError."""
        for segment in self._segments.get(key, ()):
            origin = origin_of(self._directory / segment.name)
            if origin is not None and origin.key == key:
                return origin
        return None


def free_share(path: str) -> float:
    """Return what share of the disk that *path* is on is free for us; 1 where that cannot be told."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return 1.0
    return disk.f_bavail / disk.f_blocks if disk.f_blocks else 1.0
