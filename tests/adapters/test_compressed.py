"""Text of compressed files, by offset: whatever the compression, the pieces and the way there."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.adapters.compressed import POINT_EVERY_BYTES, CompressedFile, kind_of
from shipper.adapters.compressed_gzip import GzipDecoder
from shipper.core.restart import RestartPoint
from shipper.errors import FileUnreadable, FileVanished


def lines(count: int, seed: int = 1) -> bytes:
    """Return log lines that compress about as logs do."""
    chance = random.Random(seed)
    return b"".join(b"line %d of %d: %s\n" % (n, seed, chance.randbytes(12).hex().encode()) for n in range(count))


TEXT = lines(30_000)  # 1.4 MB: two bzip2 blocks
LONG = b"".join(lines(40_000, seed) for seed in range(14))  # 26 MB: restart points are 8 MiB apart


def xz_blocks(text: bytes) -> bytes:
    command = ["xz", "-c", "-1", "-T2", "--block-size=300000"]
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True).stdout


def zstd_frames(text: bytes) -> bytes:
    compress = zstandard.ZstdCompressor(write_checksum=True).compress
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    return skippable.join(compress(text[at : at + 300_000]) for at in range(0, len(text), 300_000))


def zstd_stream(text: bytes) -> bytes:
    """As a pipe is compressed: the header does not say how much there is."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(text) + stream.flush()


def xz_streams(text: bytes) -> bytes:
    return lzma.compress(text[:400_000], preset=0) + bytes(8) + lzma.compress(text[400_000:], preset=0)


def gzip_members(text: bytes) -> bytes:
    return b"".join(gzip.compress(text[at : at + 99_999], 1) for at in range(0, len(text), 99_999))


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda text: gzip.compress(text, 1),
    "gzip_members": gzip_members,
    "gzip_padded": lambda text: gzip.compress(text, 1) + bytes(512),
    "bzip2": lambda text: bz2.compress(text, 9),
    "bzip2_small_blocks": lambda text: bz2.compress(text, 1),
    "bzip2_streams": lambda text: bz2.compress(text[:500_001], 1) + bz2.compress(text[500_001:], 3),
    "xz": lambda text: lzma.compress(text, preset=0),
    "xz_streams": xz_streams,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "zstd_frames": zstd_frames,
    "zstd_stream": zstd_stream,
}  # fmt: skip


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("compressed")
    for name, compress in COMPRESSIONS.items():
        (directory / name).write_bytes(compress(TEXT))
    return {name: directory / name for name in COMPRESSIONS}


def pieces(file: CompressedFile, size: int, offset: int = 0) -> Iterator[bytes]:
    while piece := file.read_at(offset, size):
        offset += len(piece)
        yield piece


def until_damage(file: CompressedFile) -> tuple[bytes, str]:
    """Return the text that could be read, and the complaint that came then."""
    got = b""
    try:
        for piece in pieces(file, 50_000):
            got += piece
    except FileUnreadable as error:
        return got, str(error)
    return got, ""


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_read_piece_by_piece_a_file_gives_its_text_and_then_its_length(compressed: dict[str, Path], name: str) -> None:
    file = CompressedFile.open(str(compressed[name]))

    assert b"".join(pieces(file, 65_536)) == TEXT
    assert file.length == len(TEXT)
    file.close()


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(list(COMPRESSIONS)),
    reads=st.lists(st.tuples(st.integers(0, len(TEXT) + 10), st.integers(0, 70_000)), max_size=5),
)
def test_any_offset_can_be_read_after_any_other(
    compressed: dict[str, Path], name: str, reads: list[tuple[int, int]]
) -> None:
    file = CompressedFile.open(str(compressed[name]))

    for offset, size in reads:
        assert file.read_at(offset, size) == TEXT[offset : offset + size]
    file.close()


@pytest.mark.parametrize("name", ["xz", "xz_streams", "zstd", "zstd_frames"])
def test_the_length_is_known_where_the_file_says_it(compressed: dict[str, Path], name: str) -> None:
    file = CompressedFile.open(str(compressed[name]))

    assert file.find_length() == len(TEXT)
    file.close()


@pytest.mark.skipif(shutil.which("xz") is None, reason="no xz command")
def test_an_xz_file_of_blocks_is_read_from_the_block_that_holds_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "blocks.xz"
    path.write_bytes(xz_blocks(TEXT))
    file = CompressedFile.open(str(path))

    assert file.read_at(len(TEXT) - 100, 100) == TEXT[-100:]
    point = file.point_before(len(TEXT) - 100)
    assert point is not None
    assert point.plain > len(TEXT) - 300_001
    assert b"".join(pieces(file, 100_000)) == TEXT
    file.close()


RESTARTS = ["gzip", "gzip_members", "bzip2", "zstd_frames"]


