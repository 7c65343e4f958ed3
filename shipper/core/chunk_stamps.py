"""Stamps of one chunk, read once a log-second.

`heads` holds texts up to whole seconds, `tails` what follows them (fraction
and zone), so that `heads[t[:n]] + tails[t[n:]]` is a stamp that was seen to
be right. Heads are made new for each chunk, so that its oldest and newest
stamps are exact at no cost a line; tails say nothing of the time and are kept
for each zone's spelling.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from shipper.core.timestamps import StampReader, epoch_ms, utc_text

_TAILS_KEPT: Final = 4096
_SPELLINGS_KEPT: Final = 64


class Spelling(NamedTuple):
    """What heads and tails must share to be put together: the format, the length of the head, the zone as written."""

    format: str
    head: int
    zone: str


Tails = dict[Spelling, dict[str, str]]


class ChunkStamps:
    """Reads the stamps of one chunk.

    Attributes:
        n: How many characters of a text are its head.
        oldest: Of what was read, rounded down to a whole second, in milliseconds.
        newest: The same, rounded up.
    """

    __slots__ = ("_all_tails", "_near", "_point", "_reader", "_spelling", "heads", "n", "newest", "oldest", "tails")

    def __init__(self, reader: StampReader, tails: Tails, near_ms: int) -> None:
        """*tails* is what earlier chunks of the rule found; *near_ms* is that of `StampReader.read`."""
        self._all_tails = tails
        self._reader = reader
        self._near = near_ms
        self._spelling = Spelling("", 0, "")
        self._point = ""
        self.heads: dict[str, str] = {}
        self.tails: dict[str, str] = {}
        self.n = 0
        self.oldest: int | None = None
        self.newest: int | None = None

    def text(self, stamp: str | float, last: str | None) -> str | None:
        """Return a stamp as UTC text; None where it cannot be read. *last* is the file's stamp before, as UTC text."""
        if isinstance(stamp, str):
            try:
                return self.heads[stamp[: self.n]] + self.tails[stamp[self.n :]]
            except KeyError:
                return self.miss(stamp, last)
        ms = epoch_ms(stamp)
        return None if ms is None else self.note(ms)

    def miss(self, text: str, last: str | None) -> str | None:
        """Read a stamp the slow way and remember its halves."""
        head = self.heads.get(text[: self.n])
        if head is not None:
            tail = self._tail(text[self.n :])
            if tail is not None:
                return head + tail
        stamp = self._reader.read(text, near_ms=self._near, after_ms=None)
        if stamp is not None and not stamp.stable and last is not None:
            stamp = self._reader.read(text, near_ms=self._near, after_ms=ms_of(last))
        if stamp is None:
            return None
        utc = self.note(stamp.ms)
        if stamp.stable:
            self._remember(text, stamp.fraction_start, stamp.fraction_end, utc)
        return utc

    def note(self, ms: int) -> str:
        """Count a stamp among those of the chunk and return it as UTC text."""
        second = ms - ms % 1000  # a head that is known is not looked at again, whatever its fraction
        if self.oldest is None or second < self.oldest:
            self.oldest = second
        if self.newest is None or second >= self.newest:
            self.newest = second + 999
        return utc_text(ms)

    def _tail(self, rest: str) -> str | None:
        """Return what follows the seconds, where it is a fraction and the zone of the heads."""
        zone = self._spelling.zone
        digits = rest[1 : len(rest) - len(zone)]
        if not self._point or rest[:1] != self._point or not rest.endswith(zone):
            return None
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
            return None
        tail = f".{digits[:3]:0<3}Z"
        if len(digits) <= 3 and len(self.tails) < _TAILS_KEPT:
            self.tails[rest] = tail
        return tail

    def _remember(self, text: str, start: int, end: int, utc: str) -> None:
        spelling = Spelling(self._reader.last_format, start, text[end:])
        if spelling != self._spelling:
            self.heads.clear()
            if len(self._all_tails) > _SPELLINGS_KEPT:
                self._all_tails.clear()
            self.tails = self._all_tails.setdefault(spelling, {})
            self.n, self._spelling = start, spelling
            self._point = ""
        if end > start and not text[start].isdigit():
            self._point = text[start]
        self.heads[text[:start]] = utc[:19]
        if len(self.tails) < _TAILS_KEPT:
            self.tails[text[start:]] = utc[19:]


def ms_of(utc: str) -> int:
    """Return the instant of a text that `utc_text` made."""
    moment = datetime.fromisoformat(utc)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
