"""Which files the sources name, each of them once; real files and links."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from shipper.adapters.discovery import Wanted
from tests.adapters.discovery_scene import TEXT, names, scan, skipped, write

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
