"""What a followed file is read from: the file itself, the text of a compressed one, or its spill.

All three are read by offsets of the text, so whoever reads need not know
which it is. Blocking: called in threads but for `close`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from shipper.adapters.compressed import CompressedFile
from shipper.adapters.files import OpenFile, Turn, answer, inode_of, map_os_errors
from shipper.adapters.offsets import LifeState
from shipper.core.evidence import Answer, Question, Seen
from shipper.core.identity import HEAD_BYTES
from shipper.core.restart import RestartPoint
from shipper.errors import FileUnreadable, FileVanished, SourceError


class Content(Protocol):
    """Something that is read by offsets of its text.

    Attributes:
        path: For messages, and to open it anew.
        pins: Whether a descriptor is held: its inode cannot be used again.
    """

    path: str

    @property
    def pins(self) -> bool:
        """Whether a descriptor is held."""

    @property
    def read(self) -> Callable[[int, int, bytes], Awaitable[Turn]]:
        """Does as `read_now` in a thread."""

    @property
    def first(self) -> Callable[[], Awaitable[bytes]]:
        """Returns the first bytes, for the fingerprint."""

    def read_now(self, offset: int, size: int, expect: bytes) -> Turn:
        """Return up to *size* bytes at *offset*; *expect* is what stood right before it."""

    def close(self) -> None:
        """Give up what is held; a second call does nothing."""


class UnpackedFile:
    """The text of a compressed file; cut short, it is waited for until it is whole."""

    @property
    def pins(self) -> bool:
        """Whether a descriptor is held."""
        return self._file is not None

    def __init__(self, path: str, device: int, inode: int) -> None:
        """Use `open` instead."""
        self.path = path
        self._inode = (device, inode)
        self._file: CompressedFile | None = None
        self._points: tuple[RestartPoint, ...] = ()
        self._mtime_ns = 0

    @classmethod
    def open(cls, path: str, device: int, inode: int) -> UnpackedFile:
        """Open *path* if it still is the file with that inode.

        Raises:
            FileVanished: It is another file by now, or none.
            FileUnreadable: It must not be read, or is not compressed.
        """
        unpacked = cls(path, device, inode)
        unpacked._open()
        return unpacked

    def _open(self) -> CompressedFile:
        if self._file is not None:
            return self._file
        file = CompressedFile.open(self.path, self._points)
        try:
            with map_os_errors(self.path):
                status = os.stat(self.path)
            if (status.st_dev, status.st_ino) != self._inode:
                raise FileVanished(f"{self.path}: another file stands there now")
        except SourceError:
            file.close()
            raise
        self._mtime_ns = status.st_mtime_ns
        self._file = file
        return file

    async def read(self, offset: int, size: int, expect: bytes) -> Turn:
        """Do as `read_now` in a thread."""
        return await asyncio.to_thread(self.read_now, offset, size, expect)

    def read_now(self, offset: int, size: int, expect: bytes) -> Turn:
        """Return up to *size* bytes of the text at *offset*.

        Raises:
            FileUnreadable: It is damaged there, or not whole yet: the next call opens it anew.
        """
        file = self._open()
        try:
            data = file.read_at(offset - len(expect), len(expect) + size)
            if len(data) < len(expect) + size:
                data += file.read_at(offset - len(expect) + len(data), 1)  # says so where the file is cut short
        except FileUnreadable:
            self._points = file.points
            self.close()
            raise
        text = data[len(expect) :]
        more = int(len(text) >= size)
        if not more:  # it does not grow: what unpacking has in memory goes now, not when the file is let go
            self._points = ()
            self.close()
        return Turn(text, offset + len(text) + more, self._mtime_ns, 1, data.startswith(expect))

    async def first(self) -> bytes:
        """Return the first bytes, for the fingerprint."""
        return (await self.read(0, HEAD_BYTES, b"")).data

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None


def open_content(state: LifeState, path: str, device: int, inode: int) -> Content:
    """Open what a file of that state is read from; errors are those of `OpenFile.open`."""
    if state is LifeState.UNPACKING:
        return UnpackedFile.open(path, device, inode)
    return OpenFile.open(path, device, inode)


class Answers:
    """Answers what a scan asks; of a compressed file once, for it may have to be read up to the end for that."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int, int, int, Question], Answer | None] = {}

    def to(self, questions: Iterable[Question], seen: Iterable[Seen]) -> dict[Question, Answer | None]:
        """Return the answers; None for what cannot be read just now. Those that are not asked again are forgotten."""
        by_path = {file.path: file for file in seen}
        kept, self._kept = self._kept, {}
        answers: dict[Question, Answer | None] = {}
        for question in questions:
            if not question.packed:
                answers[question] = answer(question)
                continue
            file = by_path[question.path]
            version = (file.device, file.inode, file.size, file.mtime_ns, question)
            answers[question] = self._kept[version] = kept[version] if version in kept else unpacked_answer(question)
        return answers


def unpacked_answer(question: Question) -> Answer | None:
    """Return what the text of a compressed file says; None where it is damaged, or not whole yet."""
    try:
        file = CompressedFile.open(question.path)
    except (FileUnreadable, FileVanished):
        return None
    try:
        if inode_of(question.path) != (question.device, question.inode):
            return None
        return _last_point(file, question)
    except FileUnreadable:
        return None
    finally:
        file.close()


def _last_point(file: CompressedFile, question: Question) -> Answer:
    first = file.read_at(0, HEAD_BYTES)
    found = Answer(first, b"")
    if question.head is not None and len(first) >= question.head.length and not question.head.fits(first):
        return found
    for offset, length in sorted(point for point in question.points if point[0]):
        before = file.read_at(offset - length, length)
        if len(before) < length:
            file.read_at(offset - length + len(before), 1)  # says so where it is cut short
            break
        found = Answer(first, before, offset)
    return found
