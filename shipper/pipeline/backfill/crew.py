"""The worker processes: started, spoken to, listened to, missed when they die."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable
from typing import Final

from shipper.errors import ShipperError
from shipper.pipeline.backfill.protocol import (
    LONGEST_LINE_BYTES,
    FromWorker,
    Piece,
    State,
    Stop,
    ToWorker,
    from_worker,
    line_of,
)

EXIT_SECONDS: Final = 5.0


class WorkersDie(ShipperError):
    """Worker processes end one after the other; what was acknowledged is kept."""


class Hand:
    """One worker process and what it has to do.

    Attributes:
        pieces: Dealt to it and not finished, by number, with their bytes.
        state: As it said last.
    """

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader,
                 writer: asyncio.StreamWriter) -> None:  # fmt: skip
        """Use `start` instead."""
        self.process = process
        self.pieces: dict[int, int] = {}
        self.state = State("unknown")
        self._reader = reader
        self._writer = writer

    @property
    def load(self) -> int:
        """Bytes of text that it has to read."""
        return sum(self.pieces.values())

    def tell(self, message: ToWorker) -> None:
        """Send *message*; a worker that is gone does not hear it, and its end is seen elsewhere."""
        with contextlib.suppress(OSError):
            self._writer.write(line_of(message))

    def deal(self, piece: Piece, size: int) -> None:
        """Have it ship *piece*."""
        self.pieces[piece.number] = size
        self.tell(piece)

    async def listen(self, heard: Callable[[Hand, FromWorker], None]) -> None:
        """Hand each of its messages to *heard*, until it is gone."""
        with contextlib.suppress(OSError):
            while line := await self._reader.readline():
                if line.endswith(b"\n"):  # the last word of one that was killed may be cut short
                    heard(self, from_worker(line))

    async def dismiss(self, seconds: float) -> None:
        """Have it stop, and wait for its end; one that does not end is killed."""
        self.tell(Stop(seconds))
        try:
            async with asyncio.timeout(seconds + EXIT_SECONDS):
                await self.process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def close(self) -> None:
        """Close our end of the socket."""
        self._writer.close()


async def start(*, stdin: bool = False) -> Hand:
    """Start a worker process, which waits for its `Setup`; with *stdin* it is given ours."""
    ours, theirs = socket.socketpair()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "shipper.pipeline.backfill.worker", str(theirs.fileno()),
            stdin=None if stdin else asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
        )  # fmt: skip
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    reader, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE_BYTES)
    return Hand(process, reader, writer)
