"""Requests made by machines, from the OpenAPI description and from broken bytes: no 5xx, no hang."""

from __future__ import annotations

import socket
import subprocess
import sys
from importlib import resources
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import EndpointProcess
from tests.patience import PATIENCE_SECONDS

CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "unsupported_method",
]  # fmt: skip
RUN_SECONDS = 3 * PATIENCE_SECONDS
BODY = b'[{"content":"fuzz","severity":"error","a":{"b":[1,null,"x"]}}]'


def test_every_answer_is_one_that_the_description_names(start: Start, tmp_path: Path) -> None:
    """schemathesis: boundary values of every parameter, and random ones; the endless tail is left out."""
    endpoint = start()
    description = resources.files("shipper.endpoint").joinpath("openapi.yaml")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", str(description), "--no-color",
            "--url", f"http://127.0.0.1:{endpoint.port}", "--exclude-path", "/v1/tail",
            "--phases", "coverage,fuzzing", "--max-examples", "15", "--generation-deterministic",
            "--request-timeout", "10", "--checks", ",".join(CHECKS),
        ],
        capture_output=True, text=True, timeout=RUN_SECONDS, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-1_000:]
    assert "Tested: 11" in done.stdout
    assert "request_failed" not in endpoint.log.read_text()


def whole_request(port: int) -> bytes:
    return (
        f"POST /v2/logs/ingest?team=a&structure=raw HTTP/1.1\r\nHost: localhost:{port}\r\n"
        f"Content-Type: application/json\r\nX-Dynatrace-Attr: k=v\r\nContent-Length: {len(BODY)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + BODY


edits = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=4
)  # at, how many bytes go, what comes instead


@given(changes=edits)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_request_is_refused_or_taken_never_a_fault(
    endpoint: EndpointProcess, changes: list[tuple[int, int, bytes]]
) -> None:
    sent = whole_request(endpoint.port)
    for at, gone, instead in changes:
        sent = sent[:at] + instead + sent[at + gone :]
    with endpoint.connect() as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)  # nothing more comes: a body that is too short has ended
        received = raw.makefile("rb").read()

    assert received == b"" or (received.startswith(b"HTTP/") and received.split(b" ", 2)[1] < b"500")
    event(f"answered {received[9:12].decode() or 'nothing'}")
    assert "request_failed" not in endpoint.log.read_text()
