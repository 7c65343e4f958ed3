"""A page of what a filter takes, in order of time, and the counts over time. Runs in a query's thread.

Blocks are opened in order of their newest (or oldest) event, and only as far
as the page needs: an event can be given out when no block that is still
closed can hold one before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from shipper.endpoint.model import Page, StoredRecord
from shipper.endpoint.store import cursor as cursors
from shipper.endpoint.store.cursor import Order, Place
from shipper.endpoint.store.reading import Found, Reader
from shipper.endpoint.store.segment import Block


class _Next(NamedTuple):
    """The next event of an open block; the first two fields order the heap."""

    rank_ms: int
    rank_id: int
    found: Found
    rest: Iterator[Found]


def page(reader: Reader, blocks: list[Block], *, limit: int, after: Place | None, order: Order) -> Page:
    """Return the first *limit* events behind *after*."""
    events = list[StoredRecord]()
    last: Place | None = None
    for found in _in_order(reader, blocks, after, newest_first=order == "newest"):
        if len(events) == limit:
            return Page(events, cursors.write(order, last) if last is not None else None)
        events.append(StoredRecord(cursors.id_text(found.place.id), found.record))
        last = found.place
    return Page(events)


def _in_order(reader: Reader, blocks: list[Block], after: Place | None, *, newest_first: bool) -> Iterator[Found]:
    closed = [block for block in blocks if reader.may_overlap(block) and _is_behind(block, after, newest_first)]
    # The last of the list is the next to be opened.
    closed.sort(key=lambda block: block.newest_ms if newest_first else -block.oldest_ms)
    sign = -1 if newest_first else 1
    heap = list[_Next]()

    def advance(rest: Iterator[Found]) -> None:
        found = next(rest, None)
        if found is not None:
            heapq.heappush(heap, _Next(sign * found.place.timestamp_ms, sign * found.place.id, found, rest))

    while closed or heap:
        while closed and (not heap or heap[0].rank_ms >= sign * _edge(closed[-1], newest_first)):
            advance(reader.matches(closed.pop(), after, newest_first=newest_first))
        if heap:
            best = heapq.heappop(heap)
            yield best.found
            advance(best.rest)


def _edge(block: Block, newest_first: bool) -> int:
    return block.newest_ms if newest_first else block.oldest_ms


def _is_behind(block: Block, after: Place | None, newest_first: bool) -> bool:
    if after is None:
        return True
    return block.oldest_ms <= after.timestamp_ms if newest_first else block.newest_ms >= after.timestamp_ms
