"""What a followed file is read from: errors of the disk are the file's own, whenever they come."""

from __future__ import annotations

import gzip
import os
from contextlib import suppress
from pathlib import Path

import pytest

from shipper.errors import FileVanished
from shipper.pipeline.contents import UnpackedFile


@pytest.mark.parametrize("looks", [0, 1, 2])
def test_a_compressed_file_that_is_renamed_while_it_is_opened_has_vanished_and_no_descriptor_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    path = tmp_path / "app.log.1.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    status, stat, left = path.stat(), os.stat, [looks]
    before = len(list(Path("/proc/self/fd").iterdir()))

    def renamed_after_some_looks(looked_at: str | Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if looked_at == str(path):
            if not left[0]:
                path.rename(tmp_path / "app.log.2.gz")
            left[0] -= 1
        return stat(looked_at, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "stat", renamed_after_some_looks)
    with suppress(FileVanished):
        UnpackedFile.open(str(path), status.st_dev, status.st_ino).close()

    assert left[0] < looks
    assert len(list(Path("/proc/self/fd").iterdir())) == before
