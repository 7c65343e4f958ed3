"""What a file is by its first bytes: log text, or something that is not read, by name."""

from __future__ import annotations

import os
import re
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


_PACKED: Final = re.compile(r"compressed \((gzip|bzip2|xz|zstd)\)")


def packing_of(reason: str) -> str:
    """Return how a file that is left out for *reason* is compressed, if in a way that can be read; else nothing."""
    found = _PACKED.fullmatch(reason)
    return found[1] if found else ""


class Look:
    """Looks into files, into each version of one once; used by one scan at a time."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[int, int], tuple[tuple[int, int, int], str]] = {}
        self._met: set[tuple[int, int]] = set()

    def reason(self, path: str, status: os.stat_result, *, wide: bool) -> str | None:
        """Return why the content of *path* is not read; None where it is log text."""
        key, version = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns, int(wide))
        self._met.add(key)
        verdict = self._verdicts.get(key)
        if verdict is None or verdict[0] != version:
            try:
                verdict = (version, look_into(path, wide=wide))
            except OSError as error:  # not remembered: a permission can be granted without a trace in the file
                return os.strerror(error.errno or 0)
            self._verdicts[key] = verdict
        return verdict[1] or None

    def forget_unmet(self) -> None:
        """Forget the files that nobody asked about since the last call."""
        self._verdicts = {key: verdict for key, verdict in self._verdicts.items() if key in self._met}
        self._met.clear()
