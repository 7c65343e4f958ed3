"""Bytes and text: marks at a file's start, line ends, borders of characters, and bytes that are no text.

Encodings go by the names of `codecs.lookup`. A unit is what a line end is
aligned to: two bytes in UTF-16, four in UTF-32, one in all others.
"""

from __future__ import annotations

import codecs
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_MARK: Final = 4
_NEAR: Final = 1024  # bytes: a word that may be a secret is hardly longer
_BY_MARK: Final = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}
"""Encodings whose mark says which one it is, and what they are without one."""


def configured_name(encoding: str) -> str:
    """Return the codec's name for what a rule says; empty for `auto`."""
    return "" if encoding == "auto" else codecs.lookup(encoding).name


def find_mark(head: bytes, configured: str, *, final: bool) -> tuple[int, str] | None:
    """Return the length of the mark at the start of a file and the encoding; None when more bytes may decide.

    A mark that contradicts *configured* is text: the operator's word stands.
    """
    head = head[:_LONGEST_MARK]
    if not final and len(head) < _LONGEST_MARK and any(mark.startswith(head) for mark, _ in _MARKS):
        return None
    for mark, encoding in _MARKS:
        fits = not configured or encoding.startswith(configured) or _BY_MARK.get(configured) == encoding
        if fits and head.startswith(mark):
            return len(mark), encoding
    return 0, without_mark(configured)


def without_mark(configured: str) -> str:
    """Return the encoding of text that has no mark."""
    return _BY_MARK.get(configured, configured) or "utf-8"


def newline_of(encoding: str) -> bytes:
    """Return the bytes of a line end; their number is the unit."""
    return "\n".encode(encoding) if encoding.startswith(("utf-16-", "utf-32-")) else b"\n"


def ends_line(data: bytes, encoding: str) -> bool:
    """Return whether *data*, which begins with a line's first byte, ends with a line end."""
    newline = newline_of(encoding)
    return data.endswith(newline) and len(data) % len(newline) == 0


def decode(data: bytes, encoding: str) -> tuple[str, int]:
    """Return the text of *data* and how many of its bytes were none: those stand as backslash escapes."""
    try:
        return data.decode(encoding), 0
    except UnicodeDecodeError:
        text = data.decode(encoding, "backslashreplace")
        good = data.decode(encoding, "ignore").encode(encoding, "ignore")
        return text, len(data) - len(good)


def character_border(data: bytes, at: int, encoding: str) -> int:
    """Return the last place at or before *at* where a character begins; bytes that are no text do not count."""
    decoder = codecs.getincrementaldecoder(encoding)("ignore")
    decoder.decode(data[:at])
    begun = len(decoder.getstate()[0])
    return at - begun if begun < at else at


def word_border(data: bytes, index: int, encoding: str) -> int:
    """Return where *data* can be cut at or before *index*: behind a blank where one is near, else between characters.

    What a mask would know, half a word does not show.
    """
    if len(newline_of(encoding)) == 1:
        index = data.rfind(b" ", max(index - _NEAR, index // 2), index) + 1 or index
    return character_border(data, index, encoding)
