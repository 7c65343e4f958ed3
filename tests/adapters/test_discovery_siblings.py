"""Rotated files beside a followed one are seen, and looked for further away while it is missing."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

from shipper.adapters.discovery import Discovery, Wanted
from shipper.adapters.discovery_siblings import Place
from tests.adapters.discovery_scene import TEXT, names, skipped, write

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
