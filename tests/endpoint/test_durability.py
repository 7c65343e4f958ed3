"""A 2xx is a promise: killed at any moment, or out of disk, nothing that was acknowledged is missing.

`SHIPPER_KILL_ROUNDS=30` kills more often than CI does.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import JSON, EndpointProcess, eventually
from tests.patience import PATIENCE_SECONDS

KILL_ROUNDS = int(os.environ.get("SHIPPER_KILL_ROUNDS", "3"))
WRITERS = 4
EVENTS_A_REQUEST = 20
DISK_BYTES = 4 * 1024 * 1024
SMALL_STORE = "1MiB"
SEGMENT_BYTES = 64 * 1024  # of a store so small; hexadecimal noise compresses to half


class Writer(threading.Thread):
    """Posts numbered events one request after the other until the endpoint is gone; each is sent once."""

    def __init__(self, endpoint: EndpointProcess, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.acked: list[str] = []
        self.sent: list[str] = []
        self._port = endpoint.port
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            while True:
                batch = [f"{self.name}-{len(self.sent) + n}" for n in range(EVENTS_A_REQUEST)]
                self.sent += batch
                body = json.dumps([{"content": mark, "log.source": self.name} for mark in batch])
                connection.request("POST", "/v2/logs/ingest", body, dict(JSON))
                reply = connection.getresponse()
                reply.read()
                assert reply.status == 204
                self.acked += batch
        except (OSError, http.client.HTTPException):
            connection.close()


def have_acked(writers: list[Writer], goal: int) -> bool:
    return sum(len(writer.acked) for writer in writers) >= goal


def contents(endpoint: EndpointProcess) -> Counter[str]:
    return Counter(str(event["content"]) for event in endpoint.events())


def test_killed_at_any_moment_every_acknowledged_event_is_there(start: Start, tmp_path: Path) -> None:
    moments = random.Random(14499)
    acked: set[str] = set()
    sent: set[str] = set()
    for number in range(KILL_ROUNDS):
        endpoint = start()
        writers = [Writer(endpoint, f"round-{number}-{writer}") for writer in range(WRITERS)]
        goal = moments.randint(1, 60) * EVENTS_A_REQUEST
        eventually(partial(have_acked, writers, goal))
        endpoint.kill()
        for writer in writers:
            writer.join(PATIENCE_SECONDS)
            acked.update(writer.acked)
            sent.update(writer.sent)

    found = contents(start())
    assert acked - found.keys() == set()
    assert found.keys() - sent == set()
    assert set(found.values()) == {1}
    assert len(acked) >= KILL_ROUNDS * EVENTS_A_REQUEST


@contextmanager
def small_disk(at: Path) -> Iterator[Path]:
    """Mount a file system of a few MiB, where that is allowed."""
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "shipper-test", str(at)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("SKIPPED LOUDLY: mounting a small tmpfs needs root and a machine that allows it")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def test_a_full_disk_answers_503_recovers_by_itself_and_loses_nothing(start: Start, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(DISK_BYTES // 2))
        endpoint = start(store=disk / "store")
        acked: set[str] = set()

        full = fill(endpoint, acked, "first")
        assert full["code"] == 503
        assert full["message"] == "Usable space limit reached"
        assert endpoint.request("GET", "/readyz").status == 503
        assert endpoint.request("GET", "/livez").status == 200
        acked_when_full = len(acked)
        assert set(contents(endpoint)) == acked

        ballast.unlink()
        fill(endpoint, acked, "second")
        assert len(acked) > acked_when_full
        assert set(contents(endpoint)) == acked
        assert endpoint.stop() == 0

        again = start(store=disk / "store")
        assert contents(again) == Counter(acked)
        assert b"event=store_full" in endpoint.log.read_bytes()
        again.kill()


def fill(endpoint: EndpointProcess, acked: set[str], name: str) -> dict[str, object]:
    """Post what does not compress until there is no room; return the error that says so."""
    noise = random.Random(name)
    for number in range(2_000):
        batch = [f"{name}-{number}-{n}" for n in range(20)]
        reply = endpoint.ingest(*[{"content": content, "noise": noise.randbytes(1_500).hex()} for content in batch])
        if reply.status != 204:
            assert int(reply.headers["Retry-After"]) > 0
            error = reply.json()["error"]
            assert isinstance(error, dict)
            return error
        acked.update(batch)
    raise AssertionError("the disk took everything")


def test_a_disk_that_goes_away_ends_the_endpoint_with_74_and_what_was_acknowledged_is_there(
    start: Start, tmp_path: Path
) -> None:
    endpoint = start("--store-size", SMALL_STORE)
    noise = random.Random(74).randbytes(SEGMENT_BYTES).hex()
    assert endpoint.ingest({"content": "fills the segment", "noise": noise}).status == 204

    gone = (tmp_path / "store").rename(tmp_path / "gone")
    reply = endpoint.ingest({"content": "needs a new segment"})

    assert reply.status == 500
    assert endpoint.process.wait(PATIENCE_SECONDS) == 74
    assert "mend the disk and start the endpoint again" in endpoint.log.read_text()
    assert contents(start(store=gone)) == Counter(["fills the segment"])
