"""An endpoint as a process of its own: it prints its port, and answers each line on standard input with its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class AskedSink:
    """Such a process, run from *module* with *arguments*; its end of standard input ends it."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._ask, self._said = self._process.stdin, self._process.stdout
        self.url = f"http://127.0.0.1:{int(self._said.readline())}/v2/logs/ingest"

    def figures(self) -> dict[str, float]:
        """Return what has come."""
        self._ask.write("?\n")
        self._ask.flush()
        answer: dict[str, float] = json.loads(self._said.readline())
        return answer

    def close(self) -> None:
        """End it."""
        self._ask.close()
        self._process.wait()
        self._said.close()
