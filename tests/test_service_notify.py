"""The word to the service manager, heard on a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shipper.service_notify import Notifier
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@shipper-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(PATIENCE_SECONDS)
        yield name, listener


@pytest.mark.parametrize(
    ("say", "heard"),
    [
        pytest.param(lambda to: to.ready(), b"READY=1", id="ready"),
        pytest.param(lambda to: to.ready("3 files"), b"READY=1\nSTATUS=3 files", id="ready_with_status"),
        pytest.param(lambda to: to.stopping(), b"STOPPING=1", id="stopping"),
        pytest.param(lambda to: to.alive(), b"WATCHDOG=1", id="alive"),
        pytest.param(lambda to: to.extend(2.5), b"EXTEND_TIMEOUT_USEC=2500000", id="extend"),
        pytest.param(lambda to: to.status("lag 3 KiB"), b"STATUS=lag 3 KiB", id="status"),
        pytest.param(lambda to: to.status("a\nREADY=1"), b"STATUS=a READY=1", id="a_status_is_one_line"),
    ],
)
def test_each_word_is_heard_as_the_protocol_has_it(
    manager: tuple[str, socket.socket], say: Callable[[Notifier], None], heard: bytes
) -> None:
    name, listener = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": name})

    say(notifier)

    assert listener.recv(4096) == heard
    notifier.close()


def test_a_reload_says_when_it_began(manager: tuple[str, socket.socket]) -> None:
    name, listener = manager
    notifier = Notifier(name)

    notifier.reloading()

    first, _, instant = listener.recv(4096).partition(b"\nMONOTONIC_USEC=")
    assert first == b"RELOADING=1"
    assert instant.isdigit()
    notifier.close()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, (False, None), id="no_service"),
        pytest.param({"WATCHDOG_USEC": "1000000"}, (False, None), id="a_watchdog_that_cannot_be_told"),
        pytest.param({"NOTIFY_SOCKET": "/run/n"}, (True, None), id="not_watched"),
        pytest.param({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000"}, (True, 30.0), id="watched"),
        pytest.param(
            {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())},
            (True, 30.0),
            id="watched_by_pid",
        ),
        pytest.param(
            {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
            (True, None),
            id="another_one_is_watched",
        ),
        pytest.param({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "0"}, (True, None), id="no_time"),
        pytest.param({"NOTIFY_SOCKET": "vsock:2:1"}, (False, None), id="a_kind_we_do_not_speak"),
    ],
)
def test_the_environment_says_who_listens_and_is_not_handed_on_to_children(
    environ: dict[str, str], expected: tuple[bool, float | None]
) -> None:
    notifier = Notifier.from_environment(environ)

    assert (notifier.heard, notifier.watchdog_seconds) == expected
    assert environ == {}


def test_a_manager_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))

    notifier.ready()
    notifier.status("still here")

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "nobody"))
        listener.settimeout(PATIENCE_SECONDS)
        notifier.alive()
        assert listener.recv(100) == b"WATCHDOG=1"
    notifier.close()
