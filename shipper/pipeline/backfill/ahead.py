"""Reads a text one step ahead of whoever converts it: at once what is at hand, the rest by a thread.

A thread costs more than the reading: it and the converting wait for one
another several times a step. So it is asked only where a disk or a network
is, or an unpacking that takes long.
"""

from __future__ import annotations

import asyncio
import contextlib

from shipper.adapters.texts import Text
from shipper.errors import SourceError
from shipper.pipeline.reads import READ_BYTES


class Ahead:
    """Owns the one read that is under way: a text must not be read by two threads at a time."""

    def __init__(self, text: Text, begin: int, end: int) -> None:
        """Read *text* from *begin* on, and nothing at or beyond *end*."""
        self._text = text
        self._end = end
        self._next: bytes | asyncio.Task[bytes] = self._read(begin)

    async def take(self) -> bytes:
        """Return what stands at the offset that was reached for; nothing at the end. Raises SourceError."""
        return self._next if isinstance(self._next, bytes) else await self._next

    def reach(self, offset: int) -> None:
        """Reach for what stands at *offset*; what was reached for before has been taken, or given up."""
        self._next = self._read(offset)

    async def give_up(self) -> None:
        """Wait for a read whose result is not wanted."""
        if not isinstance(self._next, bytes):
            await asyncio.gather(self._next, return_exceptions=True)

    def _read(self, offset: int) -> bytes | asyncio.Task[bytes]:
        size = min(READ_BYTES, self._end - offset)
        if size <= 0:
            return b""
        with contextlib.suppress(SourceError):  # said when it is taken: what stands before is converted first
            if at_hand := self._text.read_now(offset, size):
                return at_hand
        return asyncio.create_task(asyncio.to_thread(self._text.read_at, offset, size))
