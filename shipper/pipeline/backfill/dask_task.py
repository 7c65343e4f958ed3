"""What runs in a Dask worker: one piece, shipped by a worker process of ours beside it.

A conversion must run on a process's main thread, where a pattern that runs
away can be stopped, and Dask's tasks do not; so each has such a process lent
to it. It posts to the endpoint of its own host. When the Dask worker is
killed, its processes see their socket close, and end.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec

from shipper.errors import ShipperError
from shipper.pipeline.backfill.crew import ALLOCATION
from shipper.pipeline.backfill.protocol import (
    Finished,
    FromWorker,
    Moved,
    Piece,
    Rate,
    Said,
    Saved,
    State,
    Stop,
    ToWorker,
    from_worker,
    line_of,
    to_worker,
)

TOPIC: Final = "shipper-backfill"
EXIT_SECONDS: Final = 10.0


class TaskFailed(ShipperError):
    """The process that shipped a piece is gone; the piece may be tried again."""


class Shipped(msgspec.Struct):
    """What became of a piece.

    Attributes:
        moved: Every report, in order.
        state: Of the process when it was done.
    """

    moved: list[Moved]
    finished: Finished
    state: State


class Lent:
    """One worker process, spoken to by one thread at a time."""

    def __init__(self, setup: bytes) -> None:
        """Start it."""
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "shipper.pipeline.backfill.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(theirs.fileno(),),
                env={**ALLOCATION, **os.environ},
            )  # fmt: skip
        self.setup = setup
        self._socket = ours
        self._reader: BinaryIO = ours.makefile("rb")
        ours.sendall(setup)

    def tell(self, message: ToWorker) -> None:
        """Send *message*; one that is gone does not hear it."""
        with contextlib.suppress(OSError):
            self._socket.sendall(line_of(message))

    def ship(self, piece: Piece, heard: Callable[[FromWorker], None]) -> Shipped:
        """Have *piece* shipped; everything that is said on the way goes to *heard*, too."""
        self.tell(piece)
        moved: list[Moved] = []
        state = State("unknown")
        for line in self._reader:
            if not line.endswith(b"\n"):
                break
            message = from_worker(line)
            match message:
                case Finished():
                    return Shipped(moved, message, state)
                case Moved():
                    moved.append(message)
                    self.tell(Saved(piece.number, message.upto))
                case State():
                    state = message
            heard(message)
        raise TaskFailed(f"the process that shipped {piece.place.shown} ended with status {self.process.poll()}")

    def close(self) -> None:
        """End it."""
        self._reader.close()
        self._socket.close()
        try:
            self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_lock = threading.Lock()
_idle: list[Lent] = []
_busy: set[Lent] = set()


def ship(setup: bytes, piece: bytes, rate: tuple[float, float]) -> bytes:
    """Ship *piece*; the task of the Dask cluster. Arguments and result are messages as they travel.

    Raises:
        TaskFailed: The process died; Dask tries again.
    """
    asked = to_worker(piece)
    if not isinstance(asked, Piece):
        raise TypeError("a task ships a piece")
    lent = _borrow(setup)
    try:
        lent.tell(Rate(*rate))
        shipped = lent.ship(asked, _forward)
    except BaseException:
        with _lock:
            _busy.discard(lent)
        lent.close()
        raise
    with _lock:
        _busy.discard(lent)
        if shipped.finished.error == "stopped":
            lent.close()
        else:
            _idle.append(lent)
    return msgspec.json.encode(shipped)


def _borrow(setup: bytes) -> Lent:
    with _lock:
        stale = [lent for lent in _idle if lent.setup != setup or lent.process.poll() is not None]
        _idle[:] = [lent for lent in _idle if lent not in stale]
        lent = _idle.pop() if _idle else None
    for old in stale:
        old.close()
    lent = lent or Lent(setup)
    with _lock:
        _busy.add(lent)
    return lent


def stop_all(seconds: float) -> None:
    """Have every piece that this Dask worker ships stopped where it is; called by the coordinator on each of them."""
    with _lock:
        for lent in _busy:
            lent.tell(Stop(seconds))


def release_all() -> None:
    """End the processes that are lent to nobody: the backfill is over."""
    with _lock:
        done, _idle[:] = list(_idle), []
    for lent in done:
        lent.close()


def _forward(message: FromWorker) -> None:
    """Let the coordinator see how it goes, before the task is done."""
    if isinstance(message, Moved | State | Said):
        from distributed import get_worker  # noqa: PLC0415 -- an optional extra

        try:
            worker = get_worker()
        except ValueError:  # not in a Dask worker: a test
            return
        worker.log_event(TOPIC, line_of(message))
