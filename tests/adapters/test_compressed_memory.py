"""A compressed file that is unpacked with more memory than is allowed is refused before that is taken, and named."""

from __future__ import annotations

import lzma
import zlib
from pathlib import Path

import pytest

from shipper.adapters.compressed import CompressedFile
from shipper.errors import FileUnreadable

TEXT = b"a line\n" * 40
MIB = 1 << 20


def zstd_with_window(log: int) -> bytes:
    """Return a frame of one raw block, whose header asks for a window of 2 to the power of *log*, as `--long` does."""
    block = (len(TEXT) << 3 | 1).to_bytes(3, "little") + TEXT
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(log - 10) << 3]) + block


def xz_with_dictionary(log: int) -> bytes:
    """Return a stream whose header asks for a dictionary of 2 to the power of *log*: to make one takes far more."""
    packed = bytearray(lzma.compress(TEXT, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]))
    header = memoryview(packed)[12 : 12 + (packed[12] + 1) * 4]
    at = bytes(header).index(b"\x21\x01") + 2
    header[at] = (log - 12) * 2
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    return bytes(packed)


@pytest.mark.parametrize(
    ("name", "packed", "said"),
    [
        *(
            (f"long_{log}", zstd_with_window(log), f"a window of {1 << log - 20} MiB, .*zstd -dc --long={log}")
            for log in (27, 28, 29, 30, 31)
        ),
        *((f"dict_{log}", xz_with_dictionary(log), "a larger dictionary, .*xz -dc") for log in (27, 28, 30)),
    ],
)
def test_what_needs_more_is_refused_with_the_file_the_size_and_the_mend(
    tmp_path: Path, name: str, packed: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(packed)
    file = CompressedFile.open(str(path), unpack_bytes=64 * MIB)

    with pytest.raises(FileUnreadable, match=f"{name}: unpacking it takes {said}") as refused:
        file.read_at(0, 100)

    file.close()
    assert "64 MiB are allowed" in str(refused.value)
    assert "--unpack-memory" in str(refused.value)
    assert "damaged" not in str(refused.value)


@pytest.mark.parametrize(
    ("packed", "allowed"),
    [
        (zstd_with_window(26), 64 * MIB),
        (zstd_with_window(27), 128 * MIB),
        (xz_with_dictionary(26), 64 * MIB),  # xz -9
        (xz_with_dictionary(27), 128 * MIB),
    ],
)
def test_what_needs_as_much_as_is_allowed_is_read(tmp_path: Path, packed: bytes, allowed: int) -> None:
    path = tmp_path / "packed"
    path.write_bytes(packed)
    file = CompressedFile.open(str(path), unpack_bytes=allowed)

    assert file.read_at(0, 1000) == TEXT
    file.close()
