"""Which files the sources name, and why others beside them are not read; real files, links, FIFOs and sockets."""

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

from shipper.adapters.discovery import Discovery, Scan, Wanted
from shipper.adapters.discovery_siblings import Place

TEXT = b"2026-11-23 20:00:00 a line\n"


def write(path: Path, data: bytes = TEXT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def scan(*wanted: Wanted | str, own: tuple[str, ...] = ()) -> Scan:
    return Discovery([Wanted((w,)) if isinstance(w, str) else w for w in wanted], own).scan()


def names(found: Scan, below: Path) -> list[str]:
    return [str(Path(seen.path).relative_to(below)) for seen in found.seen]


def skipped(found: Scan) -> dict[str, str]:
    return {Path(path).name: reason for path, reason in found.skipped.items()}


# -- patterns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "exclude", "expected"),
    [
        ("*.log", (), ["a.log", "b.log"]),
        ("[!b].log", (), ["a.log"]),
        ("?.log", (), ["a.log", "b.log"]),
        ("**/*.log", (), ["a.log", "b.log", "shop/a.log", "shop/deep/c.debug.log", "shop/deep/c.log"]),
        ("shop/**", (), ["shop/a.log", "shop/deep/c.debug.log", "shop/deep/c.log"]),
        ("*/*.log", (), ["shop/a.log"]),
        ("{a,b}.log", (), ["a.log", "b.log"]),
        ("{shop,web}/{a,z}.{log,txt}", (), ["shop/a.log"]),
        ("**/*.log", ("*.debug.log",), ["a.log", "b.log", "shop/a.log", "shop/deep/c.log"]),
        ("**/*.log", ("{a,c}.*",), ["b.log"]),
        ("nowhere/*.log", (), []),
    ],
)
def test_patterns_name_files(tmp_path: Path, pattern: str, exclude: tuple[str, ...], expected: list[str]) -> None:
    for name in ("a.log", "b.log", "c.txt", "shop/a.log", "shop/deep/c.log", "shop/deep/c.debug.log"):
        write(tmp_path / name)

    assert sorted(names(scan(Wanted((f"{tmp_path}/{pattern}",), exclude)), tmp_path)) == expected


def test_an_exclude_with_a_slash_is_for_whole_paths(tmp_path: Path) -> None:
    write(tmp_path / "a/x.log")
    write(tmp_path / "b/x.log")

    found = scan(Wanted((f"{tmp_path}/**/*.log",), (f"{tmp_path}/b/**",)))

    assert names(found, tmp_path) == ["a/x.log"]


@pytest.mark.parametrize("name", ["with space.log", "new\nline.log", os.fsdecode(b"\xff\xfe.log"), "日誌.log", "*.log"])
def test_any_name_is_found(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)

    assert names(scan(f"{tmp_path}/*.log"), tmp_path) == [name]


def test_directories_of_a_pattern_are_reported_for_the_watch(tmp_path: Path) -> None:
    write(tmp_path / "a/b/x.log")
    (tmp_path / "empty").mkdir()

    found = scan(f"{tmp_path}/**/*.log")

    assert found.directories == {str(tmp_path / name) for name in ("", "a", "a/b", "empty")}


def test_of_a_pattern_without_wildcards_only_its_directory_is_listed(tmp_path: Path) -> None:
    write(tmp_path / "app.log")
    write(tmp_path / "deep/er/x.log")

    assert scan(f"{tmp_path}/app.log").directories == {str(tmp_path)}


# -- one file is one file --------------------------------------------------------------------------------


def test_a_file_that_is_reached_twice_is_one(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log")
    (tmp_path / "hard.log").hardlink_to(log)
    (tmp_path / "soft.log").symlink_to(log)
    (tmp_path / "elsewhere").symlink_to(tmp_path)

    assert names(scan(f"{tmp_path}/**/*.log"), tmp_path) == ["a.log"]


def test_symlink_loops_end(tmp_path: Path) -> None:
    write(tmp_path / "a/x.log")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "self.log").symlink_to(tmp_path / "self.log")
    (tmp_path / "gone.log").symlink_to(tmp_path / "nowhere")

    found = scan(f"{tmp_path}/**/*.log")

    assert names(found, tmp_path) == ["a/x.log"]
    assert set(skipped(found)) == {"self.log", "gone.log"}


def test_a_link_is_followed_under_its_own_name(tmp_path: Path) -> None:
    target = write(tmp_path / "targets/1.data")
    (tmp_path / "app.log").symlink_to(target)

    (seen,) = scan(f"{tmp_path}/*.log").seen

    assert (seen.path, seen.inode) == (str(tmp_path / "app.log"), target.stat().st_ino)


def test_the_first_source_owns_a_file_and_overlaps_are_named(tmp_path: Path) -> None:
    write(tmp_path / "app.log")
    write(tmp_path / "web.log")

    found = scan(f"{tmp_path}/app.*", f"{tmp_path}/*.log", f"{tmp_path}/**/*.log")

    assert {Path(seen.path).name: seen.source for seen in found.seen} == {"app.log": 0, "web.log": 1}
    assert {Path(path).name: owners for path, owners in found.overlaps.items()} == {
        "app.log": [0, 1, 2],
        "web.log": [1, 2],
    }


