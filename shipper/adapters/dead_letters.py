"""Dead letters on disk: events that were refused for good, kept for the operator.

Segments of NDJSON under ``state_dir/dead_letters``, oldest first by number.
It owns their bound and their uniqueness: a letter is durable before the
offset behind it is committed, and written once however often a crash makes
the agent meet the same bytes. The state directory's lock is held by the
caller; every call comes from the thread that owns the offset store.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from shipper.adapters.dead_letters_segment import Segment, key_of
from shipper.core.letters import DeadLetter
from shipper.errors import StateError

__all__ = ["DeadLetter", "DeadLetters", "DeadLettersFull", "WhenFull"]

WhenFull = Literal["stop", "drop_oldest"]

DIRECTORY: Final = "dead_letters"
_SEGMENTS_WANTED: Final = 32  # dropping the oldest one loses a thirty-second of the letters
_SMALLEST_SEGMENT_BYTES: Final = 64 << 10
_LARGEST_SEGMENT_BYTES: Final = 8 << 20

Line = bytes

_encode = msgspec.json.Encoder().encode


class DeadLettersFull(StateError):
    """There is no room for a letter, and the policy is to stop: its events are held, nothing is lost."""


class DeadLetters:
    """The letters of one state directory.

    Attributes:
        dropped: Letters that ``drop_oldest`` deleted since `open`.
    """

    def __init__(self, directory: Path, max_bytes: int, when_full: WhenFull) -> None:
        """Use `open` instead."""
        self.dropped = 0
        self._directory = directory
        self._max_bytes = max_bytes
        self._when_full = when_full
        wanted = max_bytes // _SEGMENTS_WANTED
        self._segment_bytes = min(max(wanted, _SMALLEST_SEGMENT_BYTES), _LARGEST_SEGMENT_BYTES)
        self._segments = list[Segment]()

    @classmethod
    def open(cls, state_dir: Path, max_bytes: int, when_full: WhenFull) -> Self:
        """Read the keys of all letters under *state_dir*; a last line cut short by a crash is cut off.

        Raises:
            StateError: The directory cannot be made or read.
        """
        letters = cls(state_dir / DIRECTORY, max_bytes, when_full)
        with letters._mapped():
            letters._directory.mkdir(mode=0o700, exist_ok=True)
            _give_to_owner_of(state_dir, letters._directory)
            paths = [path for path in letters._directory.glob("*.ndjson") if path.stem.isdecimal()]
            letters._segments = [Segment.load(path) for path in sorted(paths, key=lambda path: int(path.stem))]
        return letters

    def limit(self, max_bytes: int, when_full: WhenFull) -> None:
        """Keep to another limit from the next letter on."""
        self._max_bytes = max_bytes
        self._when_full = when_full

    @property
    def count(self) -> int:
        """Letters on disk."""
        return sum(segment.count for segment in self._segments)

    @property
    def bytes(self) -> int:
        """Their size on disk."""
        return sum(segment.size for segment in self._segments)

    @property
    def damaged(self) -> int:
        """Lines that are no letters; they stay in their files."""
        return sum(segment.damaged for segment in self._segments)

    def append(self, letters: Sequence[DeadLetter]) -> int:
        """Write the letters that are not there yet, all or none, durable on return; return how many.

        Raises:
            DeadLettersFull: The bound is reached and the policy is ``stop``, or they alone are over it.
            StateError: The disk refuses; may be asked again.
        """
        fresh = self._fresh(letters)
        if not fresh:
            return 0
        lines = [_encode(letter) + b"\n" for letter in fresh.values()]
        with self._mapped():
            self._make_room(sum(map(len, lines)))
            self._write(lines, list(fresh))
        return len(fresh)

    def list(self, limit: int = 1000, *, source: str | None = None, reason: str | None = None) -> Sequence[DeadLetter]:
        """Return the newest letters, newest first, those of one source or reason where one is given."""
        found: list[DeadLetter] = []
        with self._mapped():
            for segment in reversed(self._segments):
                chosen = [
                    letter
                    for letter in segment.read()
                    if source in {None, letter.source} and reason in {None, letter.reason}
                ]
                found.extend(reversed(chosen))
                if len(found) >= limit:
                    break
        return found[:limit]

    def show(self, letter_id: str) -> DeadLetter | None:
        """Return one letter, None where there is none of that id."""
        with self._mapped():
            for segment in self._segments:
                if segment.holds(key_of(letter_id)):
                    return next((letter for letter in segment.read() if letter.id == letter_id), None)
        return None

    def take_for_replay(
        self, letter_ids: Collection[str] | None, *, limit: int = 500, skip: Collection[str] = ()
    ) -> Sequence[DeadLetter]:
        """Return letters that have an event to send, oldest first: these, or any, less those to *skip*.

        They stay on disk until they are dropped: an answer that gets lost must not lose them.
        """
        found: list[DeadLetter] = []
        with self._mapped():
            for segment in self._segments:
                for letter in segment.read():
                    wanted = letter_ids is None or letter.id in letter_ids
                    if wanted and letter.event is not None and letter.id not in skip:
                        found.append(letter)
                        if len(found) == limit:
                            return found
        return found

    def drop(self, letter_ids: Collection[str] | None) -> int:
        """Delete these letters, or all for None, durably; return how many there were."""
        before = self.count
        with self._mapped():
            if letter_ids is None:
                while self._segments:
                    self._segments.pop(0).path.unlink(missing_ok=True)
            else:
                self._rewrite(letter_ids)
            _sync(self._directory)
        return before - self.count

    def _rewrite(self, letter_ids: Collection[str]) -> None:
        keys = [key_of(letter_id) for letter_id in letter_ids]
        for at, segment in enumerate(self._segments):
            if any(map(segment.holds, keys)):
                self._segments[at] = segment.without(set(letter_ids), self._open_file)
        self._segments = [segment for segment in self._segments if segment.size]

    def _fresh(self, letters: Sequence[DeadLetter]) -> dict[str, DeadLetter]:
        fresh = dict[str, DeadLetter]()
        for letter in letters:
            key = key_of(letter.id)
            if letter.id not in fresh and not any(segment.holds(key) for segment in self._segments):
                path = letter.path.encode("utf-8", "backslashreplace").decode()
                fresh[letter.id] = msgspec.structs.replace(letter, path=path)
        return fresh

    def _make_room(self, wanted: int) -> None:
        over = self.bytes + wanted - self._max_bytes
        if over <= 0:
            return
        if self._when_full == "stop" or wanted > self._max_bytes:
            raise DeadLettersFull(
                f"{self._directory}: full: {self.bytes + wanted} bytes are over dead_letters.max_bytes"
                f" {self._max_bytes}; see 'shipper dlq list', then replay or drop them, or raise the limit"
            )
        while over > 0:
            oldest = self._segments[0]
            oldest.path.unlink(missing_ok=True)
            self.dropped += oldest.count
            over -= oldest.size
            del self._segments[0]

    def _write(self, lines: Sequence[Line], letter_ids: Sequence[str]) -> None:
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.size >= self._segment_bytes or not _is_as_left(segment):
            segment = self._new_segment()
        descriptor = self._open_file(segment.path)
        try:
            segment.append(lines, letter_ids, descriptor)
        finally:
            os.close(descriptor)
        if segment not in self._segments:
            _sync(self._directory)
            self._segments.append(segment)

    def _new_segment(self) -> Segment:
        last = max((int(path.stem) for path in self._directory.glob("*.ndjson") if path.stem.isdecimal()), default=0)
        return Segment(self._directory / f"{last + 1:06}.ndjson")

    def _open_file(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _give_to_owner_of(self._directory, path)
        return descriptor

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = error.filename or self._directory
            raise StateError(f"{place}: {error.strerror or error}; check the disk's space and health") from error


def _is_as_left(segment: Segment) -> bool:
    """Whether the file still ends where our last line did; someone may have moved it away."""
    try:
        return segment.path.stat().st_size == segment.size
    except FileNotFoundError:
        return False


def _give_to_owner_of(directory: Path, path: Path) -> None:
    """Let the agent's user read what an operator made as root."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
