"""Why files that a source names are not read; real files, links, FIFOs and sockets."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from shipper.adapters.discovery import Discovery, Wanted
from shipper.adapters.discovery_siblings import Place
from tests.adapters.discovery_scene import TEXT, names, scan, skipped, write


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    """A FIFO or socket that is opened would block or wake its other end; this returns, and says what it saw."""
    os.mkfifo(tmp_path / "fifo.log")
    (tmp_path / "directory.log").mkdir()
    (tmp_path / "device.log").symlink_to("/dev/null")
    write(tmp_path / "real.log")
    with closing(socket.socket(socket.AF_UNIX)) as unix:
        unix.bind(str(tmp_path / "socket.log"))

        found = scan(f"{tmp_path}/*.log")

    assert names(found, tmp_path) == ["real.log"]
    assert skipped(found) == {
        "fifo.log": "a FIFO",
        "socket.log": "a socket",
        "device.log": "a device",
        "directory.log": "a directory",
    }


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.log", gzip.compress(TEXT, mtime=0), "compressed (gzip)"),
        ("a.log", bz2.compress(TEXT), "compressed (bzip2)"),
        ("a.log", lzma.compress(TEXT), "compressed (xz)"),
        ("a.log", b"\x28\xb5\x2f\xfd" + TEXT, "compressed (zstd)"),
        ("a.log", b"PK\x03\x04" + TEXT, "an archive (zip)"),
        ("system.journal", b"LPKSHHRH" + bytes(200), "a systemd journal"),
        ("wtmp", b"\x08\x00\x00\x00tty1" + bytes(300), "binary (login records)"),
        ("btmp.1", b"", "binary (login records)"),
        ("lastlog", bytes(5000), "binary (login records)"),
        ("core", b"\x7fELF\x02\x01", "a program (ELF)"),
        ("dump.bin", b"ab\0\0cd\0\0" * 50, "binary (NUL bytes)"),
    ],
)
def test_what_is_binary_by_content_is_named_with_the_reason(
    tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    write(tmp_path / name, data)

    found = scan(f"{tmp_path}/*")

    assert found.seen == []
    assert skipped(found) == {name: reason}


def test_a_database_is_named_for_what_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.log")) as database:
        database.execute("create table t (x)")

    assert skipped(scan(f"{tmp_path}/*.log")) == {"a.log": "a SQLite database"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param("zażółć gęślą jaźń\n".encode(), id="utf_8"),
        pytest.param("Größe\n".encode("latin-1"), id="latin_1"),
        pytest.param("日本語\n".encode("shift_jis"), id="shift_jis"),
        pytest.param("\ufeffline\n".encode("utf-16-le"), id="utf_16_le_with_mark"),
        pytest.param("\ufeffline\n".encode("utf-16-be"), id="utf_16_be_with_mark"),
        pytest.param(bytes(4096) + TEXT, id="hole_longer_than_the_look"),
        pytest.param(bytes(1000) + TEXT, id="hole"),
        pytest.param(TEXT + b"one \0 in a line\n", id="a_stray_nul"),
        pytest.param(b"\x1b[31mred\x1b[0m\n", id="colours"),
    ],
)
def test_text_is_read_whatever_its_encoding(tmp_path: Path, data: bytes) -> None:
    write(tmp_path / "a.log", data)

    assert names(scan(f"{tmp_path}/*.log"), tmp_path) == ["a.log"]


def test_a_source_of_wide_characters_reads_them_without_a_mark(tmp_path: Path) -> None:
    write(tmp_path / "a.log", "line one\n".encode("utf-16-le"))
    write(tmp_path / "b.log", gzip.compress(TEXT, mtime=0))

    found = scan(Wanted((f"{tmp_path}/*.log",), wide=True))

    assert names(found, tmp_path) == ["a.log"]
    assert skipped(found) == {"b.log": "compressed (gzip)"}


def test_content_is_looked_at_again_when_the_file_has_changed(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", gzip.compress(TEXT, mtime=0))
    discovery = Discovery([Wanted((f"{tmp_path}/*.log",))])
    assert discovery.scan().seen == []

    write(log, TEXT)

    assert names(discovery.scan(), tmp_path) == ["a.log"]


def test_a_followed_file_stays_one_whatever_is_written_into_it(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", b"\0ab\0\0" * 100)
    known = {(log.stat().st_dev, log.stat().st_ino): Place(str(log))}

    found = Discovery([Wanted((f"{tmp_path}/*.log",))]).scan([str(log)], known)

    assert names(found, tmp_path) == ["a.log"]


def test_what_is_older_than_asked_for_is_named(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log")
    os.utime(log, ns=(0, 1_000_000_000))
    discovery = Discovery([Wanted((f"{tmp_path}/*.log",), ignore_older_ns=60 * 10**9)])

    assert discovery.scan(now_ns=100 * 10**9).skipped == {str(log): "older than ignore_older"}
    assert names(discovery.scan(now_ns=50 * 10**9), tmp_path) == ["a.log"]


def test_our_own_state_is_never_read(tmp_path: Path) -> None:
    write(tmp_path / "state/dead_letters/1.log")
    write(tmp_path / "state-of-others.log")
    (tmp_path / "alias").symlink_to(tmp_path / "state")

    found = scan(f"{tmp_path}/**/*.log", own=(f"{tmp_path}/state",))

    assert names(found, tmp_path) == ["state-of-others.log"]
    assert set(found.skipped.values()) == {"shipper's own"}


def test_the_file_that_our_own_log_goes_to_is_never_read(tmp_path: Path) -> None:
    log = write(tmp_path / "shipper.log")
    kept = os.dup(2)
    try:
        with log.open("ab") as stream:
            os.dup2(stream.fileno(), 2)
        log = log.rename(tmp_path / "rotated.log")
        found = scan(f"{tmp_path}/*.log")
    finally:
        os.dup2(kept, 2)
        os.close(kept)

    assert found.skipped == {str(log): "shipper's own"}


@contextmanager
def as_ordinary_user() -> Iterator[Path]:
    """Yield a directory that everybody can reach, and lose root's right to read everything, where we have it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        root = os.geteuid() == 0
        yield Path(folder)
        if root:
            os.seteuid(0)


def lose_rights() -> None:
    if os.geteuid() == 0:
        os.seteuid(65_534)


def test_what_may_not_be_read_is_named_and_read_once_it_may() -> None:
    with as_ordinary_user() as folder:
        log = write(folder / "a.log")
        log.chmod(0)
        locked = folder / "locked"
        locked.mkdir(mode=0)
        discovery = Discovery([Wanted((f"{folder}/**/*.log",))])
        lose_rights()
        first = discovery.scan()
        if os.getuid() == 0:
            os.seteuid(0)
        log.chmod(0o644)
        lose_rights()
        second = discovery.scan()

    assert first.seen == []
    assert first.skipped == {str(log): "Permission denied", f"{locked}/": "Permission denied"}
    assert [seen.path for seen in second.seen] == [str(log)]
