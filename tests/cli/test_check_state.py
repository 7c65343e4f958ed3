"""`shipper check` on the state folder: may it be written to, and is there room."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.cli.check_files import look_at_room, look_at_state_dir
from tests.cli.checking import report
from tests.cli.test_check import ordinary_user
from tests.faults.disks import small_disk


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter: pytest's own are the owner's alone."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_state_folder_that_cannot_be_written_fails(open_folder: Path, tmp_path: Path) -> None:
    open_folder.chmod(0o555)
    (tmp_path / "file").touch()

    with ordinary_user() as user:
        shut = look_at_state_dir(open_folder / "a" / "state")
    open_folder.chmod(0o755)

    assert [(one.level, one.text) for one in shut] == [
        ("failed", f"state_dir {open_folder}/a/state: {user} may not write to {open_folder}")
    ]
    assert shut[0].mend == f"install -d -o {user} -m 0700 {open_folder}/a/state"
    assert look_at_state_dir(tmp_path / "file" / "state")[0].text.endswith("is no folder; name another in state_dir")
    assert look_at_state_dir(tmp_path / "new" / "state") == []


def test_a_state_folder_on_a_full_or_read_only_disk_fails_with_what_df_says(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        folder = disk.place / "state"
        disk.fill()
        full = look_at_room(folder)
        disk.make_room()
        disk.remount("size=100m")
        roomy = look_at_room(folder)
        disk.remount("nr_inodes=20")
        crowded = look_at_room(folder)
        disk.remount("ro")
        shut = look_at_state_dir(folder)

    assert [(one.level, one.text, one.mend) for one in full] == [(
        "failed",
        f"state_dir {folder}: its file system is full: 0 B of 4 MiB free, 100 % used; under 64 MiB offsets and dead"
        " letters soon cannot be saved",
        f"df -h {disk.place}, and make room there",
    )]  # fmt: skip
    assert roomy == []
    assert [one.mend for one in crowded] == [f"df -i {disk.place}, and remove small files there"]
    assert [(one.text, one.mend) for one in shut] == [(
        f"state_dir {folder}: the file system at {disk.place} is read-only: 100 MiB of 100 MiB free, 0 % used",
        f"mount -o remount,rw {disk.place}, or name another in state_dir",
    )]  # fmt: skip


def test_check_says_that_the_disk_of_the_state_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        found = report(disk.place, f"sources: [{{name: a, format: raw, paths: ['{tmp_path}/*.log']}}]\n")

    assert found["failed"]
    assert [("is full" in one["text"]) for one in found["findings"]] == [True]  # type: ignore[attr-defined]  # of JSON
