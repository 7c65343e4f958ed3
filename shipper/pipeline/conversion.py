"""Turns what was read into events, offers them to the sender, and counts what becomes of them.

The mark that a portion carries says whose it was: when it comes back settled,
its account goes into the watermark of that life of the file, and with it what
the committer saves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from shipper.core.batch import Portion, Settlement
from shipper.core.model import Chunk, FileKey
from shipper.core.watermark import Ticket, Watermark
from shipper.pipeline.accounts import account_for, figures
from shipper.pipeline.clock import Clock
from shipper.pipeline.committer import Committer
from shipper.pipeline.followed import Followed
from shipper.pipeline.guard import BYPASS_SECONDS, PATTERN_TIMEOUTS_ALLOWED, MatchGuard
from shipper.pipeline.journal import Journal
from shipper.pipeline.letters import letters_for
from shipper.pipeline.sender import Sender
from shipper.pipeline.timings import Timings


class Mark(NamedTuple):
    """What a portion carries back to us: whose it is, its place in that life's watermark, and when it was written.

    *written_ms* is the file's last change as the read saw it, which is that of its last line where the read reached
    the file's end; 0 where it did not: nothing says when those lines were written. *heir* is of the younger file in
    which the chunk's last record goes on.
    """

    followed: Followed
    watermark: Watermark
    ticket: Ticket
    written_ms: int = 0
    heir: Mark | None = None


class Conversion:
    """Owns the counters, and the records that two files pass together; used from the event loop only.

    Attributes:
        counters: Sum over all files since the agent started; also of what was lost of files that nobody follows.
        by_source: The same by source, of files that are gone too.
        append_to_ack: From a line's writing to its acknowledgement, where the first is known (see Mark).
        pending_records: Records converted and not settled.
    """

    def __init__(self, sender: Sender, committer: Committer, guard: MatchGuard, journal: Journal, clock: Clock) -> None:
        """Nothing is counted yet."""
        self.counters: Counter[str] = Counter()
        self.by_source: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.append_to_ack = Timings()
        self.pending_records = 0
        self._sender = sender
        self._committer = committer
        self._guard = guard
        self._journal = journal
        self._clock = clock
        self._heirs: defaultdict[FileKey, list[Mark]] = defaultdict(list)

    def count(self, source: str, counts: Mapping[str, int]) -> None:
        """Add *counts* to those of *source*, and to the sum over all of them."""
        of_source = self.by_source[source]
        for name, count in counts.items():
            self.counters[name] += count
            of_source[name] += count

    # -- converting ------------------------------------------------------------------------------

    def convert(self, followed: Followed, chunk: Chunk, own: Chunk | None = None, heir: Mark | None = None) -> None:
        """Turn *chunk* into events and offer them; *own* is the part of it that stands in the file, if not all does.

        Where `followed.reframe` is set afterwards, what follows is to be read once more, by another layout.
        """
        now = self._clock.monotonic()
        facts, carry = followed.facts(), followed.carry
        converter = followed.converter_now(now)
        now_ms = self._clock.now_ms()
        encoded = self._guard.convert(converter, chunk, facts, carry, now_ms)
        if followed.look_again(chunk, encoded):
            converter, carry = followed.converter_now(now), followed.carry
            encoded = self._guard.convert(converter, chunk, facts, carry, now_ms)
        self._say_layout(followed)
        if encoded.pattern_timeouts:
            self._count_timeouts(followed, encoded.pattern_timeouts, now)
        ticket = followed.track(own or chunk, encoded)
        mark = Mark(followed, followed.watermark, ticket, followed.mtime_ms if followed.at_end else 0, heir)
        ticket.counts = figures(encoded)
        self.count(followed.source, ticket.counts)
        portion = Portion(
            key=followed.key, lineage=followed.lineage, chunk=chunk, facts=facts, carry=carry,
            encoded=encoded, converter=converter, now_ms=now_ms, token=mark,
        )  # fmt: skip
        if encoded.events:
            self.pending_records += encoded.records
            self._sender.offer(portion)
        else:
            self._settle(portion, Settlement())

    def _say_layout(self, followed: Followed) -> None:
        choice, followed.chosen = followed.chosen, None
        if choice is None:
            return
        name = choice.layout.partition("{")[0].strip("+") or ("learned" if choice.layout else "raw")
        self._committer.decided(followed.key, "layout", f"{name}: {choice.evidence}")
        self._journal.say(
            "layout_chosen", source=followed.source, file=followed.path, layout=name, evidence=choice.evidence
        )

    def _count_timeouts(self, followed: Followed, timeouts: int, now: float) -> None:
        followed.timeouts += timeouts
        if followed.timeouts >= PATTERN_TIMEOUTS_ALLOWED:
            followed.timeouts = 0
            followed.bypassed_until = now + BYPASS_SECONDS
            self._journal.say(
                "pattern_bypassed", source=followed.source, file=followed.path, seconds=BYPASS_SECONDS,
                hint="its pattern runs away on this file's text; records ship unparsed meanwhile",
            )  # fmt: skip

    # -- settling --------------------------------------------------------------------------------

    def settled(self, portion: Portion, settlement: Settlement) -> None:
        """The sender is done with *portion*."""
        self.pending_records -= portion.encoded.records
        self._settle(portion, settlement)

    def _settle(self, portion: Portion, settlement: Settlement) -> None:
        mark = portion.token
        if not isinstance(mark, Mark):
            raise TypeError("a portion comes back with the mark it was given")
        now_ms = self._clock.now_ms()
        letters = letters_for(portion, settlement, mark.followed.source, now_ms)
        if letters:
            self._committer.refused(letters)
        settled = account_for(mark.ticket, portion, settlement, now_ms)
        self.count(mark.followed.source, settled)
        if mark.written_ms and "acked" in settled:
            waited_ms = now_ms - mark.written_ms
            self.append_to_ack.observe(waited_ms / 1000, settled["acked"])
        if mark.heir is not None:
            self._heirs[mark.followed.key].append(mark)
        mark.watermark.ack(mark.ticket)
        if not mark.followed.detached:
            self._committer.changed(mark.followed)
        if self._heirs:
            self._bequeath(mark.followed.key)

    def _bequeath(self, key: FileKey) -> None:
        """Let the younger file pass a record of both once the older one has passed it, and not before."""
        for mark in self._heirs.pop(key, ()):
            if mark.heir is None or mark.watermark.safe.offset < mark.ticket.end.offset:
                self._heirs[key].append(mark)
                continue
            mark.heir.watermark.ack(mark.heir.ticket)
            if not mark.heir.followed.detached:
                self._committer.changed(mark.heir.followed)
