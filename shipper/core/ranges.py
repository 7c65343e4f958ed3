"""Sets of bytes of a file as sorted spans that do not touch: what is settled, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterable

from shipper.core.model import Span


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same bytes as few spans as possible, in order; empty ones vanish."""
    result: list[Span] = []
    for span in sorted(spans):
        if span.end <= span.start:
            continue
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return the bytes of *spans* that are in none of *taken*."""
    left: list[Span] = []
    holes = merged(taken)
    for span in merged(spans):
        start = span.start
        for hole in holes:
            if hole.end <= start:
                continue
            if hole.start >= span.end:
                break
            if hole.start > start:
                left.append(Span(start, hole.start))
            start = max(start, hole.end)
        if start < span.end:
            left.append(Span(start, span.end))
    return left


def size_of(spans: Iterable[Span]) -> int:
    """Return how many bytes *spans*, which do not overlap, are."""
    return sum(span.end - span.start for span in spans)
