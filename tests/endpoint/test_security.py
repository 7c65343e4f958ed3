"""Nobody else gets in: not another host, not a page of another origin, on no route."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.endpoint.endpoint_process import JSON, EndpointProcess, run_command

ROUTES = [
    ("POST", "/v2/logs/ingest"), ("POST", "/api/v2/logs/ingest"), ("GET", "/v1/events"), ("GET", "/v1/histogram"),
    ("GET", "/v1/stats"), ("GET", "/v1/sources"), ("GET", "/v1/refused"), ("GET", "/v1/tail"), ("GET", "/metrics"),
    ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/"), ("GET", "/viewer/index.html"), ("GET", "/nowhere"),
    ("OPTIONS", "/v2/logs/ingest"),
]  # fmt: skip
FOREIGN = [
    pytest.param({"Host": "attacker.example:{port}"}, id="rebound_name"),
    pytest.param({"Host": "attacker.example"}, id="rebound_name_without_port"),
    pytest.param({"Host": "localhost:1"}, id="other_port"),
    pytest.param({"Host": "localhost"}, id="no_port"),
    pytest.param({"Host": "192.168.0.1:{port}"}, id="lan_address"),
    pytest.param({"Host": ""}, id="empty_host"),
    pytest.param({"Origin": "https://attacker.example"}, id="foreign_origin"),
    pytest.param({"Origin": "http://localhost:3000"}, id="other_local_origin"),
    pytest.param({"Origin": "null"}, id="sandboxed_origin"),
    pytest.param({"Sec-Fetch-Site": "cross-site"}, id="cross_site"),
    pytest.param({"Sec-Fetch-Site": "same-site"}, id="same_site"),
]
BODY = '[{"content":"from elsewhere"}]'


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda value: value)
@pytest.mark.parametrize("headers", FOREIGN)
def test_a_foreign_request_is_refused_on_every_route(
    endpoint: EndpointProcess, method: str, path: str, headers: Mapping[str, str]
) -> None:
    ours = {**JSON, "Host": f"localhost:{endpoint.port}"}
    foreign = {name: value.format(port=endpoint.port) for name, value in headers.items()}

    reply = endpoint.request(method, path, BODY if method == "POST" else None, {**ours, **foreign})

    assert reply.status == 403
    assert reply.json()["error"]["code"] == 403  # type: ignore[index]
    assert not any(name.lower().startswith("access-control-") for name in reply.headers)


def test_nothing_of_a_foreign_request_is_kept(endpoint: EndpointProcess) -> None:
    for content_type in ("text/plain", "application/json"):
        headers = {"Content-Type": content_type, "Origin": "https://attacker.example"}
        assert endpoint.request("POST", "/v2/logs/ingest", BODY, headers).status == 403

    assert endpoint.events(q="elsewhere") == []
    reply = endpoint.request("GET", "/v1/refused")
    latest = json.loads(reply.body)["refused"][0]
    assert latest["status"] == 403
    assert latest["requests"] >= 2
    assert b"elsewhere" not in reply.body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_our_own_names_and_our_own_page_get_in(endpoint: EndpointProcess, host: str) -> None:
    own = {
        "Host": f"{host}:{endpoint.port}",
        "Origin": f"http://{host}:{endpoint.port}",
        "Sec-Fetch-Site": "same-origin",
    }

    assert endpoint.request("GET", "/v1/stats", headers=own).status == 200


@pytest.mark.parametrize(
    "start", ["GET http://attacker.example/v1/stats HTTP/1.1", "GET //attacker.example/v1/stats HTTP/1.1"]
)
def test_a_target_that_names_another_host_does_not_get_in(endpoint: EndpointProcess, start: str) -> None:
    sent = f"{start}\r\nHost: localhost:{endpoint.port}\r\nConnection: close\r\n\r\n"

    assert endpoint.exchange(sent.encode()).split(b" ")[1] in (b"403", b"404", b"400")


@pytest.mark.parametrize("hosts", ["", "Host: localhost:{port}\r\nHost: localhost:{port}\r\n"], ids=["none", "two"])
def test_exactly_one_host_header_is_needed(endpoint: EndpointProcess, hosts: str) -> None:
    sent = f"GET /v1/stats HTTP/1.1\r\n{hosts.format(port=endpoint.port)}Connection: close\r\n\r\n"

    assert endpoint.exchange(sent.encode()).split(b" ")[1] in (b"403", b"400")


@pytest.mark.parametrize("path", ["/", "/viewer/index.html"])
def test_the_page_may_load_only_what_is_ours(endpoint: EndpointProcess, path: str) -> None:
    reply = endpoint.request("GET", path)

    assert reply.status == 200
    policy = {part.split()[0]: part.split()[1:] for part in reply.headers["Content-Security-Policy"].split(";")}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["img-src"] == ["'self'", "data:"]
    assert policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/viewer/../server.py", "/viewer/%2e%2e/server.py", "/viewer/..%2fserver.py", "/viewer//etc/passwd",
        "/viewer/__init__.py", "/viewer/", "/..", "/viewer/%00",
    ],
)  # fmt: skip
def test_only_the_files_of_the_viewer_are_served(endpoint: EndpointProcess, path: str) -> None:
    with endpoint.connect() as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{endpoint.port}\r\nConnection: close\r\n\r\n".encode())
        received = raw.makefile("rb").read()

    assert received.split(b" ")[1] in (b"404", b"400")


def test_it_listens_on_loopback_only(endpoint: EndpointProcess) -> None:
    listening = listening_addresses(endpoint.process.pid)

    assert listening == {("127.0.0.1", endpoint.port), ("::1", endpoint.port)}
    with endpoint.connect("::1") as raw:
        raw.sendall(f"GET /livez HTTP/1.1\r\nHost: [::1]:{endpoint.port}\r\nConnection: close\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 200 ")


def listening_addresses(pid: int) -> set[tuple[str, int]]:
    """Return the addresses the process listens on, as the kernel tells them."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                found.add((str(address_of(address)), int(port, 16)))
    return found


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address that /proc/net/tcp writes as words in the host's byte order."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.1.1", "127.0.0.2", "example.com", "localhost.localdomain", "eth0"]
)
def test_any_other_address_is_refused_as_wrong_usage(tmp_path: Path, host: str) -> None:
    done = run_command(
        "--host", host, "--port", "0", "--store", str(tmp_path / "store"), "--settings-dir", str(tmp_path)
    )

    assert done.returncode == 2
    assert "loopback" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "store").exists()


