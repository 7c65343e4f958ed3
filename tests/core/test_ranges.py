"""Spans of bytes behave as the sets of bytes that they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shipper.core.identity import guard_of
from shipper.core.model import Span
from shipper.core.ranges import merged, size_of, without
from shipper.core.shipped import Settled, carry_at, with_settled

SPANS = st.lists(st.builds(Span, st.integers(0, 60), st.integers(0, 60)), max_size=12)


def numbers(spans: Iterable[Span]) -> set[int]:
    """Return the bytes of *spans*."""
    return {byte for span in spans for byte in range(span.start, span.end)}


@given(spans=SPANS)
def test_merged_spans_are_the_same_bytes_apart_from_one_another(spans: list[Span]) -> None:
    result = merged(spans)

    assert numbers(result) == numbers(spans)
    assert size_of(result) == len(numbers(spans))
    assert all(left.end < right.start for left, right in pairwise(result))


@given(spans=SPANS, taken=SPANS)
def test_without_is_the_difference_of_sets(spans: list[Span], taken: list[Span]) -> None:
    assert numbers(without(spans, taken)) == numbers(spans) - numbers(taken)


SETTLED = st.lists(
    st.builds(lambda start, size, carry: Settled(start, start + size, carry), st.integers(0, 60), st.integers(0, 9),
              st.sampled_from([b"", b"a"])),
    max_size=12,
)  # fmt: skip


@given(before=SETTLED, fresh=SETTLED)
def test_settled_bytes_add_up_whatever_the_order(before: list[Settled], fresh: list[Settled]) -> None:
    result = with_settled(with_settled([], before), fresh)

    assert numbers(each.span for each in result) == numbers(each.span for each in (*before, *fresh))
    assert [each.span for each in result] == merged(each.span for each in result)


def test_what_is_joined_goes_on_with_the_carry_and_the_guard_of_its_end() -> None:
    guard = guard_of(b"end")

    joined = with_settled([Settled(0, 10, b"first")], [Settled(10, 20, b"second", guard)])

    assert joined == [Settled(0, 20, b"second", guard)]
    assert carry_at(joined, 20) == b"second"
    assert carry_at(joined, 10) == b""
