"""What was written, cut where a writer paused, and whether what arrived is that: whole, in order, nothing else."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from typing import Final, NamedTuple

HEAD: Final = 18
_LINE: Final = re.compile(r"(?P<stream>[a-z]+)-(?P<number>\d{6})-(?P<check>[0-9a-f]{8}) ")


class Line(NamedTuple):
    """One line that was written.

    Attributes:
        cuts: Where in it a writer paused, so that a quiet file may have had a record closed there.
    """

    stream: str
    number: int
    text: str
    cuts: tuple[int, ...] = ()


def line(stream: str, number: int, padding: int) -> Line:
    """Return a line that tells by itself whether it is whole; no other line shares a piece of it that is long."""
    body = (f"{stream}{number:06}" * (padding // 7 + 1))[:padding]
    check = zlib.crc32(f"{stream}{number}{body}".encode())
    return Line(stream, number, f"{stream}-{number:06}-{check:08x} {body}")


class Truth:
    """All lines, by stream and number.

    Attributes:
        may_be_lost: Those that nobody could have read.
        in_any_order: Those whose file changed its form or folder before it was read: found again, but maybe late.
    """

    def __init__(self) -> None:
        self.lines: dict[tuple[str, int], Line] = {}
        self.may_be_lost: set[tuple[str, int]] = set()
        self.in_any_order: set[tuple[str, int]] = set()
        self._next: Counter[str] = Counter()

    def new(self, stream: str, padding: int, cut: int = 0) -> Line:
        """Return the next line of *stream*; *cut* says after how many characters beyond its head its writer pauses."""
        self._next[stream] += 1
        made = line(stream, self._next[stream], padding)
        made = made._replace(cuts=(HEAD + cut,) if cut else ())
        self.lines[made.stream, made.number] = made
        return made

    def missing(self, arrived: list[str]) -> list[str]:
        """Return the lines of which a part never came, without those that may be lost."""
        came = set(arrived)
        return [
            one.text
            for key, one in self.lines.items()
            if key not in self.may_be_lost and not _is_put_together(one, came)
        ]

    def foreign(self, arrived: list[str]) -> list[str]:
        """Return what arrived and was never written so."""
        allowed = set[str]()
        for one in self.lines.values():
            borders = (0, *one.cuts, len(one.text))
            allowed |= {one.text[i:j] for i in borders for j in borders if i < j}
        return [text for text in set(arrived) if text not in allowed]

    def out_of_order(self, arrived: list[str]) -> list[str]:
        """Return what came for the first time after something younger of its stream had, but for what may be lost."""
        youngest: dict[str, int] = {}
        seen = set[str]()
        wrong = []
        for text in arrived:
            match = _LINE.match(text)
            if match is None or text in seen:
                continue
            seen.add(text)
            number = int(match["number"])
            if (match["stream"], number) in self.may_be_lost | self.in_any_order:
                continue
            if number < youngest.get(match["stream"], 0):
                wrong.append(text)
            youngest[match["stream"]] = max(number, youngest.get(match["stream"], 0))
        return wrong


def _is_put_together(one: Line, came: set[str]) -> bool:
    borders = (0, *one.cuts, len(one.text))
    reached = {0}
    for i in borders:
        if i in reached:
            reached |= {j for j in borders if i < j and one.text[i:j] in came}
    return len(one.text) in reached
