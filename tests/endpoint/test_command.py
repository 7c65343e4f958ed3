"""`shipper endpoint` as a command: what it prints, how it ends, its port, its switches."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import ROOT, eventually, read_to_end, read_until, run_command
from tests.patience import PATIENCE_SECONDS


def test_the_ready_line_is_exact_and_the_only_one_on_standard_output(start: Start) -> None:
    endpoint = start()

    assert endpoint.ready_line == f"event=endpoint_ready url=http://127.0.0.1:{endpoint.port}/"
    endpoint.process.send_signal(signal.SIGTERM)
    assert endpoint.process.stdout is not None
    assert endpoint.process.stdout.read() == b""


def test_the_form_that_the_agent_starts_serves_under_its_profile(tmp_path: Path) -> None:
    """`shipper/pipeline/embedded.py` starts exactly this."""
    command = [sys.executable, "-m", "shipper.endpoint", "--port", "0", "--store", str(tmp_path / "store")]
    child = subprocess.Popen(
        [*command, "--profile", "saas", "--until-stdin-closes"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            assert child.stdout.readline().startswith(b"event=endpoint_ready url=http://127.0.0.1:")
            child.stdin.close()
            assert child.wait(PATIENCE_SECONDS) == 0
        finally:
            child.kill()


def test_the_whole_command_line_has_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shipper", "endpoint", "--help"], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 0
    for option in ("--host", "--port", "--store", "--forward", "--token-file", "--set-extensions-ingest-port"):
        assert option in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_finishes_requests_under_way_and_ends_it(start: Start, number: signal.Signals) -> None:
    endpoint = start()
    body = b'[{"content":"under way"}]'
    head = f"POST /v2/logs/ingest HTTP/1.1\r\nHost: localhost:{endpoint.port}\r\nContent-Type: application/json\r\n"
    tail = f"GET /v1/tail HTTP/1.1\r\nHost: localhost:{endpoint.port}\r\n\r\n"
    with endpoint.connect() as begun, endpoint.connect() as idle, endpoint.connect() as live:
        live.sendall(tail.encode())
        read_until(live, b"retry:")
        begun.sendall(head.encode() + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body))
        read_until(begun, b"100 Continue\r\n\r\n")
        endpoint.process.send_signal(number)
        eventually(lambda: is_refused(endpoint.port))
        begun.sendall(body)

        answer = read_to_end(begun)
        assert answer.startswith(b"HTTP/1.1 204 ")
        assert b"connection: close" in answer.lower()
        assert read_to_end(idle) == b""
        read_to_end(live)
    assert endpoint.process.wait(PATIENCE_SECONDS) == 0
    again = start(store=endpoint.store)
    assert len(again.events(q="under")) == 1


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_client_that_never_finishes_does_not_hold_the_stop_up(start: Start) -> None:
    endpoint = start("--read-timeout", "60s")
    with endpoint.connect() as raw:
        raw.sendall(
            f"POST /v2/logs/ingest HTTP/1.1\r\nHost: localhost:{endpoint.port}\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        read_until(raw, b"100 Continue")

        assert endpoint.stop(seconds=15) == 0


def test_a_taken_port_says_who_holds_it_and_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = run_command("--port", str(port), "--store", str(tmp_path / "store"), "--settings-dir", str(tmp_path))

    assert done.returncode == 1
    assert re.search(rf"port {port} is taken by .*\(process {os.getpid()}\)", done.stderr)
    assert "choose another with --port" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_port_taken_on_ipv6_alone_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as holder:
        port = holder.getsockname()[1]
        done = run_command("--port", str(port), "--store", str(tmp_path / "store"), "--settings-dir", str(tmp_path))

    assert (done.returncode, f"(process {os.getpid()})" in done.stderr) == (1, True)


def test_a_store_in_use_is_not_opened_twice(start: Start) -> None:
    endpoint = start()

    done = run_command("--port", "0", "--store", str(endpoint.store), "--settings-dir", str(endpoint.store))

    assert done.returncode == 75
    assert str(endpoint.process.pid) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["--port", "70000"], 2, "65535"),
        (["--profile", "gold"], 2, "saas"),
        (["--store-size", "many"], 2, "1GiB"),
        (["--store-age", "1y"], 2, "7d"),
        (["--restart-service"], 2, "--set-port"),
        (["--get-port", "--set-port", "1"], 2, "--get-port"),
        (["--set-port", "0"], 2, "1<=x<=65535"),
        (["--token-file", "/nowhere"], 2, "--forward"),
        (["--unknown"], 2, "--unknown"),
        (["--forward", "https://abc12345.live.dynatrace.com"], 78, "SHIPPER_FORWARD_TOKEN"),
        (["--forward", "https://abc12345.live.dynatrace.com", "--token-file", "/nowhere"], 78, "/nowhere"),
        (["--forward", "http://abc12345.live.dynatrace.com"], 78, "https"),
        (["--forward", "https://abc12345.live.dynatrace.com/?Api-Token=dt0c01.X"], 78, "token"),
    ],
)
def test_wrong_usage_ends_with_its_code_and_the_mend(
    tmp_path: Path, arguments: list[str], status: int, word: str
) -> None:
    token = (
        {} if status != 78 or word in ("SHIPPER_FORWARD_TOKEN", "/nowhere") else {"SHIPPER_FORWARD_TOKEN": "dt0c01.A"}
    )
    done = run_command(
        "--port", "0", "--store", str(tmp_path / "s"), "--settings-dir", str(tmp_path), *arguments, **token
    )

    assert done.returncode == status, done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert "dt0c01" not in done.stderr


def test_switched_off_nothing_listens_and_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "environment.yaml").write_text("enabled: true\n")
    (tmp_path / "host.yaml").write_text("ingest_active: false\n")

    done = run_command("--port", "0", "--store", str(tmp_path / "store"), "--settings-dir", str(tmp_path))

    assert done.returncode == 0
    assert done.stdout == ""
    assert "event=endpoint_off setting=ingest_active" in done.stderr
    assert "host.yaml" in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_wrong_settings_file_ends_with_78_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "hostgroup.yaml").write_text("enabled: true\ningest_activ: false\n")

    done = run_command("--port", "0", "--store", str(tmp_path / "store"), "--settings-dir", str(tmp_path))

    assert done.returncode == 78
    assert "hostgroup.yaml:2: ingest_activ: unknown key; did you mean ingest_active?" in done.stderr


@pytest.mark.parametrize(
    ("get", "put"), [("--get-port", "--set-port"), ("--get-extensions-ingest-port", "--set-extensions-ingest-port")]
)
def test_the_port_is_kept_as_oneagentctl_keeps_it(tmp_path: Path, get: str, put: str) -> None:
    settings = ("--settings-dir", str(tmp_path / "endpoint.d"))

    assert run_command(get, *settings).stdout == "14499\n"
    done = run_command(f"{put}=14888", *settings)
    assert done.returncode == 0
    assert "--restart-service" in done.stdout
    assert run_command(get, *settings).stdout == "14888\n"


def test_a_kept_port_is_the_one_it_listens_on(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert run_command(f"--set-port={port}", "--settings-dir", str(tmp_path)).returncode == 0
    child = subprocess.Popen(
        [sys.executable, "-m", "shipper.endpoint", "--store", str(tmp_path / "store"), "--settings-dir", str(tmp_path)],
        stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    with child, selectors.DefaultSelector() as selector:
        assert child.stdout is not None
        try:
            selector.register(child.stdout, selectors.EVENT_READ)
            assert selector.select(30)
            assert child.stdout.readline() == f"event=endpoint_ready url=http://127.0.0.1:{port}/\n".encode()
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        pytest.param('echo "$@" > "$0.called"', 0, "restarted", id="restarted"),
        pytest.param('echo "$@" > "$0.called"; echo "Unit not found" >&2; exit 5', 1, "Unit not found", id="failed"),
    ],
)
def test_restart_service_restarts_the_unit_by_systemctl(tmp_path: Path, script: str, status: int, said: str) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\n{script}\n")
    systemctl.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    done = run_command("--set-port=14889", "--restart-service", "--settings-dir", str(tmp_path / "d"), PATH=path)

    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert (tmp_path / "systemctl.called").read_text() == "restart shipper-endpoint.service\n"
    assert run_command("--get-port", "--settings-dir", str(tmp_path / "d")).stdout == "14889\n"


def test_without_systemd_the_port_is_kept_and_the_mend_is_named(tmp_path: Path) -> None:
    done = run_command("--set-port=14890", "--restart-service", "--settings-dir", str(tmp_path), PATH=str(tmp_path))

    assert done.returncode == 1
    assert "restart the endpoint yourself" in done.stderr
    assert run_command("--get-port", "--settings-dir", str(tmp_path)).stdout == "14890\n"


def test_the_token_is_in_no_process_list_and_in_no_log(start: Start, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("dt0c01.SECRETSECRET\n")
    with socket.create_server(("127.0.0.1", 0)) as tenant:
        endpoint = start("--forward", f"http://127.0.0.1:{tenant.getsockname()[1]}", "--token-file", str(token_file))
        endpoint.ingest({"content": "to the tenant"})
        received = first_request(tenant)
    command_line = Path(f"/proc/{endpoint.process.pid}/cmdline").read_bytes()
    answers = b"".join(endpoint.request("GET", path).body for path in ("/v1/stats", "/metrics", "/v1/refused"))

    assert b"authorization: api-token dt0c01.secretsecret" in received.lower()
    assert b"SECRET" not in command_line + answers + endpoint.log.read_bytes()


def first_request(tenant: socket.socket) -> bytes:
    """Return the head of the first request that a tenant gets."""
    tenant.settimeout(PATIENCE_SECONDS)
    connection, _ = tenant.accept()
    with connection:
        connection.settimeout(PATIENCE_SECONDS)
        return read_until(connection, b"\r\n\r\n")


def test_what_waits_for_the_tenant_is_shown(start: Start, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("dt0c01.X")
    with socket.create_server(("127.0.0.1", 0)) as tenant:  # takes connections, never answers
        url = f"http://127.0.0.1:{tenant.getsockname()[1]}"
        endpoint = start("--forward", url, "--token-file", str(token_file))
        endpoint.ingest(*[{"content": f"waits {number}"} for number in range(7)])

        assert endpoint.stats()["waiting"] == 7
        assert endpoint.stats()["forwarded"] == 0
        assert b"shipper_endpoint_forwarder_events_waiting 7.0" in endpoint.request("GET", "/metrics").body


def test_ipv6_alone_can_be_asked_for(start: Start) -> None:
    endpoint = start("--host", "::1")

    assert endpoint.ready_line == f"event=endpoint_ready url=http://[::1]:{endpoint.port}/"
    assert is_refused(endpoint.port)
    with endpoint.connect("::1") as raw:
        raw.sendall(f"GET /livez HTTP/1.1\r\nHost: [::1]:{endpoint.port}\r\nConnection: close\r\n\r\n".encode())
        assert read_to_end(raw).startswith(b"HTTP/1.1 200 ")
