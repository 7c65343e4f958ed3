"""Counts over time and by source, from the indexes where the filter allows. Runs in a query's thread."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter

from shipper.endpoint.model import Bucket
from shipper.endpoint.store.index import Columns, Group
from shipper.endpoint.store.matching import Matcher
from shipper.endpoint.store.pace import Pace
from shipper.endpoint.store.reading import Reader
from shipper.endpoint.store.segment import Block

Counts = list[Counter[str]]


def edges_of(since_ms: int, until_ms: int, buckets: int) -> list[int]:
    """Return the borders of equal buckets over [since, until): strictly rising, so fewer in a very short range."""
    span = until_ms - since_ms
    count = max(1, min(buckets, span))
    return [since_ms + span * turn // count for turn in range(count + 1)]


def histogram(reader: Reader, matcher: Matcher, blocks: list[Block], edges: list[int], pace: Pace) -> list[Bucket]:
    """Return the counts by status of what the filter takes between the edges.

    A block that lies within one bucket costs nothing but a look at its groups,
    another one a search in its columns. Where text or attributes are asked
    for, the events that can hold them are read.
    """
    counts: Counts = [Counter() for _ in edges[1:]]
    since_ms, until_ms = edges[0], edges[-1]
    if matcher.filter.since_ms is not None:
        since_ms = max(since_ms, matcher.filter.since_ms)
    if matcher.filter.until_ms is not None:
        until_ms = min(until_ms, matcher.filter.until_ms)
    for block in blocks:
        pace.step()
        if block.newest_ms < since_ms or block.oldest_ms >= until_ms:
            continue
        if matcher.needs_content:
            for found in reader.matches(block, None, newest_first=False):
                _count(counts, edges, found.place.timestamp_ms, found.record.status)
            continue
        index = reader.index_of(block)
        if index is None:
            continue
        wanted = reader.groups(index)
        bucket = bisect_right(edges, block.oldest_ms) - 1
        if since_ms <= block.oldest_ms and block.newest_ms < min(until_ms, edges[bucket + 1]):
            for _, group in wanted:
                counts[bucket][group.status] += group.count
            continue
        columns = reader.columns(block, index)
        if columns is not None:
            _search(counts, edges, columns, wanted, since_ms, until_ms)
    spans = zip(edges, edges[1:], counts, strict=False)
    return [Bucket(start_ms, end_ms, dict(counted)) for start_ms, end_ms, counted in spans]


def sources(reader: Reader, blocks: list[Block], pace: Pace) -> list[dict[str, object]]:
    """Return for each source its events, by status too, and the instant of the newest; most events first."""
    by_status: dict[str | None, Counter[str]] = {}
    newest: dict[str | None, int] = {}
    for block in blocks:
        pace.step()
        index = reader.index_of(block)
        for group in index.groups if index is not None else ():
            by_status.setdefault(group.source, Counter())[group.status] += group.count
            newest[group.source] = max(newest.get(group.source, group.newest_ms), group.newest_ms)
    rows: list[dict[str, object]] = [
        {"source": source, "events": counted.total(), "newest_ms": newest[source], "by_status": dict(counted)}
        for source, counted in sorted(by_status.items(), key=lambda item: (-item[1].total(), item[0] or ""))
    ]
    return rows


def _count(counts: Counts, edges: list[int], timestamp_ms: int, status: str) -> None:
    bucket = bisect_right(edges, timestamp_ms) - 1
    if 0 <= bucket < len(counts):
        counts[bucket][status] += 1


def _search(
    counts: Counts, edges: list[int], columns: Columns, wanted: list[tuple[int, Group]], since_ms: int, until_ms: int
) -> None:
    for number, group in wanted:
        instants = columns.columns[number].instants
        start, stop = bisect_left(instants, since_ms), bisect_left(instants, until_ms)
        while start < stop:
            bucket = bisect_right(edges, instants[start]) - 1
            end = bisect_left(instants, edges[bucket + 1], start, stop)
            counts[bucket][group.status] += end - start
            start = end
