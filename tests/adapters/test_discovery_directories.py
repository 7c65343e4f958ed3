"""What a scan could not look at is told from what is not there, and what does not answer is not asked again."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import pytest

from shipper.adapters import watch
from shipper.adapters.discovery import Discovery, Wanted
from shipper.adapters.discovery_directories import DARK, lies_in


@pytest.mark.parametrize(
    ("path", "places", "lies"),
    [
        ("/logs/app.log", {"/logs"}, True),
        ("/logs/app.log", {"/logs/app.log"}, True),
        ("/logs/deep/er/app.log", {"/logs"}, True),
        ("/logs-of-another/app.log", {"/logs"}, False),
        ("/logs/app.log", {"/"}, True),
        ("/logs/app.log", set[str](), False),
        ("/", {"/"}, True),
        ("/", {"/logs"}, False),
    ],
)
def test_a_path_lies_in_a_place_by_its_whole_names(path: str, places: Collection[str], lies: bool) -> None:
    assert lies_in(path, places) is lies


def test_a_place_that_does_not_answer_is_not_asked_and_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dead/app.log", "well/app.log"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("x\n")
    (tmp_path / "link.log").symlink_to(tmp_path / "dead" / "app.log")
    dead = f"{tmp_path}/dead"
    asked = list[str]()
    for call in ("stat", "scandir", "open", "lstat"):
        whole = getattr(os, call)

        def noting(path: object, *more: object, whole: object = whole, **named: object) -> object:
            asked.append(os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else "")
            return whole(path, *more, **named)  # type: ignore[operator]  # it is the system's own

        monkeypatch.setattr(os, call, noting)
    discovery = Discovery([Wanted((f"{tmp_path}/**/*.log",))])
    discovery.directories.dark = {dead, f"{tmp_path}/link.log"}

    found = discovery.scan([f"{dead}/app.log"], {}, wide=True)

    assert [file.path for file in found.seen] == [f"{tmp_path}/well/app.log"]
    assert found.unlisted == {dead: DARK, f"{tmp_path}/link.log": DARK}
    assert found.skipped[f"{dead}/"] == DARK
    assert [path for path in asked if path.startswith(dead)] == []


def test_a_directory_that_is_not_there_is_no_place_that_could_not_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "loop.log").symlink_to(tmp_path / "loop.log")

    found = Discovery([Wanted((f"{tmp_path}/*.log",)), Wanted((f"{tmp_path}/none/*.log",))]).scan()

    assert found.unlisted == {}


MOUNTS = r"""21 1 8:1 / / rw - ext4 /dev/sda1 rw
30 21 0:40 / /srv/nfs rw - nfs4 server:/logs rw
31 21 0:41 / /srv/with\040blank rw - fuse.sshfs host: rw
32 30 8:2 / /srv/nfs/local rw - xfs /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/var/log", ""), ("/srv/nfs", "/srv/nfs"), ("/srv/nfs/app/deep", "/srv/nfs"), ("/srv/nfs2/app", ""),
        ("/srv/with blank/app", "/srv/with blank"), ("/srv/nfs/local/app", ""),
    ],
)  # fmt: skip
def test_the_mount_of_a_path_on_a_network_is_told_without_asking_it(
    path: str, mount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: MOUNTS.replace("\\\\", "\\"))

    assert watch.far_mount_of(path) == mount
