"""Stamps of one chunk, read once a log-second.

`heads` holds texts up to whole seconds, `tails` what follows them (fraction
and zone), so that `heads[t[:n]] + tails[t[n:]]` is a stamp that was seen to
be right. A chunk has heads of its own, so that its oldest and newest stamps
are exact at no cost a line; it takes them from what earlier chunks have read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from shipper.core.timestamps import DAY_MS, Stamp, StampReader, epoch_ms, fraction_text, utc_text

_TAILS_KEPT: Final = 4096
_HEADS_KEPT: Final = 8192
_SPELLINGS_KEPT: Final = 64


class Spelling(NamedTuple):
    """What heads and tails must share to be put together: the format, the length of the head, the zone as written."""

    format: str
    head: int
    zone: str


class Spelled(msgspec.Struct):
    """What is known of one spelling, from all chunks of a rule.

    Attributes:
        spelling: Which one.
        point: What stands before the fraction; empty until one was seen.
        tails: Text after the seconds to the UTC text's.
        heads: Text up to the seconds to the UTC text's, and its instant.
        near_day: Of the heads: a date without a year is another one in a file that was modified on another day.
    """

    spelling: Spelling
    point: str
    tails: dict[str, str]
    heads: dict[str, tuple[str, int]]
    near_day: int


class StampCache:
    """The spellings of one rule's stamps; the last one is most likely the next."""

    def __init__(self) -> None:
        """Know none yet."""
        self.last = Spelled(Spelling("", 0, ""), "", {}, {}, -1)
        self._all: dict[Spelling, Spelled] = {}

    def use(self, spelling: Spelling) -> Spelled:
        """Return what is known of *spelling*, which comes next."""
        if len(self._all) > _SPELLINGS_KEPT:
            self._all.clear()
        if spelling not in self._all:
            self._all[spelling] = Spelled(spelling, "", {}, {}, -1)
        self.last = self._all[spelling]
        return self.last


class ChunkStamps:
    """Reads the stamps of one chunk.

    Attributes:
        n: How many characters of a text are its head.
        heads, tails: See the module.
        oldest: Of what was read, rounded down to a whole second, in milliseconds.
        newest: The same, rounded up.
    """

    __slots__ = ("_cache", "_near", "_reader", "_spelled", "heads", "n", "newest", "oldest", "tails")

    def __init__(self, reader: StampReader, cache: StampCache, near_ms: int) -> None:
        """*cache* is what earlier chunks of the rule found; *near_ms* is that of `StampReader.read`."""
        self._cache = cache
        self._reader = reader
        self._near = near_ms
        self.heads: dict[str, str] = {}
        self.oldest: int | None = None
        self.newest: int | None = None
        self._take_up(cache.last)

    def _take_up(self, spelled: Spelled) -> None:
        self._spelled = spelled
        self.n, self.tails = spelled.spelling.head, spelled.tails
        if spelled.near_day != self._near // DAY_MS:
            spelled.heads.clear()
            spelled.near_day = self._near // DAY_MS

    def text(self, stamp: str | float, last: str | None) -> str | None:
        """Return a stamp as UTC text; None where it cannot be read. *last* is the file's stamp before, as UTC text."""
        if isinstance(stamp, str):
            try:
                return self.heads[stamp[: self.n]] + self.tails[stamp[self.n :]]
            except KeyError:
                pass
        return self.miss(stamp, last)

    def miss(self, text: str | float, last: str | None) -> str | None:
        """Read a stamp the slow way and remember its halves; an epoch number has none."""
        if not isinstance(text, str):
            ms = epoch_ms(text)
            return None if ms is None else self.note(ms)
        known = self._known(text)
        if known is not None:
            return known
        stamp = self._reader.read(text, near_ms=self._near, after_ms=None)
        if stamp is not None and not stamp.stable and last is not None:
            stamp = self._reader.read(text, near_ms=self._near, after_ms=ms_of(last))
        if stamp is None:
            return None
        utc = self.note(stamp.ms)
        if stamp.stable:
            self._remember(text, stamp, utc)
        return utc

    def note(self, ms: int) -> str:
        """Count a stamp among those of the chunk and return it as UTC text."""
        self._count(ms - ms % 1000)  # a head that is known is not looked at again, whatever its fraction
        return utc_text(ms)

    def _count(self, second: int) -> None:
        if self.oldest is None or second < self.oldest:
            self.oldest = second
        if self.newest is None or second >= self.newest:
            self.newest = second + 999

    def _known(self, text: str) -> str | None:
        """Return a stamp whose halves were seen, here or in an earlier chunk, though never together."""
        begin, rest = text[: self.n], text[self.n :]
        head = self.heads.get(begin)
        earlier = self._spelled.heads.get(begin) if head is None else None
        if earlier is not None:
            head = earlier[0]
        if head is None:
            return None
        tail = self.tails.get(rest) or self._tail(rest)
        if tail is not None and earlier is not None:
            self.heads[begin] = head
            self._count(earlier[1])
        return None if tail is None else head + tail

    def _tail(self, rest: str) -> str | None:
        """Return what follows the seconds, where it is a fraction and the zone of the heads."""
        zone, point = self._spelled.spelling.zone, self._spelled.point
        digits = rest[1 : len(rest) - len(zone)]
        if not point or rest[:1] != point or not rest.endswith(zone):
            return None
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
            return None
        tail = f".{fraction_text(digits, point)}Z"
        if len(digits) <= 3 and len(self.tails) < _TAILS_KEPT:
            self.tails[rest] = tail
        return tail

    def _remember(self, text: str, stamp: Stamp, utc: str) -> None:
        start, end = stamp.fraction_start, stamp.fraction_end
        spelling = Spelling(self._reader.last_format, start, text[end:])
        if spelling != self._spelled.spelling:
            self.heads.clear()
            self._take_up(self._cache.use(spelling))
        spelled = self._spelled
        if end > start and not text[start].isdigit():
            spelled.point = text[start]
        self.heads[text[:start]] = utc[:19]
        if len(spelled.heads) > _HEADS_KEPT:
            spelled.heads.clear()
        spelled.heads[text[:start]] = utc[:19], stamp.ms - stamp.ms % 1000
        if len(self.tails) < _TAILS_KEPT:
            self.tails[text[start:]] = utc[19:]


def ms_of(utc: str) -> int:
    """Return the instant of a text that `utc_text` made."""
    moment = datetime.fromisoformat(utc)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
