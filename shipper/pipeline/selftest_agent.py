"""The agent of the self-test: a process of its own, started from a configuration as a user's is."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from collections import deque
from pathlib import Path
from typing import Final

from shipper.errors import ShipperError

STOP_SECONDS: Final = 20.0
READY_SECONDS: Final = 30.0
_LINES_KEPT: Final = 200
_SMALLEST_FILE_BYTES: Final = 4_096  # what is there already stays; no file may grow past this


class DrillAgent:
    """One agent, started as often as a drill wants; owned by the self-test.

    Attributes:
        said: The last lines of its log.
    """

    def __init__(self, config: Path) -> None:
        """Run it on *config*, whose folder holds its state."""
        isolated = ["-I"] if sys.flags.isolated else []
        self._command = [sys.executable, *isolated, "-m", "shipper", "run", "-c", str(config)]
        self._socket = config.parent / "state" / "control.sock"
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self.said = deque[str](maxlen=_LINES_KEPT)

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, and wait until it serves its control socket.

        Raises:
            ShipperError: It does not come up; with the last thing that it said.
        """
        self._socket.unlink(missing_ok=True)  # of one that was killed
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._listening = asyncio.create_task(self._listen(self._process))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while self.runs and not self._socket.exists():
                    await asyncio.sleep(0.02)
        if not self._socket.exists():
            raise ShipperError(f"the agent does not start: {self.said[-1] if self.said else 'it says nothing'}")

    async def kill(self) -> None:
        """Take it away, as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Let it drain and stop."""
        await self._end(signal.SIGTERM)

    def fill_disk(self) -> None:
        """Let no file of it grow any more."""
        self._limit_files(_SMALLEST_FILE_BYTES)

    def free_disk(self) -> None:
        """Let its files grow again."""
        self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, most_bytes: int) -> None:
        if self._process is not None:
            _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
            soft = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (hard if most_bytes < 0 else soft, hard))

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self.runs:
            self._process.send_signal(number)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Read what it says, so that it never waits for us."""
        while process.stdout is not None and (line := await process.stdout.readline()):
            self.said.append(line.decode("utf-8", "backslashreplace").rstrip())
