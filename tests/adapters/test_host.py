"""Facts of the host: read from real processes, and from a small /proc of our own where a host must be broken."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shipper.adapters import host
from shipper.adapters import host_processes as processes
from shipper.errors import UsageError


def test_a_kernel_setting_is_a_number_or_not_known(tmp_path: Path) -> None:
    folder = tmp_path / "sys" / "fs" / "inotify"
    folder.mkdir(parents=True)
    (folder / "max_user_watches").write_text("8192\n")
    (folder / "odd").write_text("many\n")

    assert host.kernel_setting("fs.inotify.max_user_watches", tmp_path) == 8192
    assert host.kernel_setting("fs.inotify.odd", tmp_path) is None
    assert host.kernel_setting("fs.inotify.none", tmp_path) is None


@pytest.mark.parametrize(("text", "limit"), [("256      4096", 256), ("unlimited unlimited", None)])
def test_the_descriptor_limit_of_a_process_is_its_soft_one(text: str, limit: int | None, tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "limits").write_text(f"Limit  Soft Limit Hard Limit Units\nMax open files   {text}   files\n")

    assert host.descriptor_limit(7, tmp_path) == limit
    assert host.descriptor_limit(8, tmp_path) is None
    assert (host.descriptor_limit() or 0) > 0


def test_free_space_of_a_folder_to_be_is_that_of_the_nearest_one(tmp_path: Path) -> None:
    room = os.statvfs(tmp_path)

    found, _ = host.free_space(tmp_path / "not" / "yet")

    assert found == pytest.approx(room.f_bavail * room.f_frsize, rel=0.2)


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://a.example/x", {"HTTPS_PROXY": "http://p"}, "http://p"),
        ("https://a.example/x", {"HTTPS_PROXY": "http://p", "https_proxy": "http://q"}, "http://q"),
        ("https://a.example/x", {"HTTP_PROXY": "http://p"}, None),
        ("https://a.example/x", {"https_proxy": "http://p", "no_proxy": ".example"}, None),
        ("https://a.example:9999/x", {"https_proxy": "http://p", "NO_PROXY": "b.example,a.example"}, None),
        ("https://a.example/x", {"https_proxy": "http://p", "NO_PROXY": "b.example"}, "http://p"),
        ("https://a.example/x", {"https_proxy": "http://p", "NO_PROXY": "*"}, None),
        ("https://a.example/x", {"https_proxy": ""}, None),
    ],
)
def test_a_proxy_is_used_as_the_client_would(url: str, environ: dict[str, str], proxy: str | None) -> None:
    assert host.proxy_for(url, environ) == proxy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_acting_as_a_user_lasts_as_long_as_the_block_even_where_it_fails(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.touch(0o600)
    tmp_path.chmod(0o755)

    with pytest.raises(PermissionError), host.acting_as("nobody"):
        shut.read_bytes()

    assert (os.geteuid(), os.getegid()) == (0, 0)
    assert shut.read_bytes() == b""


def test_nobody_acts_as_a_user_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match="there is no user 'frobnicate' on this host"), host.acting_as("frobnicate"):
        pass


def test_a_process_is_known_by_its_program_and_its_files(tmp_path: Path) -> None:
    log, read = tmp_path / "app.log", tmp_path / "read.log"
    log.touch()
    read.touch()
    code = "import sys; a = open(sys.argv[1], 'a'); b = open(sys.argv[2]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        ["/opt/shop/shopd", "-c", code, str(log), str(read)], executable=sys.executable,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        program = processes.program(child.pid)
        found = {one.path: one for one in processes.open_files(child.pid)}
        child.communicate(b"")

    assert program is not None
    assert (program.name, program.user, str(program)) == ("shopd", os.geteuid(), f"shopd (process {child.pid})")
    assert (found[str(log)].writes, found[str(read)].writes) == (True, False)
    assert found[str(log)].inode == log.stat().st_ino
    assert processes.program(child.pid) is None


def test_who_listens_is_found_by_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = processes.listener(port)

    assert found is not None
    assert found.pid == os.getpid()
    assert processes.listener(port) is None


def test_watches_are_counted_by_user_and_our_own_agent_is_left_out(tmp_path: Path) -> None:
    for pid, wds in ((11, 3), (12, 2)):
        folder = tmp_path / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fdinfo").mkdir()
        (folder / "cmdline").write_bytes(b"/usr/bin/tail\0-f\0")
        (folder / "fd" / "3").symlink_to("anon_inode:inotify")
        (folder / "fd" / "4").symlink_to("/dev/null")
        (folder / "fdinfo" / "3").write_text("pos: 0\n" + "inotify wd:1 ino:2\n" * wds)

    me = os.geteuid()
    assert processes.watches_of(me, proc=tmp_path) == (2, 5)
    assert processes.watches_of(me, 11, proc=tmp_path) == (1, 2)
    assert processes.watches_of(me + 1, proc=tmp_path) == (0, 0)


@pytest.mark.parametrize(
    ("capabilities", "free"), [("0000000000000004", True), ("0000000000000002", True), ("0000000000000400", False)]
)
def test_a_process_with_the_capability_reads_everything(capabilities: str, free: bool, tmp_path: Path) -> None:
    (tmp_path / "9").mkdir()
    (tmp_path / "9" / "status").write_text(f"Name:\tshipper\nCapEff:\t{capabilities}\n")

    assert processes.reads_everything(9, tmp_path) is free
    assert not processes.reads_everything(10, tmp_path)


def test_the_environment_of_a_process_is_what_it_was_started_with() -> None:
    found = processes.environment(os.getpid())

    assert found is not None
    assert found["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ("echo LoadState=loaded; echo ProtectHome=yes; echo IPAddressDeny=::/0 0.0.0.0/0",
         {"LoadState": "loaded", "ProtectHome": "yes", "IPAddressDeny": "::/0 0.0.0.0/0"}),
        ("echo LoadState=not-found; echo ProtectHome=no", None),
        ("echo no systemd here >&2; exit 1", None),
    ],
)  # fmt: skip
def test_a_units_settings_are_what_systemd_says(
    says: str, found: dict[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\n{says}\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert host.unit_settings("shipper.service", ["ProtectHome"]) == found


def test_without_systemd_no_unit_has_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert host.unit_settings("shipper.service", ["ProtectHome"]) is None
