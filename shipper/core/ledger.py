"""The account of a file: which bytes were read, by which rule, and what became of their records.

An entry stands for a span of one generation. Spans tile it: where one ends the
next begins, so that a missing one is seen. Pure; kept with the offsets, in the
same transaction (adapters/offsets_spans.py).

The digest of a span is CRC-32 begun from its *seed*, which is the digest of the
span before: adjacent spans join without the bytes being seen again, and a
changed byte still shows in its own span alone. It guards against damage and
rewriting by accident, not against an adversary.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from shipper.core.rule import Rule

YOUNG_MS: Final = 10_000  # a span goes on growing for so long: a row every ten seconds for a file that trickles
FINE_BYTES: Final = 4 << 20  # a few batches: so exactly a line can be told in which one it was
LARGEST_BYTES: Final = 64 << 20  # of older rows
MOST_CUTS: Final = 100
MOST_CUTS_LATER: Final = 1000
FINE_MS: Final = 3_600_000  # younger spans are kept as they were made
COARSE_MS: Final = 600_000  # older ones are joined to spans of ten minutes,
DAY_MS: Final = 86_400_000
COARSER_MS: Final = 3_600_000  # and those of more than a day ago to spans of an hour

HOLE: Final = "hole"
"""Why bytes are no part of any record: NULs of a hole, or a byte order mark."""
BEFORE: Final = "before_ledger"
SKIPPED: Final = "start_at_end"
COPY: Final = "copy_already_read"
BACKFILLED: Final = "sent_by_backfill"
REWOUND: Final = "skipped_by_operator"
CUT: Final = "read_before_rewind"
UNREACHABLE: Final = "lost"
UNKNOWN: Final = -1


class Entry(msgspec.Struct, gc=False):
    """What is known of one span [start, end) of a generation.

    Attributes:
        seed, digest: CRC-32 of its bytes, begun from *seed*; *digest* is UNKNOWN where it cannot be told any more.
        read_ms: When its first bytes were converted.
        acked_ms: When the last of it was settled.
        batch, batch_last: Numbers of the first and last request it travelled in; 0 where nothing was sent.
        status: Of the endpoint's answer; None where nothing was sent, or where several were given.
        layout, fingerprint: The rule that read it, and a digest of what of that rule decides about records.
        read, acked: Records.
        rest: Records by any other fate: ``filtered_REASON``, ``dead_REASON``, ``refused_unnamed``.
        cuts: Offsets at which an open record was closed because the file was quiet, in order.
        dropped: Why these bytes were not delivered, where they were not: one word; no records then.
    """

    start: int
    end: int
    seed: int = 0
    digest: int = UNKNOWN
    read_ms: int = 0
    acked_ms: int = 0
    batch: int = 0
    batch_last: int = 0
    status: int | None = None
    layout: str = ""
    fingerprint: str = ""
    read: int = 0
    acked: int = 0
    rest: dict[str, int] = {}
    cuts: list[int] = []
    dropped: str = ""

    @property
    def balance(self) -> int:
        """Records that were read and have no fate; 0 where the account is right."""
        return self.read - self.acked - sum(self.rest.values())


def digest_of(data: bytes, seed: int) -> int:
    """Return the digest of *data*, which follows the bytes that gave *seed*."""
    return zlib.crc32(data, seed)


def fingerprint_of(rule: Rule) -> str:
    """Return a digest of what of *rule* decides where records begin and which are left out."""
    parts = (rule.format.value, rule.patterns, rule.multiline, rule.keep, rule.drop, rule.encoding, rule.ansi)
    return f"{zlib.crc32(repr(parts).encode()):08x}"


def without_delivery(start: int, end: int, why: str, now_ms: int) -> Entry:
    """Return the entry of bytes that are passed over, for the reason *why*."""
    return Entry(start, end, read_ms=now_ms, acked_ms=now_ms, dropped=why)


def joined(first: Entry, second: Entry, *, cuts: int = MOST_CUTS, largest: int = FINE_BYTES) -> Entry | None:
    """Return one entry for two that follow on one another with the same outcome; None where they do not."""
    if not is_same_outcome(first, second) or second.end - first.start > largest:
        return None
    if len(first.cuts) + len(second.cuts) > cuts:
        return None
    return _sum(first, second)


def is_same_outcome(first: Entry, second: Entry) -> bool:
    """Return whether nothing but time and figures tells two entries apart that follow on one another."""
    return (
        first.end == second.start
        and first.dropped == second.dropped
        and (first.digest == second.seed != UNKNOWN or bool(first.dropped))
        and first.fingerprint == second.fingerprint
        and first.layout == second.layout
        and (first.status == second.status or first.status is None or second.status is None)
    )


def _sum(first: Entry, second: Entry) -> Entry:
    rest = first.rest
    if second.rest:
        rest = dict(first.rest)
        for name, count in second.rest.items():
            rest[name] = rest.get(name, 0) + count
    return Entry(
        first.start,
        second.end,
        first.seed,
        second.digest,
        min(first.read_ms, second.read_ms),
        max(first.acked_ms, second.acked_ms),
        min(first.batch, second.batch) or first.batch or second.batch,
        max(first.batch_last, second.batch_last),
        second.status if first.status is None else first.status,
        first.layout,
        first.fingerprint,
        first.read + second.read,
        first.acked + second.acked,
        rest,
        first.cuts + second.cuts if second.cuts else first.cuts,
        first.dropped,
    )


def compact(entries: Sequence[Entry]) -> list[Entry]:
    """Join what can be joined of *entries*, which are in file order."""
    done: list[Entry] = []
    for entry in entries:
        both = joined(done[-1], entry) if done else None
        if both is None:
            done.append(entry)
        else:
            done[-1] = both
    return done


def goes_on(last: Entry, entry: Entry) -> Entry | None:
    """Return *last*, which is saved already, with *entry* behind it; None where that becomes a row of its own."""
    return joined(last, entry) if 0 <= entry.acked_ms - last.read_ms < YOUNG_MS else None


def thinned(entries: Sequence[Entry], now_ms: int, kept_ms: int) -> list[Entry]:
    """Return fewer entries for the same bytes and figures.

    What is younger than an hour stays. Older spans are joined to ten minutes
    each, after a day to an hour; those older than *kept_ms* to one, whose digest holds where no byte of
    it was passed over.
    """
    old = list(takewhile(lambda entry: entry.acked_ms < now_ms - kept_ms, entries))
    done: list[Entry] = []
    for entry in old:
        # Over a hole nothing is joined: that a row is missing must go on to be seen.
        if done and done[-1].end == entry.start:
            done[-1] = _folded(done[-1], entry)
        else:
            done.append(entry)
    folded = len(done)
    for entry in entries[len(old) :]:
        last = done[-1] if len(done) > folded else None
        both = None
        window_ms = COARSE_MS if entry.acked_ms >= now_ms - DAY_MS else COARSER_MS
        if last is not None and entry.acked_ms < now_ms - FINE_MS and entry.acked_ms - last.read_ms < window_ms:
            both = joined(last, entry, cuts=MOST_CUTS_LATER, largest=LARGEST_BYTES)
        if both is None:
            done.append(entry)
        else:
            done[-1] = both
    return done


def _folded(whole: Entry, entry: Entry) -> Entry:
    """Return one entry with the figures of both; what cannot be said of the two together is left out."""
    if is_same_outcome(whole, entry) and len(whole.cuts) + len(entry.cuts) <= MOST_CUTS_LATER:
        return _sum(whole, entry)
    both = _sum(whole, entry)
    one_chain = whole.digest == entry.seed and not (whole.dropped or entry.dropped)
    both.digest = entry.digest if one_chain else UNKNOWN
    both.layout = both.fingerprint = ""
    both.cuts = []
    both.dropped = whole.dropped if whole.dropped == entry.dropped else ""
    if whole.status != entry.status:
        both.status = None
    return both


def total(entries: Sequence[Entry]) -> dict[str, int]:
    """Return the figures of *entries* together, by name."""
    sums = {"read": 0, "acked": 0}
    for entry in entries:
        sums["read"] += entry.read
        sums["acked"] += entry.acked
        for name, count in entry.rest.items():
            sums[name] = sums.get(name, 0) + count
        if entry.dropped:
            name = f"dropped_bytes_{entry.dropped}"
            sums[name] = sums.get(name, 0) + entry.end - entry.start
    return sums


def is_balanced(figures: Mapping[str, int]) -> bool:
    """Return whether every record that was read has a fate: acked + filtered + dead-lettered + refused unnamed."""
    fates = sum(
        count
        for name, count in figures.items()
        if name in {"acked", "refused_unnamed"} or name.startswith(("filtered_", "dead_"))
    )
    return figures.get("read", 0) == fates


def cut_at(entries: Sequence[Entry], offset: int) -> list[Entry]:
    """Return what is left of *entries* when reading begins again at *offset*: those below it.

    One that reaches over it keeps its bytes up to there, without figures: they
    are of bytes that are read once more.
    """
    kept = [entry for entry in entries if entry.end <= offset]
    over = next((entry for entry in entries if entry.start < offset < entry.end), None)
    if over is not None:
        kept.append(without_delivery(over.start, offset, over.dropped or CUT, over.acked_ms))
    return kept
