"""What is at hand of a text is given at once, and the disk is not asked for it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from shipper.adapters.compressed import CompressedFile
from shipper.adapters.compressed_bytes import LocalBytes
from shipper.adapters.texts import PlainText
from shipper.errors import FileUnreadable

PIECE = 1 << 18
NOISE = random.Random(7).randbytes(3 << 20)
TEXT = b"".join(b"line %d: %s\n" % (n, NOISE[n * 20 : n * 20 + 20].hex().encode()) for n in range(60_000))


class Watched(LocalBytes):
    """A file that counts how often it is asked."""

    asked = 0

    def read(self, offset: int, size: int) -> bytes:
        self.asked += 1
        return super().read(offset, size)


@pytest.mark.parametrize("pack", [lambda text: gzip.compress(text, 1), zstandard.ZstdCompressor().compress])
@pytest.mark.parametrize("text", [TEXT, NOISE, bytes(4 << 20)], ids=["lines", "noise", "zeros"])
def test_what_is_at_hand_is_the_same_text_and_is_not_fetched(
    tmp_path: Path, pack: Callable[[bytes], bytes], text: bytes
) -> None:
    path = tmp_path / "packed"
    path.write_bytes(pack(text))
    watched = Watched(str(path))
    file = CompressedFile(str(path), watched)
    read, at_hand = bytearray(), 0

    while True:
        before = watched.asked
        data = file.read_now(len(read), PIECE)
        assert watched.asked == before
        at_hand += data is not None
        data = file.read_at(len(read), PIECE) if data is None else data
        if not data:
            break
        read += data

    file.close()
    assert bytes(read) == text
    assert at_hand > len(text) // PIECE // 3


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_what_takes_long_to_unpack_is_never_at_hand(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "packed"
    path.write_bytes(pack(TEXT[:100_000]))
    file = CompressedFile.open(str(path))

    assert file.read_now(0, PIECE) is None
    assert file.read_at(0, PIECE) == TEXT[:100_000]
    assert file.read_now(0, PIECE) is None
    file.close()


def test_a_step_that_is_not_the_next_one_is_not_at_hand(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    path.write_bytes(gzip.compress(TEXT, 1))
    file = CompressedFile.open(str(path))
    assert file.read_now(0, PIECE) is None
    file.read_at(0, PIECE)

    assert file.read_now(3 << 20, PIECE) is None
    assert file.read_now(PIECE, PIECE) == TEXT[PIECE : 2 * PIECE]
    file.close()


def test_damage_is_said_where_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    path.write_bytes(gzip.compress(TEXT[:PIECE], 1)[:-8])
    file = CompressedFile.open(str(path))
    file.read_now(0, 1000)
    at = len(file.read_at(0, 1000))

    while at < PIECE:
        at += len(file.read_now(at, PIECE) or b"")

    with pytest.raises(FileUnreadable, match="damaged at byte"):
        file.read_now(at, PIECE)
    file.close()


def test_a_plain_file_in_the_page_cache_is_at_hand_up_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.write_bytes(TEXT)
    descriptor = os.open(path, os.O_RDONLY)
    try:  # tmpfs and some others know no such reads: then nothing may be said to be at hand
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
        knows = True
    except OSError:
        knows = False
    os.close(descriptor)
    text = PlainText(LocalBytes(str(path)))

    found = text.read_now(len(TEXT) - 1000, 5000)
    text.close()

    assert found == (TEXT[-1000:] if knows else None)
