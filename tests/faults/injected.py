"""`shipper`, with faults of the system put in from outside: `python -m tests.faults.injected run -c agent.yaml`.

A fault is there while, or once, a file of its name is in the folder that
SHIPPER_FAULTS names. Only calls of the system and of libraries are touched,
and public entry points of the agent's tasks: nothing of how it works inside.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from watchdog.observers.api import BaseObserver, EventEmitter

from shipper.adapters.http_output import HttpOutput, Piece
from shipper.cli import main
from shipper.core.delivery import Response
from shipper.pipeline.agent import Agent
from shipper.pipeline.committer import Committer
from shipper.pipeline.following import Following
from shipper.pipeline.reload import Reloader
from shipper.pipeline.sender import Sender
from shipper.pipeline.service import Service
from shipper.pipeline.stalls import Stalls

FAULTS = Path(os.environ.get("SHIPPER_FAULTS", "/nonexistent"))
TASKS: dict[str, type] = {
    "following": Following, "sender": Sender, "committer": Committer, "reload": Reloader, "service": Service,
    "stalls": Stalls,
}  # fmt: skip


def present(fault: str) -> bool:
    return (FAULTS / fault).exists()


def _concerns(descriptor: int) -> bool:
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name == "hangs.log"
    except OSError:
        return False


def _hang_reads() -> None:
    """`hang_one_read`, `hang_reads`: reads of a file hangs.log do not come back: one, or all from then on."""
    pread, preadv = os.pread, os.preadv
    hung = threading.Event()

    def slow_pread(descriptor: int, size: int, offset: int) -> bytes:
        if _concerns(descriptor) and (present("hang_reads") or (present("hang_one_read") and not hung.is_set())):
            hung.set()
            (FAULTS / "hung").touch()
            while not present("release"):
                time.sleep(0.02)
        return pread(descriptor, size, offset)

    def uncached_preadv(descriptor: int, buffers: Sequence[memoryview], offset: int, flags: int = 0) -> int:
        if flags & os.RWF_NOWAIT and _concerns(descriptor):
            raise BlockingIOError(errno.EAGAIN, "not in memory")
        return preadv(descriptor, buffers, offset, flags)

    os.pread = slow_pread
    os.preadv = uncached_preadv  # type: ignore[assignment]  # the agent reads into memory views only


def _hang_scans() -> None:
    """`hang_scans`: a directory named `hangs` is not listed."""
    scandir = os.scandir

    def slow_scandir(path: str) -> object:
        while str(path).endswith("/hangs") and present("hang_scans"):
            (FAULTS / "hung").touch()
            time.sleep(0.02)
        return scandir(path)

    os.scandir = slow_scandir  # type: ignore[assignment]  # it is only called with a path here


def _hang_requests() -> None:
    """`hang_one_request`: one request does not end, whoever cancels it."""
    post = HttpOutput.post

    async def slow_post(self: HttpOutput, pieces: Sequence[Piece]) -> Response:
        if present("hang_one_request"):
            (FAULTS / "hang_one_request").unlink()
            (FAULTS / "hung").touch()
            while not present("release"):
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    continue
        return await post(self, pieces)

    HttpOutput.post = slow_post  # type: ignore[method-assign]  # that is what this module is for


def _kill_observer() -> None:
    """`kill_observer`, `kill_emitters`: the watcher's threads end in an error, as in watchdog's issues 276 and 441."""
    kinds: dict[str, type] = {"kill_observer": BaseObserver, "kill_emitters": EventEmitter}

    def watch() -> None:
        while True:
            for fault, kind in kinds.items():
                if present(fault):
                    for thread in threading.enumerate():
                        if isinstance(thread, kind) and thread.ident is not None:
                            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                                ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
                            )
                    (FAULTS / fault).rename(FAULTS / f"{fault}.done")
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()


def _sleep_truly() -> None:
    """Under libfaketime `time.sleep` fails where the clock is ahead: it takes the offset from monotonic time too."""

    def sleep(seconds: float) -> None:
        select.select([], [], [], seconds)

    if "faketime" in os.environ.get("LD_PRELOAD", ""):
        time.sleep = sleep  # type: ignore[assignment]  # that is what this module is for


def _fail_tasks() -> None:
    """`fail_following` and so on: that task ends in an error that nobody expects; `stick_...`: it stands still."""

    def failing(name: str, run: Callable[[object], Coroutine[object, object, None]]) -> Callable[[object], object]:
        async def run_until_it_fails(self: object) -> None:
            task = asyncio.ensure_future(run(self))
            try:
                while not present(f"fail_{name}"):
                    if present(f"stick_{name}"):
                        task.cancel()
                    await asyncio.wait({task}, timeout=0.02)
                    await asyncio.sleep(0.02)
                    if task.done():
                        return task.result()
                raise ZeroDivisionError(f"injected into {name}")
            finally:
                task.cancel()

        return run_until_it_fails

    for name, kind in TASKS.items():
        setattr(kind, "run", failing(name, kind.run))  # type: ignore[attr-defined]  # noqa: B010 -- of any kind


def _drain_long() -> None:
    """`drain_long`: who stops waits an hour for what is on its way, unless it is told a second time."""
    stop = Agent.stop

    async def stop_late(self: Agent, drain_seconds: float = 0.0) -> bool:
        return await stop(self, 3600.0 if drain_seconds and present("drain_long") else drain_seconds)

    Agent.stop = stop_late  # type: ignore[method-assign]  # that is what this module is for


if __name__ == "__main__":
    _sleep_truly()
    _drain_long()
    _hang_reads()
    _hang_scans()
    _hang_requests()
    _kill_observer()
    _fail_tasks()
    sys.argv[0] = "shipper"
    main()
