"""What a test may not leave running: a child process, a socket, a thread.

What one test leaves open fails another one later (a warning when the garbage is collected, a port that is taken),
or takes its processor time. So each test answers for its own, in the moment in which it ends.
"""

from __future__ import annotations

import gc
import os
import signal
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ENDING_SECONDS = 30.0  # of what has been told to end: after a failure it may well not
LIVES_WITH_PYTHON = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
THREADS_OF_LIBRARIES = ("Dask-Offload",)  # pools that are made once a process
POOLS_OF_MODULES = ("Dask-Offload",)  # made with the first large message, and kept


class Running(NamedTuple):
    """What this process has running at one moment: process ids, sockets by inode, threads."""

    processes: frozenset[int]
    sockets: frozenset[int]
    threads: frozenset[threading.Thread]

    def since(self, before: Running) -> Running:
        """Return what was not there *before*."""
        return Running(
            self.processes - before.processes, self.sockets - before.sockets, self.threads - before.threads
        )  # fmt: skip

    def __bool__(self) -> bool:
        return any(self[:])

    def __str__(self) -> str:
        processes = (f"process {pid}: {_command(pid).replace(chr(0), ' ')}" for pid in sorted(self.processes))
        sockets = (f"socket {inode}" for inode in sorted(self.sockets))
        threads = (f"thread {thread.name}" for thread in self.threads)
        return "; ".join([*processes, *sockets, *threads])


def running() -> Running:
    threads = (thread for thread in threading.enumerate() if not thread.name.startswith(POOLS_OF_MODULES))
    return Running(_children(), _sockets(), frozenset(threads))


def left_since(before: Running, seconds: float = ENDING_SECONDS) -> Running:
    """Return what a test has left, once what was about to end has had *seconds* to do so."""
    left = running().since(before)
    until = time.monotonic() + seconds
    while left and time.monotonic() < until:
        gc.collect()  # an object that nobody holds any longer says here, not in a later test, that it was not closed
        time.sleep(0.02)
        left = running().since(before)
    return left


def end(left: Running) -> None:
    """Take away the processes; what is this process's own can only be named."""
    for pid in left.processes:
        with suppress(ProcessLookupError, ChildProcessError):  # it ended just now, or somebody waits for it
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _children() -> frozenset[int]:
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208 -- before and after each test: a Path a thread costs more
        try:
            with open(f"/proc/self/task/{task}/children", "rb") as children:  # noqa: PTH123 -- the same
                found.update(map(int, children.read().split()))
        except OSError:
            continue  # a thread that has just ended
    return frozenset(pid for pid in found if not any(mark in _command(pid).encode() for mark in LIVES_WITH_PYTHON))


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace") or "ended, not waited for"
    except OSError:
        return "ended"


def _sockets() -> frozenset[int]:
    found: set[int] = set()
    with os.scandir("/proc/self/fd") as descriptors:
        for descriptor in descriptors:
            try:
                status = os.fstat(int(descriptor.name))
            except OSError:
                continue  # closed by another thread just now
            if stat.S_ISSOCK(status.st_mode):
                found.add(status.st_ino)
    return frozenset(found)
