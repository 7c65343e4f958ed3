"""A client that knows nothing of us: Debian's syslog-ng with its http() destination, as its manual configures it.

Installed where that is allowed (root, and CI or `SHIPPER_INSTALL=1`), skipped by name otherwise.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import EndpointProcess, eventually
from tests.patience import PATIENCE_SECONDS

PACKAGES = ["syslog-ng-core", "syslog-ng-mod-http"]
INSTALL_SECONDS = 300
CONFIGURATION = """\
@version: 3.38
options {{ stats-freq(0); chain-hostnames(no); keep-hostname(yes); }};
source s_network {{ network(ip("127.0.0.1") port({source_port}) transport("tcp") flags(syslog-protocol)); }};
destination d_endpoint {{
  http(
    url("http://127.0.0.1:{endpoint_port}/v2/logs/ingest")
    method("POST")
    headers("Content-Type: application/json; charset=utf-8")
    body-prefix("[") delimiter(",") body-suffix("]")
    body("$(format-json content=$MESSAGE timestamp=${{ISODATE}} severity=$LEVEL log.source=$PROGRAM host.name=$HOST)")
    batch-lines(25) batch-timeout(200) time-reopen(1)
  );
}};
log {{ source(s_network); destination(d_endpoint); }};
"""


@pytest.fixture(scope="module")
def syslog_ng() -> str:
    """Return the program, installing it where that may be done."""
    if (found := shutil.which("syslog-ng")) and http_module():
        return found
    may_install = os.geteuid() == 0 and (os.environ.get("CI") or os.environ.get("SHIPPER_INSTALL") == "1")
    if not may_install or shutil.which("apt-get") is None:
        pytest.skip("SKIPPED LOUDLY: syslog-ng is not installed; as root, SHIPPER_INSTALL=1 lets this test install it")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode:
            pytest.skip(f"SKIPPED LOUDLY: {' '.join(command)} failed: {done.stderr[-300:]}")
    installed = shutil.which("syslog-ng")
    assert installed is not None
    return installed


def http_module() -> bool:
    return any(Path("/usr/lib/syslog-ng").glob("*/libhttp.so"))


@contextmanager
def running(program: str, folder: Path, endpoint: EndpointProcess) -> Iterator[int]:
    """Run syslog-ng until the block ends; gives the port it takes messages on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "syslog-ng.conf"
    configuration.write_text(CONFIGURATION.format(source_port=port, endpoint_port=endpoint.port))
    files = {"cfgfile": configuration, "persist-file": "persist", "pidfile": "pid", "control": "control"}
    options = [f"--{name}={folder / str(file)}" for name, file in files.items()]
    with (folder / "syslog-ng.log").open("wb") as log:
        process = subprocess.Popen([program, "--foreground", "--no-caps", "--stderr", *options], stdout=log, stderr=log)
    try:
        eventually(lambda: accepts(port))
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_syslog_ng_delivers_to_the_endpoint(syslog_ng: str, start: Start, tmp_path: Path) -> None:
    endpoint = start()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    lines = [f"<{8 + n % 8}>1 {stamp} web{n % 3} shop 77 - - order {n} “ok” <b>" for n in range(200)]
    with running(syslog_ng, tmp_path, endpoint) as port, socket.create_connection(("127.0.0.1", port)) as sender:
        sender.sendall("".join(f"{line}\n" for line in lines).encode())

        eventually(lambda: len(endpoint.events()) >= len(lines))

    events = endpoint.events(source="shop")
    assert sorted(str(event["content"]) for event in events) == sorted(f"order {n} “ok” <b>" for n in range(200))
    by_level = {event["loglevel"] for event in events}
    assert by_level == {"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG"}
    assert {event["attributes"]["host.name"] for event in events} == {"web0", "web1", "web2"}  # type: ignore[index]
    assert set(endpoint.stats()["requests_by_status"]) == {"204"}  # type: ignore[call-overload]
