"""What a file is by its first bytes: log text, or something that is not read, by name."""

from __future__ import annotations

import os
from typing import Final

LOOK_BYTES: Final = 4096

_MAGIC: Final = (
    (b"\x1f\x8b", "compressed (gzip)"), (b"BZh", "compressed (bzip2)"), (b"\xfd7zXZ\x00", "compressed (xz)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"), (b"\x04\x22\x4d\x18", "compressed (lz4)"),
    (b"\x1f\x9d", "compressed (compress)"), (b"PK\x03\x04", "an archive (zip)"), (b"\x7fELF", "a program (ELF)"),
    (b"LPKSHHRH", "a systemd journal"), (b"SQLite format 3\x00", "a SQLite database"), (b"\x89PNG", "an image"),
    (b"%PDF", "a PDF"),
)  # fmt: skip
_LOGIN_RECORDS: Final = ("wtmp", "btmp", "utmp", "lastlog", "faillog", "tallylog")
_TEXT_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


def look_into(path: str, *, wide: bool = False) -> str:
    """Return why the content of *path* is not log text; empty when it is, or when there is none.

    Args:
        path: Of a regular file.
        wide: The source's encoding has NUL bytes in ordinary text (UTF-16, UTF-32).

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        head = os.pread(descriptor, LOOK_BYTES, 0)
    finally:
        os.close(descriptor)
    if path.rpartition("/")[2].partition(".")[0] in _LOGIN_RECORDS:
        return "binary (login records)"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if wide or head.startswith(_TEXT_MARKS):
        return ""
    text = head.lstrip(b"\0")  # a hole at the beginning is what a copy-truncate of a non-append writer leaves
    return "binary (NUL bytes)" if text.count(b"\0") * 10 > len(text) else ""
