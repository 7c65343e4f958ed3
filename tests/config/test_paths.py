"""Paths of a configuration, made absolute."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config.paths import default_state_dir, resolve_exclude, resolve_folder, resolve_pattern

HOME = {"HOME": "/home/me"}


@pytest.mark.parametrize(
    ("environ", "user_id", "folder"),
    [
        (HOME, 0, "/var/lib/shipper"),
        (HOME, 1000, "/home/me/.local/state/shipper"),
        ({**HOME, "XDG_STATE_HOME": "/x"}, 1000, "/x/shipper"),
        ({**HOME, "XDG_STATE_HOME": "relative"}, 1000, "/home/me/.local/state/shipper"),
        ({**HOME, "XDG_STATE_HOME": "/x"}, 0, "/var/lib/shipper"),
    ],
)
def test_the_state_is_where_such_things_are(environ: dict[str, str], user_id: int, folder: str) -> None:
    assert default_state_dir(environ, user_id) == Path(folder)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("/var/log/*.log", "/var/log/*.log"),
        ("logs/*.log", "/etc/it[[]1]/logs/*.log"),
        ("../x/./a.log", "/etc/x/a.log"),
        ("~/a*.log", "/home/me/a*.log"),
        ("/a//b/../c.log", "/a/c.log"),
    ],
)
def test_a_pattern_starts_at_the_files_folder_whatever_that_is_called(text: str, pattern: str) -> None:
    assert resolve_pattern(text, Path("/etc/it[1]"), HOME) == pattern


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("*.gz", "*.gz"),
        ("**/tmp/*", "/**/tmp/*"),
        ("old/*.log", "/etc/shipper/old/*.log"),
        ("/var/log/x", "/var/log/x"),
        ("~/x/*", "/home/me/x/*"),
    ],
)
def test_an_exclude_is_about_names_or_about_whole_paths(text: str, pattern: str) -> None:
    assert resolve_exclude(text, Path("/etc/shipper"), HOME) == pattern


def test_a_folder_is_made_absolute() -> None:
    assert resolve_folder("state", Path("/etc/shipper"), HOME) == Path("/etc/shipper/state")
    assert resolve_folder("~/s", Path("/etc/shipper"), HOME) == Path("/home/me/s")
