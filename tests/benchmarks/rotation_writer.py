"""A program that rotates its log five times a second; it knows what it wrote, and what no reader can have.

`python -m tests.benchmarks.rotation_writer LOG rename|copytruncate SECONDS LINES_PER_SECOND ROTATION_SECONDS KEPT`:
appends a first line and waits for one on standard input; then lines of 100 bytes, one `write` for those of 10 ms. It
prints at its end one JSON object: lines written, seconds, rotations, and the spans `[first, end)` of lines that were
cut away between a copy and its truncation.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Final
from zlib import crc32

LINE_BYTES: Final = 100
TICK_SECONDS: Final = 0.01


def line(number: int) -> str:
    """Return the line of that number without its end: number, checksum, filling."""
    mark = f"storm {number:010d} "
    return f"{mark}{crc32(mark.encode('ascii')):08x} ".ljust(LINE_BYTES - 1, "x")


def number_of(text: str) -> int | None:
    """Return the number of a line that arrived whole; none for what is no such line."""
    number = text[6:16]
    return int(number) if number.isdigit() and text == line(int(number)) else None


class Writer:
    """Writes on one thread and rotates on another, as a program and its logrotate do."""

    def __init__(self, path: Path, mode: str, kept: int) -> None:
        self.path = path
        self.mode = mode
        self.kept = kept
        self.written = 0
        self.rotations = 0
        self.gaps: list[tuple[int, int]] = []
        self._begun_at = 0  # number of the first line of the file as it is
        self._lock = threading.Lock()  # one `write` or one truncation at a time; a copy takes no lock
        self._descriptor = self._open()

    def write(self, lines: int) -> None:
        body = "".join(line(self.written + n) + "\n" for n in range(lines)).encode("ascii")
        with self._lock:
            os.write(self._descriptor, body)
            self.written += lines

    def rotate(self) -> None:
        """Shift the chain, the oldest falls off, and begin the file anew."""
        for number in range(self.kept, 0, -1):
            name = self._rotated(number)
            if name.exists():
                name.rename(self._rotated(number + 1)) if number < self.kept else name.unlink()
        if self.mode == "rename":
            self.path.rename(self._rotated(1))
            fresh = self._open()
            with self._lock:
                old, self._descriptor = self._descriptor, fresh
            os.close(old)
        else:
            self._copy_and_truncate()
        self.rotations += 1

    def _copy_and_truncate(self) -> None:
        copied = 0
        with self.path.open("rb") as source, self._rotated(1).open("wb") as copy:
            while piece := source.read(65_536):
                copied += copy.write(piece)
        with self._lock:
            first, end = self._begun_at + copied // LINE_BYTES, self.written
            os.truncate(self.path, 0)
            self._begun_at = end
        if first < end:
            self.gaps.append((first, end))

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def main(path: Path, mode: str, seconds: float, rate: int, every: float, kept: int) -> None:
    """Write and rotate, then say what was done."""
    writer = Writer(path, mode, kept)
    writer.write(1)
    sys.stdin.readline()
    started = time.monotonic()
    over = threading.Event()

    def rotate() -> None:
        due = started
        while not over.wait(max(due + every - time.monotonic(), 0.0)):
            due = max(due + every, time.monotonic() - every)  # a rotation that came late does not make two
            writer.rotate()

    rotator = threading.Thread(target=rotate)
    rotator.start()
    while (spent := time.monotonic() - started) < seconds:
        owed = int(spent * rate) - writer.written
        if owed > 0:
            writer.write(min(owed, rate))
        time.sleep(TICK_SECONDS)
    over.set()
    rotator.join()
    took = time.monotonic() - started
    print(json.dumps({"written": writer.written, "seconds": took, "rotations": writer.rotations, "gaps": writer.gaps}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6]))
