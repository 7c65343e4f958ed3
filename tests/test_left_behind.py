"""What a test leaves running is seen, whatever it is, and its processes end."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.left_behind import end, left_since, running
from tests.patience import PATIENCE_SECONDS


def test_nothing_new_is_nothing_left() -> None:
    before = running()

    assert not left_since(before, 0.0)


def wait_until_it_has_a_name(pid: int) -> None:
    """Wait for the end of exec: in the midst of it a process has no command line."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_process_that_runs_is_named_and_taken_away() -> None:
    before = running()
    with subprocess.Popen(["sleep", "1000"]) as child:
        wait_until_it_has_a_name(child.pid)
        left = left_since(before, 0.0)
        said = str(left)
        end(left)

        assert said == f"process {child.pid}: sleep 1000 "
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)


def test_a_socket_and_a_thread_are_seen_until_they_are_closed() -> None:
    before, may_end = running(), threading.Event()
    waiting = threading.Thread(target=may_end.wait, name="waiting", daemon=True)
    with socket.socket():
        waiting.start()
        left = left_since(before, 0.0)
        may_end.set()

    assert (len(left.sockets), set(left.threads)) == (1, {waiting})
    assert not left_since(before)
