"""The files that tests/benchmarks/backfill.py sends: an access log and its rotated siblings, plain and packed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import zstandard

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda text: gzip.compress(text, 6),
    ".bz2": bz2.compress,
    ".xz": lambda text: lzma.compress(text, preset=1),
    ".zst": zstandard.ZstdCompressor(3).compress,
}
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "curl/8.5.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)",
)


def access_lines(begin: int, end: int, first_second: int, lines_a_second: int = 250) -> Iterator[bytes]:
    """Give lines of an access log, a log-second's lines at a time; line n asks for /item/n."""
    for start in range(begin, end, lines_a_second):
        at = datetime.fromtimestamp(first_second + start // lines_a_second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        yield "".join(
            f"10.{n * 7 % 256}.{n * 31 % 256}.{n * 131 % 256} - - [{at}]"
            f' "GET /item/{n}?q={n * 2_654_435_761 % 1_000_003} HTTP/1.1"'
            f' {(200, 200, 200, 304, 404, 500)[n % 6]} {n * 7919 % 100_000} "-" "{AGENTS[n % 3]}"\n'
            for n in range(start, min(start + lines_a_second, end))
        ).encode()


def corpus(folder: Path, lines: int, first_second: int) -> list[Path]:
    """Write *lines* lines as access.log and rotated siblings, .1 to .9 as .gz, then .bz2, .xz, .zst."""
    endings = ["", *(f".{n}.gz" for n in range(1, 10)), ".10.bz2", ".11.xz", ".12.zst"]
    share = -(-lines // len(endings) // 250) * 250
    paths = []
    for index, ending in enumerate(reversed(endings)):
        path = folder / f"access.log{ending}"
        text = b"".join(access_lines(index * share, min((index + 1) * share, lines), first_second))
        path.write_bytes(PACKINGS.get(path.suffix, bytes)(text))
        os.utime(path, (first_second + (index + 1) * share // 250,) * 2)
        paths.append(path)
    return paths


def write_plain(path: Path, lines: int, first_second: int) -> None:
    """Write *lines* lines."""
    with path.open("wb") as file:
        file.writelines(access_lines(0, lines, first_second))
