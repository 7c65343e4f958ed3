"""What a service manager hears of the agent and the endpoint, as processes of their own, on a real datagram socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.agent_process import write_config
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


class Service:
    """A command under a service manager that notes what it is told."""

    def __init__(self, folder: Path, watchdog_seconds: float, *command: str) -> None:
        self.words: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(str(folder / "notify"))
        environ = {
            **os.environ,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(int(watchdog_seconds * 1e6)),
        }
        with (folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "shipper", *command], stdout=log, stderr=log, env=environ, cwd=ROOT
            )

    def hear(self, word: str, seconds: float = PATIENCE_SECONDS) -> str:
        """Wait for a message that begins with *word* and return it."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._listener.settimeout(left)
            try:
                self.words.append(self._listener.recv(4096).decode())
            except TimeoutError:
                break
            if self.words[-1].startswith(word):
                return self.words[-1]
        raise AssertionError(f"{word} was not heard in {seconds:g} s, only {self.words}")

    def silence(self, seconds: float) -> list[str]:
        """Return what is heard in the next *seconds*."""
        heard = list[str]()
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._listener.settimeout(left)
            try:
                heard.append(self._listener.recv(4096).decode())
            except TimeoutError:
                break
        return heard

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self._listener.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "app.log").write_text("a line\n" * 5, encoding="utf-8")
    source: dict[str, object] = {"name": "app", "paths": [str(tmp_path / "app.log")], "format": "raw"}
    config = write_config(tmp_path, "http://127.0.0.1:9/v2/logs/ingest", [source])  # nothing listens there
    service = Service(tmp_path, 1.0, "run", "-c", str(config))
    yield service
    service.close()


def test_the_agent_says_ready_then_alive_then_stopping_also_while_it_waits_for_the_endpoint(agent: Service) -> None:
    ready = agent.hear("READY=1")
    fed = [agent.hear("WATCHDOG=1") for _ in range(4)]
    while not any("endpoint unreachable" in word for word in agent.words):
        agent.hear("STATUS=1 file, ")
    agent.process.terminate()
    agent.hear("STOPPING=1")

    assert ready.startswith("READY=1\nSTATUS=")
    assert len(fed) == 4
    assert agent.hear("EXTEND_TIMEOUT_USEC=")
    agent.process.send_signal(signal.SIGTERM)  # the second one: do not wait for an endpoint that is not there
    assert agent.process.wait(PATIENCE_SECONDS) == 0


def test_a_stopped_agent_does_not_feed_the_watchdog(agent: Service) -> None:
    agent.hear("WATCHDOG=1")
    agent.process.send_signal(signal.SIGSTOP)
    agent.silence(0.2)  # what was under way

    assert agent.silence(1.5) == []
    agent.process.send_signal(signal.SIGCONT)
    assert agent.hear("WATCHDOG=1")


def test_the_endpoint_says_ready_alive_and_stopping(tmp_path: Path) -> None:
    service = Service(tmp_path, 1.0, "endpoint", "--port", "0", "--store", str(tmp_path / "store"))
    try:
        service.hear("READY=1")
        fed = [service.hear("WATCHDOG=1") for _ in range(3)]
        service.process.terminate()
        service.hear("STOPPING=1")

        assert len(fed) == 3
        assert service.process.wait(PATIENCE_SECONDS) == 0
    finally:
        service.close()
