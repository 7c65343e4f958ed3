"""One file of dead letters: NDJSON, appended to and synced, with the keys of its lines in memory.

A line that a crash cut short is cut off at `load`; a damaged line elsewhere
stays in the file, is counted, and is passed over.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from shipper.core.letters import DeadLetter


class _Named(msgspec.Struct):
    id: str


_decode_name = msgspec.json.Decoder(_Named).decode
_decode = msgspec.json.Decoder(DeadLetter).decode


def key_of(letter_id: str) -> int:
    """Return a letter's name in 8 bytes; a new one meets that of another once in 10^13 times."""
    return int.from_bytes(hashlib.blake2b(letter_id.encode(), digest_size=8).digest())


class Segment:
    """One file and what is known of it; 8 bytes of memory a letter once it is loaded.

    Attributes:
        size: Bytes that are whole lines; what a failed write left behind them is no part of it.
        count: Letters.
        damaged: Lines that are none.
    """

    def __init__(self, path: Path) -> None:
        """Describe a file that is not there yet."""
        self.path = path
        self.size = 0
        self.count = 0
        self.damaged = 0
        self._loaded_keys = array("Q")
        self._new_keys = set[int]()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file's keys, cutting off a last line without its end."""
        segment = cls(path)
        keys = list[int]()
        with path.open("r+b") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    file.truncate(segment.size)
                    os.fsync(file.fileno())
                    break
                segment.size += len(line)
                try:
                    keys.append(key_of(_decode_name(line).id))
                except msgspec.MsgspecError:
                    segment.damaged += 1
        segment.count = len(keys)
        segment._loaded_keys = array("Q", sorted(keys))
        return segment

    def holds(self, key: int) -> bool:
        """Whether the letter of this key is here; see `key_of` for how far that can be trusted."""
        at = bisect_left(self._loaded_keys, key)
        return key in self._new_keys or self._loaded_keys[at : at + 1] == array("Q", [key])

    def append(self, lines: Sequence[bytes], letter_ids: Sequence[str], descriptor: int) -> None:
        """Write *lines* behind the present ones, durably or not at all."""
        try:
            content = memoryview(b"".join(lines))
            at = self.size
            while content:
                written = os.pwrite(descriptor, content, at)
                content, at = content[written:], at + written
            os.fsync(descriptor)
        except OSError:
            # Should this fail as well, the next append sees a size that is not ours and starts another file.
            os.ftruncate(descriptor, self.size)
            raise
        self.size = at
        self.count += len(letter_ids)
        self._new_keys.update(map(key_of, letter_ids))

    def read(self) -> Iterator[DeadLetter]:
        """Yield the letters, oldest first."""
        for line in self._lines():
            try:
                yield _decode(line)
            except msgspec.MsgspecError:
                continue

    def without(self, letter_ids: Collection[str], open_new: Callable[[Path], int]) -> Segment:
        """Write the file anew without these letters and return it; durable once the directory is synced."""
        kept = [line for line in self._lines() if _name(line) not in letter_ids]
        if not kept:
            self.path.unlink()
            return Segment(self.path)
        unfinished = self.path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(open_new(unfinished), "wb") as out:
            out.writelines(kept)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(self.path)
        return Segment.load(self.path)

    def _lines(self) -> Iterator[bytes]:
        left = self.size
        with self.path.open("rb") as file:
            for line in file:
                left -= len(line)
                if left < 0:
                    return
                yield line


def _name(line: bytes) -> str | None:
    try:
        return _decode_name(line).id
    except msgspec.MsgspecError:
        return None
