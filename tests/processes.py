"""Processes that a test starts: none outlives the block that it is for, however the block ends."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, AnyStr

from tests.patience import PATIENCE_SECONDS


@contextmanager
def ending(process: subprocess.Popen[AnyStr]) -> Iterator[subprocess.Popen[AnyStr]]:
    """Yield *process*; at the end of the block it is killed, if it runs, and its pipes are closed."""
    with process:
        try:
            yield process
        finally:
            process.kill()


@asynccontextmanager
async def started(*command: str, **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run *command* beside this loop for as long as the block lasts, which is twice the patience at most."""
    process = await asyncio.create_subprocess_exec(*command, **options)
    try:
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # which closes the pipes, too
