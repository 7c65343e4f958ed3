"""Calls of the system that fail in a running agent: strace is attached to it for as long as they do.

What a disk, a quota or a kernel answers that no file system here can be brought to, without touching the agent.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.scene import Scene

_ATTACH_SECONDS = 20.0
_CALL = re.compile(r"\d+ +(\w+)\((.*)")


class Failing:
    """What strace has seen of the calls."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    @property
    def calls(self) -> list[tuple[str, bool]]:
        """The name of each call, and whether it failed by our doing."""
        lines = self._trace.read_text(encoding="utf-8", errors="replace").splitlines()
        return [(call[1], "(INJECTED)" in call[2]) for call in map(_CALL.match, lines) if call is not None]

    @property
    def count(self) -> int:
        """How many calls have failed by our doing."""
        return sum(injected for _, injected in self.calls)


@asynccontextmanager
async def failing(
    scene: Scene, calls: Sequence[str], error: str, *places: Path, seen: Sequence[str] = ()
) -> AsyncIterator[Failing]:
    """Let *calls* of the agent on *places* (all, for none) end with *error*; those of *seen* are only noted.

    Skips the test where there is no strace, or it may not be attached.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if scene.process is None:
        raise AssertionError("no agent runs")
    trace = scene.folder / f"strace.{scene.process.pid}"
    strace = subprocess.Popen(
        [
            "strace", "-f", "-o", str(trace), "-p", str(scene.process.pid), "-e", f"trace={','.join([*calls, *seen])}",
            "-e", f"inject={','.join(calls)}:error={error}", *(part for place in places for part in ("-P", str(place))),
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        if not await asyncio.to_thread(_is_attached, strace):
            pytest.skip("strace may not be attached to a process here")
        yield Failing(trace)
    finally:
        strace.send_signal(signal.SIGINT)
        await asyncio.to_thread(strace.communicate, timeout=_ATTACH_SECONDS)


def _is_attached(strace: subprocess.Popen[bytes]) -> bool:
    if strace.stderr is None:
        raise AssertionError("it was asked for")
    return any(b" attached" in line for line in iter(strace.stderr.readline, b""))
