"""Lines of a text that hold what is looked for, and the pattern that comes nearest to a path."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from shipper.config import Config
from shipper.core.patterns import Excludes
from shipper.pipeline.remains import Remains

BLOCK_BYTES: Final = 1 << 20
LONGEST_LINE_BYTES: Final = 1 << 20


class Line(NamedTuple):
    """A line of a text: its number from 1, offset and bytes, without the end."""

    number: int
    offset: int
    data: bytes


def lines_with(remains: Remains, needle: bytes, encoding: str = "utf-8") -> Iterator[Line]:
    """Give each line of a text that holds *needle*; every line where that is empty. One block is in memory at a time.

    A line longer than a mebibyte is given in pieces, under one number.
    """
    newline = "\n".encode(encoding.removesuffix("-sig")) if encoding.startswith(("utf-16-", "utf-32-")) else b"\n"
    offset, number = remains.base, 0
    rest = b""
    while data := remains.read_at(offset + len(rest), BLOCK_BYTES):
        block = rest + data
        end = block.rfind(newline) + len(newline)
        while end >= len(newline) and (end - len(newline)) % len(newline):
            end = block.rfind(newline, 0, end - 1) + len(newline)
        if end < len(newline) and len(block) < LONGEST_LINE_BYTES:
            rest = block
            continue
        end = end if end >= len(newline) else len(block)
        yield from _in_block(block[:end], needle, newline, offset, number)
        number += block.count(newline, 0, end)
        rest = block[end:]
        offset += end
    if rest:
        yield from _in_block(rest, needle, newline, offset, number)
    remains.length = offset + len(rest) - remains.base


def _in_block(block: bytes, needle: bytes, newline: bytes, offset: int, number: int) -> Iterator[Line]:
    at = counted = 0
    while at < len(block):
        hit = block.find(needle, at) if needle else at
        if hit < 0:
            return
        begin = block.rfind(newline, 0, hit) + len(newline) if block.rfind(newline, 0, hit) >= 0 else 0
        end = block.find(newline, hit)
        end = end + len(newline) if end >= 0 else len(block)
        number += block.count(newline, counted, begin)
        counted = begin
        yield Line(number + 1, offset + begin, block[begin:end])
        at = end


def nearest_pattern(path: str, config: Config | None) -> str:
    """Return why no source reads *path*, with the pattern that comes nearest to it."""
    if config is None or not config.sources:
        return "no configuration says that it is to be read"
    patterns = [(source.name, pattern) for source in config.sources for pattern in source.paths]
    name, pattern = max(patterns, key=lambda one: _likeness(one[1], path))
    excluded = next((source.name for source in config.sources if _is_excluded(source.exclude, path)), None)
    if excluded is not None:
        return f"source {excluded} leaves it out by its exclude"
    return f"no source's pattern matches this file; the nearest is {name}: {pattern}"


def _is_excluded(exclude: tuple[str, ...], path: str) -> bool:
    return bool(exclude) and Excludes(exclude).match(path)


def _likeness(pattern: str, path: str) -> tuple[int, float]:
    common = next((at for at, (one, other) in enumerate(zip(pattern, path, strict=False)) if one != other), len(path))
    return common, SequenceMatcher(None, pattern, path).ratio()
