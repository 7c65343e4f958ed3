"""The endpoint as users run it: a process of its own, its port read from the line it prints, spoken to over sockets."""

from __future__ import annotations

import http.client
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlencode, urlsplit

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "shipper.endpoint"]
INGEST = "/v2/logs/ingest"
JSON = {"Content-Type": "application/json; charset=utf-8"}


class Reply(NamedTuple):
    """An answer, whole; header names as sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        content: dict[str, object] = json.loads(self.body)
        return content


class EndpointProcess:
    """One run of `python -m shipper.endpoint`; what it says goes to endpoint.log beside the store."""

    def __init__(self, store: Path, *arguments: str, port: int = 0) -> None:
        self.store = store
        self.log = store.with_name(f"{store.name}.log")
        settings = store.with_name("no-settings")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "--port", str(port), "--store", str(store), "--settings-dir", str(settings), *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT,
            )  # fmt: skip
        self.ready_line = self._first_line()
        if not self.ready_line.startswith("event=endpoint_ready "):
            self.kill()
            raise AssertionError(f"no endpoint ({self.ready_line!r}): {self.log.read_text()[-3000:]}")
        self.port = urlsplit(self.ready_line.rpartition("url=")[2]).port or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Reply:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path + ("?" + urlencode(query) if query else ""), body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def ingest(self, *events: object) -> Reply:
        """Post *events* as a JSON array."""
        return self.request("POST", "/v2/logs/ingest", json.dumps(events), JSON)

    def events(self, **query: str | int) -> list[dict[str, object]]:
        """Return all events that *query* finds, oldest first, page by page."""
        found: list[dict[str, object]] = []
        cursor: str | None = ""
        while cursor is not None:
            asked: dict[str, str | int] = {"order": "oldest", "limit": 1_000, **query}
            page = self.request("GET", "/v1/events", query={**asked, "cursor": cursor} if cursor else asked)
            assert page.status == 200, page
            content = json.loads(page.body)
            found += content["events"]
            cursor = content["next"]
        return found

    def stats(self) -> dict[str, object]:
        return self.request("GET", "/v1/stats").json()

    def connect(self, host: str = "127.0.0.1") -> socket.socket:
        """Return a raw connection."""
        return socket.create_connection((host, self.port), timeout=PATIENCE_SECONDS)

    def exchange(self, sent: bytes) -> bytes:
        """Send raw bytes, and return all that comes until the endpoint closes the connection."""
        with self.connect() as raw:
            raw.sendall(sent)
            return read_to_end(raw)

    def kill(self) -> None:
        """Take the process away, as a power cut would; nothing if it has ended."""
        self.process.kill()
        self._ended()

    def stop(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Ask it to finish; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended(seconds)

    def _ended(self, seconds: float = PATIENCE_SECONDS) -> int:
        status = self.process.wait(seconds)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return status

    def _first_line(self) -> str:
        stdout = self.process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            return stdout.readline().decode().strip() if selector.select(PATIENCE_SECONDS) else ""


def head(endpoint: EndpointProcess, *lines: str, start: str = f"POST {INGEST} HTTP/1.1") -> bytes:
    """Return the head of a raw request; by default of an ingest request."""
    return "\r\n".join([start, f"Host: localhost:{endpoint.port}", *lines, "", ""]).encode()


def read_to_end(raw: socket.socket) -> bytes:
    """Return all that comes until the other side closes; a reset ends it as well."""
    received = b""
    try:
        while piece := raw.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def read_until(raw: socket.socket, mark: bytes) -> bytes:
    """Return what comes up to and including *mark*, at least."""
    received = b""
    while mark not in received:
        piece = raw.recv(65_536)
        assert piece, f"closed before {mark!r}: {received!r}"
        received += piece
    return received


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=ROOT,
        env={**os.environ, **environment},
    )  # fmt: skip
