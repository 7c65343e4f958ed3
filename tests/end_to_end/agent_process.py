"""The agent as users run it: a process of its own, started from a configuration file."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.patience import PATIENCE_SECONDS


def write_config(folder: Path, url: str, sources: list[dict[str, object]], **endpoint: object) -> Path:
    """Write an agent.yaml (JSON is YAML) with quick scans to *folder*."""
    path = folder / "agent.yaml"
    path.write_text(
        json.dumps(
            {
                "state_dir": str(folder / "state"),
                "endpoint": {
                    "url": url,
                    "flush_interval": "50ms",
                    "retry": {"initial": "50ms", "max": "200ms"},
                    **endpoint,
                },
                "limits": {"scan": "60ms"},
                "sources": sources,
            }
        ),
        encoding="utf-8",
    )
    return path


class AgentProcess:
    """One run of `shipper run`, which ends with the block at the latest; it speaks to agent.log beside *config*."""

    def __init__(self, config: Path, *arguments: str) -> None:
        self.log = config.parent / "agent.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "shipper", "run", "-c", str(config), *arguments],
                stdout=log, stderr=log, cwd=Path(__file__).parents[2],
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if kind is not None:  # pytest shows it with the failure
            sys.stdout.write(f"the agent has said:\n{self.log.read_text(encoding='utf-8')[-6000:]}\n")

    def kill(self) -> None:
        """Take the process away, as a power cut would; nothing if it has ended."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Ask it to drain and stop; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    async def drained(self) -> int:
        """Stop it while this loop goes on to answer; return its exit status."""
        return await asyncio.to_thread(self.stop)


@contextmanager
def agents(config: Path) -> Iterator[Callable[..., AgentProcess]]:
    """Yield what starts an agent on *config*, as often as a test wants; none outlives the block."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(AgentProcess(config, *arguments))


def run_once(config: Path, *arguments: str, seconds: float = 2 * PATIENCE_SECONDS) -> tuple[int, dict[str, object]]:
    """Run `shipper run --once --json` and return its exit status and totals."""
    done = subprocess.run(
        [sys.executable, "-m", "shipper", "run", "--once", "--json", "-c", str(config), *arguments],
        capture_output=True, text=True, timeout=seconds, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise AssertionError(f"run --once printed no totals (exit {done.returncode}): {done.stderr[-3000:]}")
    totals: dict[str, object] = json.loads(lines[-1])
    return done.returncode, totals
