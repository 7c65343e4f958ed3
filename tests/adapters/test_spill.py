"""The spill: what was written is read at the same offsets, damage costs its own bytes only, the oldest make room."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipper.adapters import spill_segment
from shipper.adapters.spill import DAMAGED, FULL, Origin, Spill
from shipper.core.model import FileKey

KEY = FileKey(7, 2)
CAP = 1 << 20
TEXT = b"".join(b"line %06d of a log that is about to vanish\n" % n for n in range(40_000))


def origin(key: FileKey = KEY, **changes: object) -> Origin:
    fields: dict[str, object] = {
        "file_id": key.file_id, "generation": key.generation, "lineage": 5, "source": "app",
        "path": b"/log/\xffapp.log",
        "device": 1, "inode": 1 << 63, "mtime_ns": 1_000, "head_length": 3, "head_digest": b"\0\xff", "carry": b"{}",
        **changes,
    }  # fmt: skip
    return Origin(**fields)  # type: ignore[arg-type]  # the fields are spelt out above


def read_all(
    spill: Spill, offset: int, key: FileKey = KEY, size: int = 100_000
) -> tuple[bytes, list[tuple[int, int, str]]]:
    """Return the bytes from *offset* on and the gaps among them: start, end, why."""
    data, gaps = b"", []
    while True:
        piece = spill.read(key, offset, size)
        if piece.at > offset:
            gaps.append((offset, piece.at, piece.why))
        if not piece.data:
            return data, gaps
        data += piece.data
        offset = piece.at + len(piece.data)


def filled(state_dir: Path, cap: int = CAP, cut: int = 300_000) -> Spill:
    spill = Spill(state_dir, cap)
    for start in range(0, len(TEXT), cut):
        assert spill.write(origin(), start, TEXT[start : start + cut]) == []
    return spill


def segments(state_dir: Path) -> list[Path]:
    return sorted((state_dir / "spill").glob("*.spill"), key=lambda path: int(path.name.split("-")[2]))


# -- reading back --------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 600_000), min_size=1, max_size=3),
    offset=st.integers(0, 900_000),
    size=st.integers(20_000, 700_000),
)
def test_what_was_written_is_read_from_any_offset_in_any_pieces(
    tmp_path: Path, cuts: list[int], offset: int, size: int
) -> None:
    shutil.rmtree(tmp_path / "spill", ignore_errors=True)
    spill, at = Spill(tmp_path, 64 << 20), 0
    for cut in cuts:
        spill.write(origin(), at, TEXT[at : at + cut])
        at = min(at + cut, len(TEXT))
    offset = min(offset, at)

    for opened in (spill, Spill(tmp_path, CAP)):
        assert read_all(opened, offset, size=size) == (TEXT[offset:at], [])
        assert opened.span(KEY) == (0, at)


def test_what_it_knows_of_a_file_survives(tmp_path: Path) -> None:
    filled(tmp_path)

    assert Spill(tmp_path, CAP).origin(KEY) == origin()
    assert Spill(tmp_path, CAP).origin(FileKey(1, 1)) is None


def test_it_is_compressed_and_for_its_owner_only(tmp_path: Path) -> None:
    spill = filled(tmp_path)

    assert spill.used_bytes == sum(path.stat().st_size for path in segments(tmp_path)) < len(TEXT) / 8
    assert stat.S_IMODE((tmp_path / "spill").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in segments(tmp_path)} == {0o600}


def test_nothing_is_made_before_something_is_spilled(tmp_path: Path) -> None:
    Spill(tmp_path, CAP)

    assert list(tmp_path.iterdir()) == []


# -- removing ------------------------------------------------------------------------------------------


def test_what_is_saved_is_removed_segment_by_segment(tmp_path: Path) -> None:
    spill = filled(tmp_path)

    spill.release(KEY, 650_000)
    assert spill.span(KEY) == (600_000, len(TEXT))
    spill.release(KEY, len(TEXT))
    assert segments(tmp_path) == []
    assert (spill.keys, spill.used_bytes) == ([], 0)


def test_at_the_cap_the_oldest_go_and_are_named(tmp_path: Path) -> None:
    spill = filled(tmp_path)
    cap = spill.used_bytes + 10
    os.utime(segments(tmp_path)[0], ns=(1, 1))
    other = FileKey(3, 0)

    full = Spill(tmp_path, cap)
    dropped = full.write(origin(other), 0, TEXT[:300_000])

    assert [(one.key, one.start, one.end, one.lines) for one in dropped] == [
        (KEY, 0, 300_000, TEXT[:300_000].count(b"\n"))
    ]
    assert full.used_bytes <= cap
    assert read_all(full, 100, KEY) == (TEXT[300_000:], [(100, 300_000, FULL)])
    assert read_all(full, 0, other)[0] == TEXT[:300_000]


def test_what_is_larger_than_the_cap_is_named_and_not_written(tmp_path: Path) -> None:
    (dropped,) = Spill(tmp_path, 500).write(origin(), 0, os.urandom(4096))

    assert (dropped.start, dropped.end) == (0, 4096)
    assert segments(tmp_path) == []


# -- damage --------------------------------------------------------------------------------------------

FRAME = spill_segment.FRAME_BYTES


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    with path.open("rb") as file:
        frames = list(spill_segment.frames_of(file))
    match how:
        case "torn":
            content = content[: frames[-1].position + 5]
        case "flipped":
            content[frames[0].position + 9] ^= 1
        case "header":
            content[frames[1].position - 4] ^= 1
        case "emptied":
            content = bytearray()
        case "zeroed":
            content = bytearray(len(content))
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("how", "missing"),
    [
        ("torn", (FRAME, 300_000)),
        ("flipped", (0, FRAME)),
        ("header", (FRAME, 300_000)),
        ("emptied", (0, 300_000)),
        ("zeroed", (0, 300_000)),
    ],
)
def test_damage_costs_its_own_bytes_only(tmp_path: Path, how: str, missing: tuple[int, int]) -> None:
    filled(tmp_path)
    damage(segments(tmp_path)[0], how)

    data, gaps = read_all(Spill(tmp_path, CAP), 0)

    assert gaps == [(*missing, DAMAGED)]
    assert data == TEXT[: missing[0]] + TEXT[missing[1] :]


def test_a_segment_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    filled(tmp_path)
    last = segments(tmp_path)[-1]
    last.rename(last.with_suffix(".new"))

    assert read_all(Spill(tmp_path, CAP), 0)[0] == TEXT[: int(last.name.split("-")[2])]
    assert not last.with_suffix(".new").exists()


@pytest.mark.parametrize("step", ["open", "write", "fsync", "rename"])
def test_a_disk_that_fails_leaves_nothing_behind(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spill = filled(tmp_path, cap=64 << 20)
    spill = Spill(tmp_path, spill.used_bytes + 10)  # one more has room only where others go
    before = segments(tmp_path)

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        if step == "rename":
            broken.setattr(Path, "replace", full)
        else:
            broken.setattr(os, step, full)
        with pytest.raises(OSError, match="No space"):
            spill.write(origin(), len(TEXT), b"more\n")

    assert (
        segments(tmp_path) == before == sorted((tmp_path / "spill").iterdir(), key=lambda p: int(p.name.split("-")[2]))
    )
    spill.write(origin(), len(TEXT), b"more\n")
    assert read_all(spill, len(TEXT))[0] == b"more\n"
