"""The embedded endpoint: `shipper endpoint` as a supervised child process.

A process of its own, because a 1 MB request into its store takes tens of
milliseconds that the agent's loop would miss. Where something already answers
on the port (a OneAgent, say), that is used instead. The child ends with its
parent: it watches its standard input, which this process holds open.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

from shipper.adapters.host_processes import listener
from shipper.core.backoff import Backoff
from shipper.errors import ShipperError
from shipper.pipeline.journal import Journal

READY_SECONDS: Final = 20.0
STOP_SECONDS: Final = 10.0
LONGEST_LINE_BYTES: Final = 65_536


async def answers(host: str, port: int, timeout: float = 1.0) -> bool:
    """Return whether something accepts connections on *host*:*port*."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


class EmbeddedEndpoint:
    """Starts the endpoint, starts it again when it ends, and stops it; owns the child process."""

    def __init__(self, port: int, store: Path, profile: str, journal: Journal) -> None:
        """*port* is the one of `endpoint.url`; *store* the folder of its events."""
        self._command = [
            sys.executable, "-m", "shipper.endpoint", "--port", str(port), "--store", str(store),
            "--profile", profile, "--until-stdin-closes",
        ]  # fmt: skip
        self._port = port
        self._journal = journal
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> bool:
        """Serve the port, or return False where something else serves it already.

        Raises:
            ShipperError: the child does not come up.
        """
        if await answers("127.0.0.1", self._port):
            self._journal.say(
                "endpoint_in_use", port=self._port, program=await asyncio.to_thread(_who_listens, self._port),
                hint="another program serves this port already: it is used instead of the embedded endpoint; "
                "'shipper doctor' says whether it takes logs",
            )  # fmt: skip
            return False
        if not await self._spawn():
            raise ShipperError(f"the embedded endpoint did not start on port {self._port}; see its message above")
        return True

    async def watch(self) -> None:
        """Start the child again whenever it ends; runs until cancelled."""
        backoff = Backoff(initial_seconds=0.5, max_seconds=30.0)
        while self._child is not None:
            status = await self._child.wait()
            self._journal.say("endpoint_ended", port=self._port, exit_status=status)
            await asyncio.sleep(backoff.next_seconds())
            if await self._spawn():
                backoff.reset()

    async def stop(self) -> None:
        """End the child: it finishes its requests first."""
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), STOP_SECONDS)
        except TimeoutError:
            child.kill()
            await child.wait()

    async def _spawn(self) -> bool:
        self._child = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE_BYTES,
            start_new_session=True,  # Ctrl-C is for the agent: it drains into the endpoint before that stops
        )
        stdout = self._child.stdout
        if stdout is None:
            return False
        try:
            line = await asyncio.wait_for(stdout.readline(), READY_SECONDS)
        except TimeoutError:
            line = b""
        ready = line.startswith(b"event=endpoint_ready")
        if ready:
            self._journal.say("endpoint_started", url=line.decode().strip().rpartition("url=")[2])
        elif self._child.returncode is None:
            self._child.kill()
        return ready


def _who_listens(port: int) -> str:
    program = listener(port)
    return str(program) if program is not None else "unknown"
