"""A port that is taken: the message says what is known of the program that has it, and nothing that is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shipper.endpoint.listening import PortTaken, listen
from shipper.endpoint.occupant import Occupant, occupant_of

WEB_SERVER = """\
import http.server
class Web(http.server.BaseHTTPRequestHandler):
    server_version, sys_version = "Acme/1.2", ""
    def do_HEAD(self):
        self.send_response(404)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Web)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def web_server(name: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run a web server under the program's *name*; give its port and pid."""
    program = folder / name
    program.symlink_to(sys.executable)
    environ = {**os.environ, "PYTHONHOME": sys.base_prefix}
    child = subprocess.Popen([program, "-S", "-c", WEB_SERVER], stdout=subprocess.PIPE, env=environ)
    try:
        assert child.stdout is not None
        yield int(child.stdout.readline()), child.pid
    finally:
        child.kill()
        child.communicate()


@contextmanager
def mute(*, answer: bytes = b"") -> Iterator[int]:
    """Listen, say *answer* to whoever comes, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as asking:
                asking.recv(4096)
                asking.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("name", "said", "unsaid"),
    [
        pytest.param("acmed", "; stop that, or choose another with --port", "OneAgent", id="another_program"),
        pytest.param("oneagentos", ": a OneAgent, which takes logs there itself; no endpoint of ours is needed: point"
                     " the shipper at http://127.0.0.1:", "stop that", id="a_oneagent"),
    ],
)  # fmt: skip
def test_who_has_the_port_is_named_with_what_it_answers(name: str, said: str, unsaid: str, tmp_path: Path) -> None:
    with web_server(name, tmp_path) as (port, pid), pytest.raises(PortTaken) as taken:
        listen("127.0.0.1", port)

    assert f"port {port} is taken by {name} (process {pid}), which answers as 'Acme/1.2'{said}" in str(taken.value)
    assert unsaid not in str(taken.value)


def test_of_a_program_that_cannot_be_seen_no_name_is_guessed(tmp_path: Path) -> None:
    """As for a user who may not look into the processes of others."""
    with mute(answer=b"HTTP/1.0 400 Bad Request\r\nserver: \x1bnginx\r\n\r\n") as port:
        found = occupant_of(port, tmp_path)

    assert found == Occupant("", 0, "nginx")
    assert str(found) == "a program that this user may not see, which answers as 'nginx'"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\x00" * 5000])
def test_what_does_not_say_its_name_has_none(answer: bytes, tmp_path: Path) -> None:
    with mute(answer=answer) as port:
        assert occupant_of(port, tmp_path) == Occupant()
