"""Small file systems, for disks that are full, turn read-only or have bad blocks; needs root."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted tmpfs."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._filler = place / "filler"

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("ab", buffering=0) as file:
            for piece in (1 << 16, 1 << 12, 1 << 8, 1):
                try:
                    while True:
                        file.write(b"\0" * piece)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def make_room(self) -> None:
        """Take the filler away."""
        self._filler.unlink()

    def remount(self, options: str) -> None:
        """Change the mount's options: ``ro``, ``rw``, ``size=8m``."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.place)], check=True)


@contextmanager
def small_disk(place: Path, size: str = "4m", options: str = "") -> Iterator[SmallDisk]:
    """Mount a file system of *size* at *place*; skip the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system to fill")
    place.mkdir(exist_ok=True)
    wanted = f"size={size},mode=0755" + (f",{options}" if options else "")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", wanted, "shipper-test", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def bound(place: Path, again: Path) -> Iterator[None]:
    """Mount what stands at *place* at *again* too."""
    subprocess.run(["mount", "--bind", str(place), str(again)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(again)], check=True)


class LoopDisk:
    """A mounted ext4 whose blocks are a file."""

    def __init__(self, place: Path, image: Path) -> None:
        self.place = place
        self._image = image
        self._whole = b""

    def turn_read_only(self) -> None:
        """Do as the kernel does when the journal cannot be written: nothing can be written from now on."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.place)], check=True, capture_output=True)

    def repair(self) -> None:
        """Take it out of use, check it, and mount it again."""
        subprocess.run(["umount", "--lazy", str(self.place)], check=True)
        subprocess.run(["e2fsck", "-fy", str(self._image)], check=False, capture_output=True)
        _mount(self.place, self._image)

    def break_blocks(self, path: Path) -> None:
        """Make what of *path* is not in memory unreadable: EIO, as a bad disk gives."""
        os.sync()
        self._whole = self._image.read_bytes()
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.truncate(self._image, 4096)

    def mend_blocks(self) -> None:
        """Bring back what `break_blocks` took."""
        with self._image.open("r+b") as image:
            image.write(self._whole)


def _mount(place: Path, image: Path) -> subprocess.CompletedProcess[str]:
    command = ["mount", "-o", "loop,errors=remount-ro", str(image), str(place)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def loop_disk(place: Path, megabytes: int = 16) -> Iterator[LoopDisk]:
    """Mount a new ext4 at *place*; skip the test where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("only root with mkfs.ext4 can make a disk to break")
    place.mkdir(exist_ok=True)
    image = place.with_name(place.name + ".img")
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    done = _mount(place, image)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield LoopDisk(place, image)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
