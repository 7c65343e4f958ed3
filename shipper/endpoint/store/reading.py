"""How a query sees a block: what it holds of a filter, found without decoding where that is possible.

One reader for one query, in the query's thread.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from shipper.endpoint.model import LogRecord
from shipper.endpoint.store.cache import Cache
from shipper.endpoint.store.cursor import Place
from shipper.endpoint.store.events import Events, starts_of
from shipper.endpoint.store.grams import bits_asked, may_hold, pair_hash
from shipper.endpoint.store.index import Columns, Group, build, needle
from shipper.endpoint.store.index_file import BlockIndex, FreshIndex, IndexDamaged
from shipper.endpoint.store.matching import Mapper, Matcher, Outline
from shipper.endpoint.store.pace import Pace
from shipper.endpoint.store.segment import Block, read_or_set_aside
from shipper.endpoint.store.shelf import Shelf

_EVERYTHING: Final = 1 << 62


class Found(NamedTuple):
    """An event that a filter takes."""

    place: Place
    record: LogRecord


class Reader:
    """Reads blocks for one matcher."""

    def __init__(
        self, shelf: Shelf, cache: Cache, mapper: Mapper, outline: Outline, matcher: Matcher, pace: Pace
    ) -> None:
        """Prepare what is the same for every block."""
        self._shelf = shelf
        self._cache = cache
        self._mapper = mapper
        self._outline = outline
        self._matcher = matcher
        self._pace = pace
        pairs = [pair_hash(key, text) for key, text in matcher.filter.attributes]
        self._bits = bits_asked(matcher.words, pairs)
        self._word_needles = [needle(word) for word in matcher.words]
        self._pair_needles = [
            (pair, needle(text.lower())) for pair, (_, text) in zip(pairs, matcher.filter.attributes, strict=True)
        ]

    def may_overlap(self, block: Block) -> bool:
        """Whether any of its events can be in the filter's time range."""
        since_ms, until_ms = self._matcher.filter.since_ms, self._matcher.filter.until_ms
        return (since_ms is None or block.newest_ms >= since_ms) and (until_ms is None or block.oldest_ms < until_ms)

    def index_of(self, block: Block) -> BlockIndex | None:
        """Return a block's index, building it where it is not there yet; None when the block is damaged."""
        kept = self._shelf.index_of(block)
        if kept is not None:
            return kept
        key = ("index", block.first_id, block.events)
        fresh = self._cache.get(key, FreshIndex)
        if fresh is None:
            events = self._whole(block)
            if events is None:
                return None
            fresh = FreshIndex(build(events, self._pace.step, self._outline))
            self._cache.put(key, fresh, block.raw // 2)
        return fresh

    def groups(self, index: BlockIndex) -> list[tuple[int, Group]]:
        """Return the groups of a block that the filter takes, with their numbers."""
        return [
            (number, group)
            for number, group in enumerate(index.groups)
            if self._matcher.takes_group(group.loglevel, group.status, group.source)
        ]

    def columns(self, block: Block, index: BlockIndex) -> Columns | None:
        """Return the columns of a block, building the index anew where it has been damaged."""
        try:
            return index.columns()
        except IndexDamaged:
            self._shelf.drop_index(block)
            rebuilt = self.index_of(block)
            return None if rebuilt is None else rebuilt.columns()

    def matches(self, block: Block, after: Place | None, *, newest_first: bool) -> Iterator[Found]:
        """Yield what the filter takes of a block, in order of time, beginning behind *after*."""
        index = self.index_of(block)
        if index is None:
            return
        wanted = self.groups(index)
        if not wanted or not self._may_hold(block, index):
            return
        columns = self.columns(block, index)
        if columns is None:
            return
        rows = self._rows(columns, wanted, block.first_id, after, newest_first=newest_first)
        self._pace.step()
        events = self._events(block, columns.starts) if rows else None
        if events is None:
            return
        likely = self._likely(events, columns) if self._matcher.needs_content else None
        if likely is not None and not likely:
            return
        rows.sort(reverse=newest_first)
        for timestamp_ms, position in rows:
            if likely is not None and position not in likely:
                continue
            self._pace.step()
            record = events.record(position)
            if self._matcher.takes_content(record):
                yield Found(Place(timestamp_ms, block.first_id + position), record)

    def _may_hold(self, block: Block, index: BlockIndex) -> bool:
        if not self._bits:
            return True
        self._pace.step()
        try:
            return may_hold(index.bitmap(), self._bits)
        except IndexDamaged:
            self._shelf.drop_index(block)
            rebuilt = self.index_of(block)
            return rebuilt is not None and may_hold(rebuilt.bitmap(), self._bits)

    def _rows(
        self,
        columns: Columns,
        wanted: list[tuple[int, Group]],
        first_id: int,
        after: Place | None,
        *,
        newest_first: bool,
    ) -> list[tuple[int, int]]:
        """Return (instant, position) of the events of the wanted groups, in the time range and behind *after*."""
        since_ms, until_ms = self._matcher.filter.since_ms, self._matcher.filter.until_ms
        if after is not None and newest_first:
            until_ms = min(after.timestamp_ms + 1, _EVERYTHING if until_ms is None else until_ms)
        elif after is not None:
            since_ms = max(after.timestamp_ms, -_EVERYTHING if since_ms is None else since_ms)
        rows = list[tuple[int, int]]()
        for number, _ in wanted:
            instants, positions = columns.columns[number]
            start = 0 if since_ms is None else bisect_left(instants, since_ms)
            end = len(instants) if until_ms is None else bisect_left(instants, until_ms)
            rows += zip(instants[start:end], positions[start:end], strict=True)
        if after is None:
            return rows
        border = (after.timestamp_ms, after.id - first_id)
        return [row for row in rows if (row < border if newest_first else row > border)]

    def _likely(self, events: Events, columns: Columns) -> set[int] | None:
        """Return the positions that can hold the text and attributes; None when all can."""
        lowered = events.raw.lower()
        unsure_pairs = columns.unsure_pairs
        likely: set[int] | None = None
        for piece in self._word_needles:
            found = _positions(lowered, piece, columns.starts)
            found.update(columns.unsure)
            likely = found if likely is None else likely & found
            self._pace.step()
        for pair, piece in self._pair_needles:
            at = bisect_left(unsure_pairs, pair)
            if at < len(unsure_pairs) and unsure_pairs[at] == pair:
                continue
            found = _positions(lowered, piece, columns.starts)
            likely = found if likely is None else likely & found
            self._pace.step()
        return likely

    def _events(self, block: Block, starts: array[int]) -> Events | None:
        key = ("content", block.first_id, block.events)
        events = self._cache.get(key, Events)
        if events is None:
            content = read_or_set_aside(block)
            if content is None:
                return None
            events = Events(content, starts, self._mapper)
            self._cache.put(key, events, block.raw)
        return events

    def _whole(self, block: Block) -> Events | None:
        content = read_or_set_aside(block)
        if content is None:
            return None
        return Events(content, starts_of(content.events), self._mapper)


def _positions(lowered: bytes, piece: bytes, starts: array[int]) -> set[int]:
    """Return the events in which *piece* occurs."""
    found = set[int]()
    at = lowered.find(piece)
    while at >= 0:
        position = bisect_right(starts, at) - 1
        found.add(position)
        at = lowered.find(piece, starts[position + 1])
    return found
