"""The worker processes: started, spoken to, listened to, missed when they die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

from shipper.errors import ShipperError
from shipper.pipeline.backfill.protocol import (
    LONGEST_LINE_BYTES,
    FromWorker,
    Piece,
    Rate,
    Setup,
    State,
    Stop,
    ToWorker,
    from_worker,
    line_of,
)

EXIT_SECONDS: Final = 5.0
ALLOCATION: Final = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "1048576"}
"""For a worker's C library: what was needed once and is free again goes back, instead of being kept for a next time."""
DEATHS_ALLOWED: Final = 5  # of each worker, with nothing delivered in between


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
        if self._writer.is_closing():  # asyncio would warn on standard error at the fifth of such writes
            return
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
            pass_fds=(theirs.fileno(),), env={**ALLOCATION, **os.environ},
        )  # fmt: skip
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    reader, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE_BYTES)
    return Hand(process, reader, writer)


class Crew:
    """Owns the worker processes of one run; used from the event loop only.

    Attributes:
        hands: Those that work.
        deaths: Of them since there was progress.
        cpu_seconds, peak_bytes, requests: Of those that are gone: all their CPU, the largest's memory, what was taken.
    """

    def __init__(
        self,
        setup: Setup,
        rate: Rate,
        heard: Callable[[Hand, FromWorker], None],
        spare: Sequence[Hand] = (),
        *,
        reads_stdin: bool = False,
    ) -> None:
        """Set each up with *setup*, at *rate*; what they say goes to *heard*. *spare* are started already."""
        self.hands: list[Hand] = []
        self.deaths = 0
        self.cpu_seconds, self.peak_bytes, self.requests = 0.0, 0, 0
        self._setup = setup
        self._rate = rate
        self._heard = heard
        self._spare = list(spare)
        self._reads_stdin = reads_stdin
        self._listeners: list[asyncio.Task[None]] = []

    async def hire(self) -> None:
        """Add one."""
        hand = self._spare.pop(0) if self._spare else await start(stdin=self._reads_stdin and not self.hands)
        hand.tell(self._setup)
        hand.tell(self._rate)
        self.hands.append(hand)
        self._listeners.append(asyncio.create_task(self._listen(hand)))

    async def _listen(self, hand: Hand) -> None:
        await hand.listen(self._heard)
        hand.close()

    def take_dead(self) -> list[Hand]:
        """Return those that have ended, which are among the hands no more.

        Raises:
            WorkersDie: They end as soon as they are started.
        """
        for listener in self._listeners:
            if listener.done():
                listener.result()
        dead = [hand for hand in self.hands if hand.process.returncode is not None]
        for hand in dead:
            self._note_end(hand)
            self.hands.remove(hand)
            self.deaths += 1
        if self.deaths > DEATHS_ALLOWED * (len(self.hands) + len(dead)):
            status = dead[0].process.returncode if dead else None
            raise WorkersDie(f"workers end with status {status}; what was acknowledged is kept")
        return dead

    async def dismiss(self, seconds: float) -> None:
        """Have all stop, with *seconds* for what is under way."""
        await asyncio.gather(*(hand.dismiss(seconds) for hand in self.hands))
        await asyncio.gather(*self._listeners)
        for hand in self.hands:
            self._note_end(hand)

    def _note_end(self, hand: Hand) -> None:
        self.cpu_seconds += hand.state.cpu_seconds
        self.requests += hand.state.accepted
        self.peak_bytes = max(self.peak_bytes, hand.state.peak_bytes)
        hand.state = State("unknown")
