"""Settles a batch that the endpoint did not take whole: event by event, as few requests as that needs.

The portions are read again by the reference reader, which knows the bytes of
each event, so a dead letter names its exact span.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from shipper.core.ageing import restamped
from shipper.core.attributes import cut_utf8
from shipper.core.batch import Portion, Settlement, body_of, size_of
from shipper.core.bisection import SINGLES_IN_A_ROW, Bisection, Outcome, Range
from shipper.core.chunk_stamps import ms_of
from shipper.core.converter import MatchBudget
from shipper.core.delivery import Action, Verdict
from shipper.core.model import Encoded, Event, Produced, Refused
from shipper.core.rule import TooOld
from shipper.core.timestamps import utc_text
from shipper.pipeline.tapping import Sent

if TYPE_CHECKING:
    from shipper.pipeline.sender import Sender

TRIMMED_MARK: Final = "[TRUNCATED]"
SMALLEST_CONTENT_BYTES: Final = 1024
_encode: Final = msgspec.json.Encoder().encode


def events_of(portion: Portion, budget: MatchBudget | None) -> list[Produced]:
    """Return the events of *portion* as they were, or will be, sent."""
    if portion.events is not None:
        return portion.events
    read = portion.converter.reference.read
    return read(portion.chunk, portion.facts, portion.carry, portion.now_ms, budget).produced


def encoded_events(before: Encoded, events: Sequence[Produced]) -> Encoded:
    """Return *before* with the JSON of *events* in place of its own; its counts stay."""
    return msgspec.structs.replace(
        before,
        json=memoryview(_encode([produced.event for produced in events]))[1:-1] if events else b"",
        events=len(events),
        oldest_ms=min((ms_of(str(produced.event["timestamp"])) for produced in events), default=None),
    )


class _Item:
    """One event of the batch."""

    __slots__ = ("dropped", "event", "json", "portion", "span", "verdict")

    def __init__(self, portion: Portion, produced: Produced) -> None:
        self.portion = portion
        self.span = produced.span
        self.event = produced.event
        self.json = _encode(produced.event)
        self.verdict: Verdict | None = None
        self.dropped = False

    def replace(self, event: Event) -> None:
        self.event = event
        self.json = _encode(event)


class Singles:
    """One batch, taken apart."""

    def __init__(self, sender: Sender, portions: Sequence[Portion]) -> None:
        """Settle *portions* through *sender*."""
        self._sender = sender
        self._portions = portions
        self._items: list[_Item] = []
        self._refused: dict[int, list[Refused]] = {id(portion): list(portion.refused) for portion in portions}
        self._trimmed = Counter[int]()
        self._unnamed = 0
        self._unnamed_detail = ""
        self._status: int | None = None

    async def _read(self) -> None:
        for portion in self._portions:
            self._items += [_Item(portion, made) for made in events_of(portion, self._sender.record_budget)]
            await asyncio.sleep(0)

    # -- a 200 ------------------------------------------------------------------------------------

    async def settle_partial(self, verdict: Verdict) -> None:
        """The endpoint took some and refused others; it is never sent again."""
        self._status = 200
        if verdict.indexes or sum(portion.encoded.events for portion in self._portions) == 1:
            await self._read()
        self._note_partial(self._items, verdict)
        self._finish()

    def _note_partial(self, items: Sequence[_Item], answer: Verdict) -> None:
        """Keep what a 200 says: which events of *items* were refused, or how many."""
        if answer.indexes and max(answer.indexes) < len(items):
            for index in sorted(set(answer.indexes)):
                self._refuse(items[index], "rejected", answer)
        elif answer.refused and len(items) == 1:
            self._refuse(items[0], "rejected", answer)
        elif answer.refused:
            self._unnamed += answer.refused
            self._unnamed_detail = answer.message

    # -- a 400 or a 413 -----------------------------------------------------------------------------

    async def settle(self, verdict: Verdict) -> None:
        """Find the events that are refused, deliver the others."""
        await self._read()
        self._status = 413 if verdict.action is Action.SPLIT else 400
        ranges = self._ranges_within_limits([Range(0, len(self._items))])
        known_bad, turn = len(ranges) == 1, 0
        elsewhere: int | None = None
        while ranges:
            bisection = Bisection(ranges, known_bad=known_bad, by_size=verdict.action is Action.SPLIT, turn=turn)
            verdict = await self._go_through(bisection, verdict)
            known_bad, turn = False, turn + 1
            if self._is_the_endpoint(bisection, elsewhere):
                await self._sender.attempts.hold(verdict)
                elsewhere = self._sender.attempts.accepted
                continue
            elsewhere = None
            for index in bisection.failed:
                self._give_up(self._items[index])
            if not bisection.passed:
                self._sender.note_refused(len(bisection.failed))
            ranges = bisection.rest()
            if ranges:
                await self._sender.attempts.pause()
        self._finish()

    def _is_the_endpoint(self, bisection: Bisection, elsewhere: int | None) -> bool:
        """Return whether it cannot be the events: single ones fail in a row, none passes.

        Where we have held already, *elsewhere* says how many requests had been accepted then: when
        other batches were since, it is these events after all.
        """
        if bisection.passed or not bisection.failed:
            return False
        if elsewhere is not None and self._sender.attempts.accepted > elsewhere:
            return False
        return len(bisection.failed) + self._sender.refused_in_a_row >= SINGLES_IN_A_ROW

    def _ranges_within_limits(self, ranges: list[Range]) -> list[Range]:
        """Cut *ranges* so that each fits into a request."""
        limits, most_bytes = self._sender.limits, self._sender.most_bytes
        fitting: list[Range] = []
        for part in ranges:
            low, size = part.low, 0
            for index in range(part.low, part.high):
                length = len(self._items[index].json)
                count = index - low
                if count and (size_of(size + length, count + 1) > most_bytes or count >= limits.max_events):
                    fitting.append(Range(low, index))
                    low, size = index, 0
                size += length
            if low < part.high:
                fitting.append(Range(low, part.high))
        return fitting

    async def _go_through(self, bisection: Bisection, verdict: Verdict) -> Verdict:
        """Ask what *bisection* wants to know; return the last refusal."""
        while (part := bisection.next()) is not None:
            items = [item for item in self._items[part.low : part.high] if not item.dropped]
            answer = await self._ask(items)
            if answer.action not in (Action.ACCEPTED, Action.PARTIAL):
                verdict = answer
                if len(items) > 1 or not await self._second_chance(items[0], answer):
                    bisection.report(Outcome.FAILED)
                    continue
            bisection.report(Outcome.PASSED)
        return verdict

    async def _ask(self, items: Sequence[_Item]) -> Verdict:
        """Send *items*; of a partial answer, keep what was refused."""
        answer = await self._sender.attempts.send(lambda: self._body(items), lambda: None)
        tapping = self._sender.tapping
        if tapping is not None and tapping.active and answer.action in (Action.ACCEPTED, Action.PARTIAL):
            tapping.sent([Sent(item.portion.converter.rule.source, item.json, 1) for item in items])
        if answer.action is Action.PARTIAL:
            self._note_partial(items, answer)
        elif answer.action is Action.SPLIT and len(items) > 1:
            self._sender.learn(size_of(sum(len(item.json) for item in items), len(items)))
        return answer

    def _body(self, items: Sequence[_Item]) -> list[bytes | memoryview] | None:
        now = self._sender.now_ms()
        for item in items:
            rule = item.portion.converter.rule
            if rule.too_old is TooOld.RESTAMP and str(item.event["timestamp"]) < utc_text(now - rule.max_age_ms):
                item.replace(restamped(item.event, now))
        return body_of(item.json for item in items) if items else None

    # -- one event that is refused alone -----------------------------------------------------------

    async def _second_chance(self, item: _Item, answer: Verdict) -> bool:
        """Try what can make a single event fit: less content, a new time; return whether it is settled."""
        item.verdict = answer
        if answer.action is Action.SPLIT:
            return await self._trim(item)
        if answer.action is Action.EXPIRED:
            return await self._expired(item, answer)
        return False

    async def _trim(self, item: _Item) -> bool:
        """Send *item* with half of its content, and half of that, and so on."""
        content = str(item.event["content"])
        trimmed = ",".join(filter(None, [str(item.event.get("log.trimmed") or ""), "content"]))
        size = len(content.encode("utf-8", "surrogatepass")) // 2
        while size >= SMALLEST_CONTENT_BYTES:
            shorter = cut_utf8(content, size - len(TRIMMED_MARK)) + TRIMMED_MARK
            whole = item.event
            item.replace({**whole, "content": shorter, "log.trimmed": trimmed})
            answer = await self._ask([item])
            if answer.action is not Action.SPLIT:
                taken = answer.action in (Action.ACCEPTED, Action.PARTIAL)
                self._trimmed[id(item.portion)] += taken and not whole.get("log.trimmed")  # else it is counted already
                return taken
            item.replace(whole)
            size //= 2
        return False

    async def _expired(self, item: _Item, answer: Verdict) -> bool:
        """Apply the source's policy to an event that is too old for the endpoint, though not by our clock."""
        policy = item.portion.converter.rule.too_old
        if policy is TooOld.DROP:
            self._drop(item)
            return True
        if policy is TooOld.DEAD_LETTER:
            self._refuse(item, "too_old", answer)
            return True
        item.replace(restamped(item.event, self._sender.now_ms()))
        again = await self._ask([item])
        return again.action in (Action.ACCEPTED, Action.PARTIAL)

    def _drop(self, item: _Item) -> None:
        portion = item.portion
        if not any(other.dropped and other.span == item.span and other.portion is portion for other in self._items):
            portion.filtered = {**portion.filtered, "too_old": portion.filtered.get("too_old", 0) + 1}
        item.dropped = True

    def _give_up(self, item: _Item) -> None:
        answer = item.verdict
        action = answer.action if answer else Action.BISECT
        reason = {Action.SPLIT: "too_large", Action.EXPIRED: "too_old"}.get(action, "rejected")
        self._refuse(item, reason, answer)

    def _refuse(self, item: _Item, reason: str, answer: Verdict | None) -> None:
        detail = answer.message if answer else ""
        self._refused[id(item.portion)].append(Refused(item.span, reason, detail, item.event))

    def _finish(self) -> None:
        unnamed = self._unnamed
        for number, portion in enumerate(self._portions):
            settlement = Settlement(
                refused=self._refused[id(portion)], filtered=portion.filtered, status=self._status,
                trimmed=self._trimmed[id(portion)],
            )  # fmt: skip
            if number == 0:
                settlement.unnamed_in_batch, settlement.unnamed_detail = self._unnamed, self._unnamed_detail
            # Which ones, nobody knows: each portion is charged with no more than it has, so that accounts balance.
            settlement.refused_unnamed = min(unnamed, settlement.remaining(portion.encoded.records))
            unnamed -= settlement.refused_unnamed
            self._sender.settled(portion, settlement)
