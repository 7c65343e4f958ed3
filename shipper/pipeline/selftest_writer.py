"""The program whose log the self-test follows: it writes numbered lines, and rotates as log writers do."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final

LINES_A_SECOND: Final = 2_000
_TICK_SECONDS: Final = 0.02
_BURST_LINES: Final = 1_000


class DrillWriter:
    """Writes one log; owned by one drill.

    Attributes:
        written: Every line that it wrote.
        rotations: How often it has rotated.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Write to *path*, in lines that begin with *name*."""
        path.parent.mkdir()
        self.written = list[str]()
        self.rotations = 0
        self._path = path
        self._name = name
        self._file = path.open("a", encoding="ascii", buffering=1)

    async def write_for(self, seconds: float) -> None:
        """Write at the usual rate for so long."""
        loop = asyncio.get_running_loop()
        begun, before = loop.time(), len(self.written)
        while (gone := loop.time() - begun) < seconds:
            while len(self.written) - before < gone * LINES_A_SECOND:
                self._write()
            await asyncio.sleep(_TICK_SECONDS)

    def rename_and_create(self) -> None:
        """Rotate as logrotate does by default: the file gets a new name, a new file the old one."""
        self._burst()
        self._file.close()
        self._shift()
        self._path.rename(self._numbered(1))
        self._file = self._path.open("a", encoding="ascii", buffering=1)

    def copy_and_truncate(self) -> None:
        """Rotate as `copytruncate` does; nothing is written between the two, which no reader could see."""
        self._burst()
        self._shift()
        shutil.copyfile(self._path, self._numbered(1))
        self._file.truncate(0)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _burst(self) -> None:
        """Write more than the agent can have read when the file is rotated in the next instant."""
        for _ in range(_BURST_LINES):
            self._write()

    def _write(self) -> None:
        line = f"{self._name} line {len(self.written):07d} of the self-test, as long as lines of a log mostly are"
        self._file.write(line + "\n")
        self.written.append(line)

    def _shift(self) -> None:
        self.rotations += 1
        for number in range(self.rotations - 1, 0, -1):
            self._numbered(number).rename(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
