"""The agent as users run it: a process of its own, started from a configuration file."""

from __future__ import annotations

import atexit
import json
import signal
import subprocess
import sys
from pathlib import Path


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
    """One run of `shipper run`; what it says goes to agent.log beside the configuration."""

    def __init__(self, config: Path, *arguments: str) -> None:
        self.log = config.parent / "agent.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "shipper", "run", "-c", str(config), *arguments],
                stdout=log, stderr=log, cwd=Path(__file__).parents[2],
            )  # fmt: skip
        atexit.register(self._abandon)  # a test that failed half-way must not leave it running

    def _abandon(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """Take the process away, as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to drain and stop; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def run_once(config: Path, *arguments: str, seconds: float = 120.0) -> tuple[int, dict[str, object]]:
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
