"""Stamps of one chunk, read once a log-second.

`heads` holds texts up to whole seconds, `tails` what follows them (fraction
and zone), so that `heads[t[:n]] + tails[t[n:]]` is a stamp that was seen to
be right. Heads are made new for each chunk, so that its oldest and newest
stamps are exact at no cost a line; tails say nothing of the time and are kept
for each zone's spelling.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shipper.core.timestamps import StampReader, epoch_ms, utc_text

_TAILS_KEPT: Final = 4096
_ZONES_KEPT: Final = 64

Tails = dict[str, dict[str, str]]


class ChunkStamps:
    """Reads the stamps of one chunk.

    Attributes:
        n: How many characters of a text are its head.
        oldest, newest: Of what was read, in milliseconds.
        last_ms: The stamp that was read last by `miss`; None before the first.
    """

    __slots__ = ("_after", "_all_tails", "_near", "_reader", "_zone", "heads", "n", "newest", "oldest", "tails")

    def __init__(self, reader: StampReader, tails: Tails, near_ms: int, after_ms: int | None) -> None:
        """*tails* is what earlier chunks of the rule found; *near_ms* and *after_ms* are those of `StampReader.read`."""
        self._all_tails = tails
        self._reader = reader
        self._near = near_ms
        self._after = after_ms
        self._zone = ""
        self.heads: dict[str, str] = {}
        self.tails: dict[str, str] = {}
        self.n = 0
        self.oldest: int | None = None
        self.newest: int | None = None

    def text(self, stamp: str | float) -> str | None:
        """Return a stamp as UTC text; None where it cannot be read."""
        if isinstance(stamp, str):
            try:
                return self.heads[stamp[: self.n]] + self.tails[stamp[self.n :]]
            except KeyError:
                return self.miss(stamp)
        ms = epoch_ms(stamp)
        return None if ms is None else self.note(ms)

    def miss(self, text: str) -> str | None:
        """Read a stamp the slow way and remember its halves."""
        head = self.heads.get(text[: self.n])
        if head is not None:
            tail = self._tail(text[self.n :])
            if tail is not None:
                return head + tail
        stamp = self._reader.read(text, near_ms=self._near, after_ms=self._after)
        if stamp is None:
            return None
        self._after = stamp.ms
        utc = self.note(stamp.ms)
        if stamp.stable:
            self._remember(text, stamp.fraction_start, stamp.fraction_end, utc)
        return utc

    def note(self, ms: int) -> str:
        """Count a stamp among those of the chunk and return it as UTC text."""
        if self.oldest is None or ms < self.oldest:
            self.oldest = ms
        if self.newest is None or ms > self.newest:
            self.newest = ms
        return utc_text(ms)

    def _tail(self, rest: str) -> str | None:
        """Return what follows the seconds, where it is a fraction and the zone of the heads."""
        digits = rest[1 : len(rest) - len(self._zone)]
        if rest[:1] not in (".", ",") or not rest.endswith(self._zone) or not (digits.isascii() and digits.isdigit()):
            return None
        tail = f".{digits[:3]:0<3}Z"
        if len(digits) <= 3 and len(self.tails) < _TAILS_KEPT:
            self.tails[rest] = tail
        return tail if len(digits) <= 9 else None

    def _remember(self, text: str, start: int, end: int, utc: str) -> None:
        zone = text[end:]
        if start != self.n or zone != self._zone:
            self.heads.clear()
            if len(self._all_tails) > _ZONES_KEPT:
                self._all_tails.clear()
            self.tails = self._all_tails.setdefault(zone, {})
            self.n, self._zone = start, zone
        self.heads[text[:start]] = utc[:19]
        if len(self.tails) < _TAILS_KEPT:
            self.tails[text[start:]] = utc[19:]


def ms_of(utc: str) -> int:
    """Return the instant of a text that `utc_text` made."""
    moment = datetime.fromisoformat(utc)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
