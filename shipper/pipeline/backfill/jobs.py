"""One text to send, as the survey finds it and the coordinator deals it out."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shipper.adapters.texts import Place
from shipper.core.model import Carry, FileFacts, Span
from shipper.core.plan import PlannedFile
from shipper.core.ranges import size_of
from shipper.core.shipped import Shipped
from shipper.core.timeline import Look, bracket, found
from shipper.pipeline.backfill.asked import Window
from shipper.pipeline.backfill.known import AgentFile
from shipper.pipeline.backfill.stamps import Places


class Job(msgspec.Struct, kw_only=True):
    """One text to send, as the coordinator deals it out.

    Attributes:
        source: Index of its source among those of the survey.
        carry: As after the file's first lines.
        length: Bytes of its text when it was looked at; None where that is not known.
        todo: What is to be sent, in order; the end may be OPEN_END.
        shipped: Its row; new ones have no id yet.
        can_be_cut: Whether several workers may read it at once.
        planned: Its figures.
    """

    place: Place
    source: int
    facts: FileFacts
    carry: Carry = Carry()
    length: int | None = None
    todo: list[Span] = []
    shipped: Shipped
    can_be_cut: bool = False
    planned: PlannedFile


def agents_spans(agent: AgentFile | None, end: int) -> list[Span]:
    """Return what the agent has delivered, and what it will."""
    if agent is None:
        return []
    rest = [Span(agent.life.offset, end)] if agent.goes_on and agent.life.offset < end else []
    return [*agent.spans, *rest]


def known_size(spans: Sequence[Span], about: int) -> int:
    """Return how many bytes *spans* are; an open end is taken to lie at *about*."""
    return size_of(Span(span.start, min(span.end, max(about, span.start))) for span in spans)


def looking_into(places: Places, end: int) -> Look:
    """Return what answers a bisection of the text before *end*."""
    return lambda offset: places.sighting_at(offset, end)


def outside(places: Places, length: int, window: Window) -> list[Span]:
    """Return the bytes that hold nothing of the time asked for, however the stamps near its bounds are ordered."""
    outside = []
    if window.since_ms is not None:
        since = found(bracket(0, length, window.since_ms - window.disorder_ms), looking_into(places, length))
        outside.append(Span(0, since.low))
    if window.until_ms is not None:
        until = found(bracket(0, length, window.until_ms + window.disorder_ms), looking_into(places, length))
        outside.append(Span(until.high, length))
    return outside
