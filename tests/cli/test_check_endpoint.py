"""`shipper check`: who answers at the endpoint, and what that means."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.checking import run

API_ERROR = b'{"error": {"code": 400, "message": "empty batch"}}'


@contextlib.contextmanager
def answering(
    status: int, body: bytes = b"", server: str = "EEC", tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives every request the same answer; what it was sent is kept."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def version_string(self) -> str:
            return server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        if tls is not None:
            httpd.socket = tls.wrap_socket(httpd.socket, server_side=True)
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_address[1]}/v2/logs/ingest", bodies
        finally:
            httpd.shutdown()
            thread.join()


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """A port that is taken, so that nobody else gets it meanwhile, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v2/logs/ingest"


def endpoint_finding(folder: Path, keys: str) -> tuple[str, str, str]:
    """Return its level, its text without the process that listens, and what mends it."""
    text = f"endpoint: {{{keys}}}\nsources: [{{name: a, format: raw, paths: ['{folder}/*.yaml']}}]\n"
    result = run(folder, text, "--json")
    finding = json.loads(result.stdout)["findings"][-1]
    assert result.return_value == (1 if finding["level"] == "failed" else 0)
    return (
        finding["level"],
        re.sub(r" from \S+ (\S+ ){0,2}\(process \d+\)", "", finding["text"]),
        finding.get("mend", ""),
    )


LOOK = "look at endpoint.url in agent.yaml, or free the port for what should listen there"
SWITCH = "switch its log ingest on (Settings, Extension Execution Controller)"
ANSWERS = [
    (400, API_ERROR, "note", "answers and takes events", ""),
    (204, b"", "warning", "answers 204 to an empty request, not as the API does: is it a log endpoint?", LOOK),
    (400, b"<html>", "warning", "answers 400 to an empty request, not as the API does: is it a log endpoint?", LOOK),
    (404, b"", "failed", "answers 404: it takes no logs at this path: a OneAgent answers so while log ingest is "
     "switched off; any other program has nothing to do with logs", f"on a OneAgent {SWITCH}; else {LOOK}"),
    (401, b"", "failed", "answers 401: the token is wrong, has expired or has no scope logs.ingest",
     "make a token with the scope logs.ingest: endpoint.token"),
    (402, b"", "failed", "answers 402: the licence or the quota of that environment is used up: the agent would wait, "
     "and read no further", ""),
    (405, b"", "failed", "answers 405: it takes no logs", LOOK),
    (429, b"log ingest is Disabled", "failed", "answers 429: log ingest is disabled there: the agent would wait, and "
     "read no further", SWITCH),
    (429, b"", "warning", "answers 429: it is busy; the agent would wait", ""),
    (503, b"", "warning", "answers 503: it is busy; the agent would wait", ""),
    (302, b"", "failed", "answers 302: it sends to elsewhere, which is not followed",
     "write the URL that takes logs in endpoint.url"),
    (500, b"", "failed", "answers 500: that is no answer of a log endpoint", LOOK),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "level", "said", "mend"), ANSWERS)
def test_who_answers_is_said(status: int, body: bytes, level: str, said: str, mend: str, tmp_path: Path) -> None:
    with answering(status, body) as (url, bodies):
        found = endpoint_finding(tmp_path, f"url: '{url}'")

    assert found == (level, f"{url}: 'EEC' {said}", mend)
    assert bodies == [b"[]"]


def test_the_program_that_listens_is_named(tmp_path: Path) -> None:
    with answering(500) as (url, _):
        result = run(tmp_path, f"endpoint: {{url: '{url}'}}\nsources: [{{name: a, paths: [/x]}}]\n", "--json")

    assert f"(process {os.getpid()}) answers 500" in json.loads(result.stdout)["findings"][-1]["text"]


def test_another_endpoint_is_used_instead_of_the_embedded_one(tmp_path: Path) -> None:
    with answering(400, API_ERROR, "EEC") as (url, _):
        found = endpoint_finding(tmp_path, f"url: '{url}', embedded: true")

    assert found == ("note", f"{url}: 'EEC' answers and takes events, and is used instead of the embedded endpoint", "")


def test_where_nothing_listens_it_depends_on_embedded(tmp_path: Path) -> None:
    with nobody() as url:
        alone = endpoint_finding(tmp_path, f"url: '{url}'")
        embedded = endpoint_finding(tmp_path, f"url: '{url}', embedded: true")

    assert alone == (
        "failed",
        f"{url}: connection refused: nothing listens there",
        "start what should listen there, or write endpoint.embedded: true in agent.yaml",
    )
    assert embedded == ("note", f"{url}: nothing listens there now; the agent will serve it (embedded: true)", "")


def test_the_public_api_needs_a_token(tmp_path: Path) -> None:
    found = endpoint_finding(tmp_path, "url: 'https://logs.invalid'")

    assert found == (
        "failed",
        "https://logs.invalid/api/v2/logs/ingest: no token is given, and events are refused without one",
        "endpoint.token: ${file:/etc/shipper/token} in agent.yaml, with a token of the scope logs.ingest",
    )


def test_the_agents_own_endpoint_is_not_taken_for_another(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "shipper.endpoint", "--port", "0", "--store", str(tmp_path / "store"),
         "--until-stdin-closes"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        port = child.stdout.readline().rpartition(":")[2].strip().strip("/")
        found = endpoint_finding(tmp_path, f"url: 'http://127.0.0.1:{port}', embedded: true")
        child.communicate("")

    assert found == ("note", f"http://127.0.0.1:{port}/v2/logs/ingest: 'EEC' answers and takes events", "")
