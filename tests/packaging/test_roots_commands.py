"""A command that root runs on a service's state leaves nothing that the service could not use afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.adapters.spill_segment import write_durably

SERVICE = 61_234
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files that are root's")


def others(folder: Path) -> list[str]:
    """Return what below *folder* is not the service's."""
    made = [folder, *folder.rglob("*")]
    return [str(path) for path in made if (path.lstat().st_uid, path.lstat().st_gid) != (SERVICE, SERVICE)]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, SERVICE, SERVICE)
    return folder


@pytest.fixture
def config(tmp_path: Path, state_dir: Path) -> Path:
    (tmp_path / "shop.log").write_text("one\ntwo\n", encoding="utf-8")
    path = tmp_path / "agent.yaml"
    path.write_text(
        f"state_dir: {state_dir}\nendpoint: {{url: 'http://127.0.0.1:9'}}\n"
        f"sources: [{{name: shop, paths: ['{tmp_path}/shop.log']}}]\n",
        encoding="utf-8",
    )
    return path


def shipper(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "shipper", *map(str, arguments)]


ONCE = ("run", "--once", "--give-up-after", "100ms")


@pytest.mark.parametrize("arguments", [("state", "list"), ("verify",), ("backfill", "--plan")])
def test_a_commands_files_are_the_services(config: Path, state_dir: Path, arguments: tuple[str, ...]) -> None:
    subprocess.run(shipper(*ONCE, "-c", config), capture_output=True, check=False)

    subprocess.run(shipper(*arguments, "-c", config), capture_output=True, check=False)

    assert (state_dir / "offsets.db").exists()
    assert others(state_dir) == []


def running(arguments: list[str], folder: Path, until: Path) -> Iterator[None]:
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        # Made and given away are two steps: what counts is how it stands once it is there.
        while (not until.exists() or others(folder)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert until.exists()
        yield
    finally:
        process.send_signal(signal.SIGKILL)  # no chance to tidy up: what is there is there for the service
        process.wait()


def test_a_running_agents_socket_is_the_services(config: Path, state_dir: Path) -> None:
    for _ in running(shipper("run", "-c", config), state_dir, state_dir / "control.sock"):
        assert others(state_dir) == []


def test_an_endpoints_store_is_the_services(state_dir: Path) -> None:
    """As `shipper endpoint` by root makes it in /var/lib/shipper, where the embedded one has its own."""
    store = state_dir / "endpoint"
    for _ in running(shipper("endpoint", "--port", "0", "--store", store), state_dir, store / "lock"):
        assert others(state_dir) == []


def test_a_spilled_segment_is_the_services(state_dir: Path) -> None:
    write_durably(state_dir / "one.spill", b"content")

    assert others(state_dir) == []
