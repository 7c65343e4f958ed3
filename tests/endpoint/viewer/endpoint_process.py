"""A real `python -m shipper.endpoint` for the browser to look at."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.patience import PATIENCE_SECONDS

READY = re.compile(r"event=endpoint_ready url=(http://127\.0\.0\.1:\d+)/")

Event = dict[str, object]


class EndpointProcess:
    """Started when made; *url* has no slash at its end."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        """Start one with its store in *folder*; port 0 is a free one."""
        self._errors = (folder / "endpoint.log").open("ab")
        command = [sys.executable, "-m", "shipper.endpoint", "--port", str(port), "--store", str(folder / "store")]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._errors)
        self.url = self._ready_url()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ready_url(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if ready := READY.search(line.decode()):
                return ready[1]
        raise AssertionError(f"the endpoint ended with {self._process.wait(PATIENCE_SECONDS)} before it was ready")

    def post(self, events: Sequence[Event], path: str = "/v2/logs/ingest") -> int:
        """Send *events* as a client would; return the status."""
        return self.send(json.dumps(events).encode(), "application/json; charset=utf-8", path)

    def send(self, body: bytes, content_type: str, path: str = "/v2/logs/ingest") -> int:
        """Send *body*; return the status."""
        request = urllib.request.Request(self.url + path, body, {"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def stop(self) -> None:
        """End it; the store stays."""
        with self._process, self._errors:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_SECONDS)
            finally:
                self._process.kill()


def stamp(ms: int) -> str:
    """Return an instant as the agent writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"
