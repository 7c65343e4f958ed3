"""Ways of rotating a log that change more than its name, as logrotate, compressors and archivers do it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import zstandard

from tests.end_to_end.lineage_scene import Log

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress,
}  # fmt: skip


def pack(path: Path, ending: str, into: Path | None = None) -> Path:
    """Compress *path* as the tools do: a new file with the old one's times, then the old one is removed."""
    packed = (into or path.parent) / f"{path.name}.{ending}"
    packed.parent.mkdir(exist_ok=True)
    packed.write_bytes(PACKERS[ending](path.read_bytes()))
    shutil.copystat(path, packed)
    path.unlink()
    return packed


def compressed_at_once(ending: str) -> Callable[[Log], None]:
    def case(log: Log) -> None:
        pack(log.path.rename(log.beside("app.log.1")), ending)
        log.append("first of the new file", "second of the new file")

    return case


def compressed_late_and_moved_on(log: Log) -> None:
    log.path.rename(log.beside("app.log.1"))
    log.append("second life")
    pack(log.beside("app.log.1"), "gz").rename(log.beside("app.log.2.gz"))
    log.path.rename(log.beside("app.log.1"))
    log.append("third life")


def copied_into_gzip(log: Log) -> None:
    """`gzip -c app.log > app.log.1.gz; : > app.log`."""
    log.beside("app.log.1.gz").write_bytes(gzip.compress(log.path.read_bytes()))
    os.truncate(log.path, 0)
    log.append("after truncate")


def copied_then_compressed(log: Log) -> None:
    shutil.copy(log.path, log.beside("app.log.1"))
    os.truncate(log.path, 0)
    pack(log.beside("app.log.1"), "gz")
    log.append("after truncate")


def copied_elsewhere(log: Log) -> None:
    """logrotate: copytruncate, olddir archive."""
    log.beside("archive").mkdir(exist_ok=True)
    shutil.copy(log.path, log.beside("archive") / "app.log.1")
    os.truncate(log.path, 0)
    log.append("after truncate")


def moved_elsewhere(log: Log) -> None:
    log.beside("archive").mkdir(exist_ok=True)
    log.path.rename(log.beside("archive") / "app.log-20261126")
    log.append("the new day")


def moved_elsewhere_and_compressed(log: Log) -> None:
    pack(log.path.rename(log.beside("app.log.1")), "zst", log.beside("archive"))
    log.append("the new day")


def moved_far_away(log: Log) -> None:
    """Into a directory that only `rotated_to` names, as a compressed copy: across file systems there is no rename."""
    pack(log.path.rename(log.beside("app.log-20261126")), "gz", log.path.parents[1] / "far")
    log.append("the new day")


def moved_into_a_watched_directory(log: Log) -> None:
    log.beside("watched").mkdir(exist_ok=True)
    log.path.rename(log.beside("watched") / "app.1.log")
    log.append("the new day")


def copied_into_a_watched_directory(log: Log) -> None:
    log.beside("watched").mkdir(exist_ok=True)
    shutil.copy(log.path, log.beside("watched") / "app.1.log")
    os.truncate(log.path, 0)
    log.append("the new day")


def rotate(log: Log, keep_plain: int, number: int) -> None:
    """Do as logrotate with delaycompress: shift the numbers, compress those from *keep_plain* on."""
    for at in range(number, 0, -1):
        for ending in ("", ".gz", ".xz"):
            old = log.beside(f"app.log.{at}{ending}")
            if old.exists():
                moved = old.rename(log.beside(f"app.log.{at + 1}{ending}"))
                if not ending and at + 1 > keep_plain:
                    pack(moved, "gz" if at % 2 else "xz")
    log.path.rename(log.beside("app.log.1"))


def several_rotations(log: Log) -> None:
    for number in range(1, 6):
        rotate(log, 2, number)
        log.append(*(f"life {number} line {line}" for line in range(5)))


def several_rotations_all_compressed(log: Log) -> None:
    for number in range(1, 4):
        rotate(log, 0, number)
        pack(log.beside("app.log.1"), "gz")
        log.append(*(f"life {number} line {line}" for line in range(5)))


Case = Callable[[Log], None]

CASES: dict[str, Case] = {f"compressed_at_once_{ending}": compressed_at_once(ending) for ending in PACKERS}
CASES |= {
    case.__name__: case
    for case in (
        compressed_late_and_moved_on, copied_into_gzip, copied_then_compressed, copied_elsewhere, moved_elsewhere,
        moved_elsewhere_and_compressed, moved_far_away, moved_into_a_watched_directory,
        copied_into_a_watched_directory, several_rotations, several_rotations_all_compressed,
    )
}  # fmt: skip