def test_another_network_namespace_cannot_reach_it(endpoint: EndpointProcess) -> None:
    """A container or another host on the wire: a pair of interfaces, the far end in a namespace of its own."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("SKIPPED LOUDLY: needs root and iproute2 for a network namespace")
    name = f"ship{uuid.uuid4().hex[:6]}"
    near, far = f"{name}a", f"{name}b"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("SKIPPED LOUDLY: this machine grants no network namespaces")
    try:
        for command in (
            f"ip link add {near} type veth peer name {far}",
            f"ip link set {far} netns {name}",
            f"ip addr add 198.51.100.1/30 dev {near}",
            f"ip link set {near} up",
            f"ip -n {name} addr add 198.51.100.2/30 dev {far}",
            f"ip -n {name} link set {far} up",
            f"ip -n {name} link set lo up",
        ):
            if subprocess.run(command.split(), check=False, capture_output=True).returncode:
                pytest.skip(f"SKIPPED LOUDLY: '{command}' is not possible here")
        probe = (
            "import socket, sys\n"
            "try:\n    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)\n"
            "except OSError as error:\n    print(type(error).__name__)\nelse:\n    print('connected')\n"
        )
        with socket.create_server(("198.51.100.1", 0)) as witness:  # shows that the wire itself works
            ask = ["ip", "netns", "exec", name, sys.executable, "-c", probe]
            answers = {
                place: subprocess.run(
                    [*ask, host, str(port)], capture_output=True, text=True, check=True
                ).stdout.strip()
                for place, host, port in (
                    ("witness", "198.51.100.1", witness.getsockname()[1]),
                    ("wire", "198.51.100.1", endpoint.port),
                    ("their own loopback", "127.0.0.1", endpoint.port),
                    ("their own ::1", "::1", endpoint.port),
                )
            }
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", near], check=False, capture_output=True)

    refused = "ConnectionRefusedError"
    assert answers == {"witness": "connected", "wire": refused, "their own loopback": refused, "their own ::1": refused}
    assert endpoint.request("GET", "/livez").status == 200
