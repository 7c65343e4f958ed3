"""`shipper check`: who answers at the endpoint, and what that means."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.checking import run

API_ERROR = b'{"error": {"code": 400, "message": "empty batch"}}'


@contextlib.contextmanager
def answering(status: int, body: bytes = b"", server: str = "EEC") -> Iterator[tuple[str, list[bytes]]]:
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
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_address[1]}/v2/logs/ingest", bodies
        finally:
            httpd.shutdown()
            thread.join()


def endpoint_finding(folder: Path, keys: str) -> tuple[str, str, int]:
    text = f"endpoint: {{{keys}}}\nsources: [{{name: a, format: raw, paths: ['{folder}/*.yaml']}}]\n"
    result = run(folder, text, "--json")
    finding = json.loads(result.stdout)["findings"][-1]
    return finding["level"], finding["text"], int(result.return_value)


@pytest.mark.parametrize(
    ("status", "body", "level", "said"),
    [
        (400, API_ERROR, "note", "'EEC' answers and takes events"),
        (204, b"", "warning", "'EEC' answers 204 to an empty request, not as the API does: is it a log endpoint?"),
        (400, b"<html>", "warning",
         "'EEC' answers 400 to an empty request, not as the API does: is it a log endpoint?"),
        (404, b"", "failed", "'EEC' answers 404: it takes no logs at this path; switch its log ingest on (Settings, "
         "Extension Execution Controller), or look at endpoint.url"),
        (401, b"", "failed", "'EEC' answers 401: the token is wrong, has expired or has no scope logs.ingest"),
        (405, b"", "failed", "'EEC' answers 405: it takes no logs; look at endpoint.url"),
        (503, b"", "warning", "'EEC' answers 503: it is busy; the agent would wait"),
        (302, b"", "failed", "'EEC' answers 302: that is no answer of a log endpoint"),
    ],
)  # fmt: skip
def test_who_answers_is_said(status: int, body: bytes, level: str, said: str, tmp_path: Path) -> None:
    with answering(status, body) as (url, bodies):
        found = endpoint_finding(tmp_path, f"url: '{url}'")

    assert found == (level, f"{url}: {said}", 1 if level == "failed" else 0)
    assert bodies == [b"[]"]


def test_another_endpoint_is_used_instead_of_the_embedded_one(tmp_path: Path) -> None:
    with answering(400, API_ERROR, "EEC") as (url, _):
        found = endpoint_finding(tmp_path, f"url: '{url}', embedded: true")

    assert found == ("note", f"{url}: 'EEC' answers and takes events, and is used instead of the embedded endpoint", 0)


def test_where_nothing_listens_it_depends_on_embedded(tmp_path: Path) -> None:
    with answering(400) as (url, _):
        pass  # its port is free again

    alone = endpoint_finding(tmp_path, f"url: '{url}'")
    embedded = endpoint_finding(tmp_path, f"url: '{url}', embedded: true")

    assert alone == (
        "failed",
        f"{url}: connection refused: nothing listens there; start what should listen there, or write embedded: true",
        1,
    )
    assert embedded == ("note", f"{url}: nothing listens there now; the agent will serve it (embedded: true)", 0)


def test_the_public_api_needs_a_token(tmp_path: Path) -> None:
    level, text, status = endpoint_finding(tmp_path, "url: 'https://logs.invalid'")

    assert (level, status) == ("failed", 1)
    assert text == (
        "https://logs.invalid/api/v2/logs/ingest: no token is given, and events are refused without one; "
        "write endpoint.token: ${file:/etc/shipper/token}"
    )