@pytest.fixture(scope="module")
def long_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("long")
    for name in RESTARTS:
        (directory / name).write_bytes(COMPRESSIONS[name](LONG))
    return {name: directory / name for name in RESTARTS}


@pytest.mark.parametrize("name", RESTARTS)
def test_a_file_opened_again_with_its_points_is_read_from_the_last_one(long_files: dict[str, Path], name: str) -> None:
    before = CompressedFile.open(str(long_files[name]))
    for _ in pieces(before, 1 << 20):
        pass
    before.close()
    again = CompressedFile.open(str(long_files[name]), before.points)
    offset = 2 * POINT_EVERY_BYTES + 1_000_000

    point = again.point_before(offset)
    assert point is not None
    assert offset - POINT_EVERY_BYTES - 1_500_000 < point.plain <= offset
    assert again.read_at(offset, 1000) == LONG[offset : offset + 1000]
    assert b"".join(pieces(again, 1 << 20, offset)) == LONG[offset:]
    assert b"".join(pieces(again, 1 << 20, 5_000_000)) == LONG[5_000_000:]
    again.close()


def test_without_the_system_zlib_a_gzip_file_is_read_from_the_starts_of_its_members(tmp_path: Path) -> None:
    data = gzip.compress(TEXT[:700_000], 1) + gzip.compress(TEXT[700_000:], 1)
    decoder = GzipDecoder(lambda offset, size: data[offset : offset + size], blocks=False)

    text = b""
    points = []
    while True:
        points.append(decoder.point())
        step = decoder.step()
        text += step
        if not step:
            break
    assert text == TEXT
    assert [point.plain for point in points if point is not None] == [0, 700_000, len(TEXT)]


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_of_a_file_that_is_cut_short_what_is_there_comes_first_and_then_the_byte(
    compressed: dict[str, Path], tmp_path: Path, name: str
) -> None:
    whole = compressed[name].read_bytes()
    path = tmp_path / name
    cut = len(whole) * 2 // 3
    path.write_bytes(whole[:cut])
    file = CompressedFile.open(str(path))

    got, complaint = until_damage(file)

    assert TEXT.startswith(got)
    if "zstd" not in name and name != "bzip2":
        assert got
    assert f"of {cut}: the file ends within" in complaint
    assert f"{len(got)} bytes of its text could be read" in complaint
    file.close()


@pytest.mark.parametrize("name", ["gzip", "gzip_members", "bzip2", "bzip2_small_blocks", "xz", "zstd", "zstd_frames"])
@pytest.mark.parametrize("share", [0.3, 0.77])
def test_a_flipped_bit_is_found_and_no_text_comes_after_what_failed_its_check(
    compressed: dict[str, Path], tmp_path: Path, name: str, share: float
) -> None:
    data = bytearray(compressed[name].read_bytes())
    data[int(len(data) * share)] ^= 0x10
    path = tmp_path / name
    path.write_bytes(data)
    file = CompressedFile.open(str(path))

    with pytest.raises(FileUnreadable, match=r"damaged at byte \d+ of"):
        for _ in pieces(file, 50_000):
            pass
    file.close()


@pytest.mark.parametrize(
    ("tail", "name"),
    [(b"GARBAGE GARBAGE", "gzip"), (b"GARBAGE!", "bzip2"), (b"GARBAGE!", "zstd")],
)
def test_what_follows_and_is_no_stream_is_named(
    compressed: dict[str, Path], tmp_path: Path, name: str, tail: bytes
) -> None:
    whole = compressed[name].read_bytes()
    path = tmp_path / name
    path.write_bytes(whole + tail)
    file = CompressedFile.open(str(path))

    with pytest.raises(FileUnreadable, match=f"at byte {len(whole)} of"):
        for _ in pieces(file, 50_000):
            pass
    file.close()


def test_plain_text_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"BZh is how this line of text begins\n")

    with pytest.raises(FileUnreadable, match="not a gzip, bzip2, xz or zstd file"):
        CompressedFile.open(str(tmp_path / "plain"))
    with pytest.raises(FileUnreadable):
        CompressedFile.open(str(tmp_path))
    with pytest.raises(FileVanished):
        CompressedFile.open(str(tmp_path / "none"))


@pytest.mark.parametrize("text", [b"", b"x"])
@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
def test_small_texts_are_read(tmp_path: Path, name: str, text: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(COMPRESSIONS[name](text))
    file = CompressedFile.open(str(path))

    assert kind_of(path.read_bytes()[:8]) == name
    assert file.read_at(0, 10) == text
    assert file.read_at(len(text), 10) == b""
    file.close()


def test_points_of_another_offset_order_are_sorted(long_files: dict[str, Path]) -> None:
    first = CompressedFile.open(str(long_files["gzip"]))
    for _ in pieces(first, 1 << 20):
        pass
    first.close()

    again = CompressedFile.open(str(long_files["gzip"]), [*reversed(first.points), RestartPoint(0, 0)])
    assert again.points == first.points
    again.close()
