"""Which blocks can hold a piece of text: a bitmap of the pieces that occur. Pure.

Of every word of the contents each run of three and of five bytes sets a bit,
of every attribute its name and value set two. A block without one of the
bits does not hold the text; one with all of them may. Five bytes, since three
cannot tell numbers apart: a thousand lines hold nearly all runs of three
digits.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterable
from typing import Final

_SHORT: Final = 3
_LONG: Final = 5
_PIECE: Final = 8
_find_long: Final = re.compile(rb"(?=(.....))").findall
_LEAST_BITS: Final = 1 << 12
_MOST_BITS: Final = 1 << 18
_BITS_A_PIECE: Final = 6
_SECOND_SEED: Final = 0x9E3779B9
# A checksum is linear: runs of digits would share a small part of its values. This spreads them.
_SPREAD: Final = 0x9E3779B1
_SPREAD_SHIFT: Final = 13
_ONE: Final = ord("1")


def grams_of(words: Collection[str]) -> set[bytes]:
    """Return the runs of three and of five bytes of these words."""
    grams: set[bytes] = set(_find_long("\n".join(_pieces(words)).encode()))
    short = {gram[at : at + _SHORT] for at in range(_LONG - _SHORT + 1) for gram in grams}
    # A word of three or four letters is in none of five.
    for word in words:
        if len(word) < _LONG:
            piece = word.encode()
            short.update(piece[at : at + _SHORT] for at in range(len(piece) - _SHORT + 1))
    return grams | short


def _pieces(words: Collection[str]) -> set[str]:
    """Return the words, long ones in overlapping pieces: stamps share all but the last, and each is looked at once."""
    pieces = set[str]()
    for word in words:
        if len(word) <= _PIECE + _LONG - 1:
            pieces.add(word)
        else:
            pieces.update([word[at : at + _PIECE + _LONG - 1] for at in range(0, len(word) - _LONG + 1, _PIECE)])
    return pieces


def pair_hash(key: str, text: str) -> int:
    """Return the name of an attribute's name and value, in 64 bits."""
    pair = f"{key}\0{text}".encode()
    return zlib.crc32(pair) << 32 | zlib.crc32(pair, _SECOND_SEED)


def bits_of_pair(pair: int) -> tuple[int, int]:
    """Return the two bits, before they are cut to a bitmap's length, of a `pair_hash`."""
    return (pair >> 32) * _SPREAD >> _SPREAD_SHIFT, (pair & 0xFFFFFFFF) * _SPREAD >> _SPREAD_SHIFT


def bitmap_of(words: Collection[str], pairs: Collection[int]) -> bytes:
    """Return the bitmap of a block with these words and attributes; its length is a power of two."""
    grams = grams_of(words)
    size = _LEAST_BITS
    while size < min(_MOST_BITS, _BITS_A_PIECE * (len(grams) + 2 * len(pairs))):
        size *= 2
    mask = size - 1
    # A digit a bit, made a number at the end: setting bits of bytes one by one takes twice as long.
    digits = bytearray(b"0") * size
    for crc in map(zlib.crc32, grams):
        digits[(crc * _SPREAD >> _SPREAD_SHIFT) & mask] = _ONE
    for pair in pairs:
        for wide in bits_of_pair(pair):
            digits[wide & mask] = _ONE
    digits.reverse()
    return int(digits, 2).to_bytes(size // 8, "little")


def bits_asked(words: Iterable[str], pairs: Iterable[int]) -> list[int]:
    """Return the bits that a block must have to hold all these words and attributes."""
    bits = [zlib.crc32(gram) * _SPREAD >> _SPREAD_SHIFT for gram in grams_of(list(words))]
    for pair in pairs:
        bits += bits_of_pair(pair)
    return bits


def may_hold(bitmap: bytes, bits: Iterable[int]) -> bool:
    """Whether a block with this bitmap can hold what these bits stand for."""
    mask = len(bitmap) * 8 - 1
    return all(bitmap[(bit & mask) >> 3] >> (bit & 7) & 1 for bit in bits)
