"""Settles a batch that the endpoint did not take whole: event by event, as few requests as that needs.

The portions are read again by the reference reader, which knows the bytes of
each event, so a dead letter names its exact span.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from shipper.core.attributes import cut_utf8
from shipper.core.batch import Portion, Settlement, body_of, size_of
from shipper.core.bisection import SINGLES_IN_A_ROW, Bisection, Outcome, Range
from shipper.core.delivery import Action, Verdict
from shipper.core.model import Event, Produced, Refused
from shipper.core.timestamps import utc_text

if TYPE_CHECKING:
    from shipper.pipeline.sender import Sender

TRIMMED_MARK: Final = "[TRUNCATED]"
SMALLEST_CONTENT_BYTES: Final = 1024
_encode: Final = msgspec.json.Encoder().encode


class _Item:
    """One event of the batch."""

    __slots__ = ("event", "json", "portion", "span", "verdict")

    def __init__(self, portion: Portion, produced: Produced) -> None:
        self.portion = portion
        self.span = produced.span
        self.event = produced.event
        self.json = _encode(produced.event)
        self.verdict: Verdict | None = None

    def replace(self, event: Event) -> None:
        self.event = event
        self.json = _encode(event)


class Singles:
    """One batch, taken apart."""

    def __init__(self, sender: Sender, portions: Sequence[Portion]) -> None:
        """Settle *portions* through *sender*."""
        self._sender = sender
        self._portions = portions
        self._items = [item for portion in portions for item in self._read(portion)]
        self._refused: dict[int, list[Refused]] = {id(portion): list(portion.refused) for portion in portions}

    def _read(self, portion: Portion) -> list[_Item]:
        reading = portion.converter.reference.read(portion.chunk, portion.facts, portion.carry, self._sender.now_ms())
        return [_Item(portion, produced) for produced in reading.produced]

    async def settle_partial(self, verdict: Verdict) -> None:
        """The endpoint took some and refused others; it is never sent again."""
        if verdict.indexes and max(verdict.indexes) < len(self._items):
            for index in verdict.indexes:
                self._refuse(self._items[index], "rejected", verdict)
            self._finish(200)
            return
        for number, portion in enumerate(self._portions):
            self._sender.settled(
                portion,
                Settlement(
                    refused=self._refused[id(portion)],
                    refused_unnamed=verdict.refused if number == 0 else 0,
                    unnamed_detail=verdict.message if number == 0 else "",
                    filtered=portion.filtered,
                    status=200,
                ),
            )

    async def settle(self, verdict: Verdict) -> None:
        """Find the events that are refused, deliver the others."""
        ranges = self._ranges_within_limits([Range(0, len(self._items))])
        known_bad = verdict.action is not Action.SPLIT and len(ranges) == 1
        while ranges:
            bisection = Bisection(ranges, known_bad=known_bad)
            await self._go_through(bisection)
            if self._is_the_endpoint(bisection):
                await self._sender.hold(verdict.message)
                known_bad = False
                continue
            for index in bisection.failed:
                self._give_up(self._items[index])
            if bisection.failed and not bisection.passed:
                self._sender.refused_in_a_row += len(bisection.failed)
            ranges, known_bad = bisection.rest(), False
            if ranges:
                await self._sender.hold("many events of a batch were refused: the rest follows")
        self._finish(None)

    def _is_the_endpoint(self, bisection: Bisection) -> bool:
        """Return whether it cannot be the events: single ones fail in a row and none has passed."""
        failed = len(bisection.failed) + self._sender.refused_in_a_row
        return not bisection.passed and bool(bisection.failed) and failed >= SINGLES_IN_A_ROW

    def _ranges_within_limits(self, ranges: list[Range]) -> list[Range]:
        """Cut *ranges* so that each fits into a request."""
        limits = self._sender.limits
        fitting: list[Range] = []
        for part in ranges:
            low, size = part.low, 0
            for index in range(part.low, part.high):
                length = len(self._items[index].json)
                count = index - low
                if count and (size_of(size + length, count + 1) > limits.max_bytes or count >= limits.max_events):
                    fitting.append(Range(low, index))
                    low, size = index, 0
                size += length
            if low < part.high:
                fitting.append(Range(low, part.high))
        return fitting

    async def _go_through(self, bisection: Bisection) -> None:
        while (part := bisection.next()) is not None:
            items = self._items[part.low : part.high]
            answer = await self._sender.request(body_of(item.json for item in items))
            if answer.action in (Action.ACCEPTED, Action.PARTIAL):
                if answer.action is Action.PARTIAL:
                    self._note_partial(items, answer)
                bisection.report(Outcome.PASSED)
                continue
            if len(items) == 1:
                items[0].verdict = answer
                if await self._second_chance(items[0], answer):
                    bisection.report(Outcome.PASSED)
                    continue
            bisection.report(Outcome.FAILED)

    def _note_partial(self, items: Sequence[_Item], answer: Verdict) -> None:
        named = [items[index] for index in answer.indexes if index < len(items)]
        for item in named or (items[:1] if len(items) == 1 and answer.refused else []):
            self._refuse(item, "rejected", answer)

    async def _second_chance(self, item: _Item, answer: Verdict) -> bool:
        """Try what can make a single event fit: less content, a new time."""
        event = dict(item.event)
        if answer.action is Action.SPLIT:
            content = str(event["content"])
            if len(content.encode("utf-8", "surrogatepass")) <= SMALLEST_CONTENT_BYTES:
                return False
            event["content"] = cut_utf8(content, SMALLEST_CONTENT_BYTES - len(TRIMMED_MARK)) + TRIMMED_MARK
            event["log.trimmed"] = ",".join(filter(None, [str(event.get("log.trimmed") or ""), "content"]))
        elif answer.action is Action.EXPIRED and "log.original_timestamp" not in event:
            event["log.original_timestamp"] = event["timestamp"]
            event["timestamp"] = utc_text(self._sender.now_ms())
        else:
            return False
        item.replace(event)
        again = await self._sender.request(body_of([item.json]))
        return again.action is Action.ACCEPTED

    def _give_up(self, item: _Item) -> None:
        answer = item.verdict
        action = answer.action if answer else Action.BISECT
        reason = {Action.SPLIT: "too_large", Action.EXPIRED: "too_old"}.get(action, "rejected")
        self._refuse(item, reason, answer)

    def _refuse(self, item: _Item, reason: str, answer: Verdict | None) -> None:
        detail = answer.message if answer else ""
        self._refused[id(item.portion)].append(Refused(item.span, reason, detail, item.event))

    def _finish(self, status: int | None) -> None:
        for portion in self._portions:
            self._sender.settled(
                portion,
                Settlement(refused=self._refused[id(portion)], filtered=portion.filtered, status=status),
            )