def test_what_the_first_source_does_not_read_the_second_may(tmp_path: Path) -> None:
    write(tmp_path / "a.log", gzip.compress(TEXT, mtime=0))

    found = scan(f"{tmp_path}/*.log", Wanted((f"{tmp_path}/*.log",), binary=True))

    assert [seen.source for seen in found.seen] == [1]
    assert found.skipped == {}


# -- what is not read ------------------------------------------------------------------------------------


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


# -- siblings ------------------------------------------------------------------------------------------


def test_rotated_names_beside_a_followed_file_are_seen_too(tmp_path: Path) -> None:
    log = write(tmp_path / "app.log")
    write(tmp_path / "app.log.1")
    write(tmp_path / "app.log.2", gzip.compress(TEXT, mtime=0))
    write(tmp_path / "app.log.3.gz", gzip.compress(TEXT, mtime=0))
    write(tmp_path / "web.log.1")
    os.mkfifo(tmp_path / "app.log.4")

    found = Discovery([Wanted((f"{tmp_path}/*.log",))]).scan([str(log)])

    assert {(Path(seen.path).name, seen.source) for seen in found.seen} == {("app.log", 0), ("app.log.1", None)}


def test_a_followed_inode_is_seen_under_whatever_name_it_has_now(tmp_path: Path) -> None:
    log = write(tmp_path / "app.log")
    status = log.stat()
    log.rename(tmp_path / "archived.data")

    known = {(status.st_dev, status.st_ino): Place(str(log))}
    found = Discovery([Wanted((f"{tmp_path}/*.log",))]).scan([str(log)], known)

    assert [(Path(seen.path).name, seen.inode, seen.source) for seen in found.seen] == [
        ("archived.data", status.st_ino, None)
    ]


def test_a_directory_of_many_followed_files_is_gone_through_once(tmp_path: Path) -> None:
    """2,000 followed files in one directory: each name is looked at once, not once for each of the others."""
    logs = [write(tmp_path / f"app-{n}.log") for n in range(2000)]
    discovery = Discovery([Wanted((f"{tmp_path}/*.log",))])
    known = {(log.stat().st_dev, log.stat().st_ino): Place(str(log)) for log in logs}
    started = os.times().user

    found = discovery.scan([str(log) for log in logs], known)

    assert len(found.seen) == 2000
    assert os.times().user - started < 1.0


# -- when a followed file is missing -------------------------------------------------------------------


def place(log: Path, **changes: object) -> dict[tuple[int, int], Place]:
    status = log.stat()
    return {(status.st_dev, status.st_ino): Place(str(log), **changes)}  # type: ignore[arg-type]  # as a test has it


def test_compressed_and_moved_files_are_looked_for_only_while_a_followed_one_is_missing(tmp_path: Path) -> None:
    log = write(tmp_path / "app.log")
    write(tmp_path / "app.log.1.gz", gzip.compress(TEXT, mtime=0))
    write(tmp_path / "old/app.log.2")
    write(tmp_path / "far/deep/app.log-20261126.xz", lzma.compress(TEXT))
    write(tmp_path / "far/deep/web.log.1")
    discovery = Discovery([Wanted((f"{tmp_path}/*.log",), rotated_to=(f"{tmp_path}/far/*",))])

    settled = discovery.scan([str(log)], place(log))
    truncated = discovery.scan([str(log)], place(log, offset=10_000))
    asked = discovery.scan([str(log)], place(log), wide=True)

    assert (names(settled, tmp_path), settled.unsettled) == (["app.log"], False)
    assert truncated.unsettled
    for found in (truncated, asked):
        assert [(str(Path(seen.path).relative_to(tmp_path)), seen.source, seen.packed) for seen in found.seen] == [
            ("app.log", 0, ""),
            ("app.log.1.gz", None, "gzip"),
            ("far/deep/app.log-20261126.xz", None, "xz"),
            ("old/app.log.2", None, ""),
        ]


def test_a_matched_compressed_file_is_seen_as_one_and_still_named_as_skipped(tmp_path: Path) -> None:
    log = write(tmp_path / "app.log")
    write(tmp_path / "app.1.log", bz2.compress(TEXT))

    found = Discovery([Wanted((f"{tmp_path}/*.log",))]).scan([str(log)], place(log), wide=True)

    assert [(Path(seen.path).name, seen.packed) for seen in found.seen] == [("app.log", ""), ("app.1.log", "bzip2")]
    assert skipped(found) == {"app.1.log": "compressed (bzip2)"}


def test_a_followed_inode_that_a_compressed_file_has_got_is_not_taken_for_text(tmp_path: Path) -> None:
    packed = write(tmp_path / "app.log.1.gz", gzip.compress(TEXT, mtime=0))
    status = packed.stat()
    known = {(status.st_dev, status.st_ino): Place(str(tmp_path / "app.log"))}

    found = Discovery([Wanted((f"{tmp_path}/*.log",))]).scan([str(tmp_path / "app.log")], known)

    assert [seen.packed for seen in found.seen] == ["gzip"]


def test_our_own_directory_is_not_looked_through_for_rotated_files(tmp_path: Path) -> None:
    log = write(tmp_path / "app.log")
    write(tmp_path / "state/app.log.1")

    discovery = Discovery([Wanted((f"{tmp_path}/*.log",))], own=[str(tmp_path / "state")])

    assert names(discovery.scan([str(log)], {}, wide=True), tmp_path) == ["app.log"]
