"""The safe offset: acks in any order, and never past an unacked byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import DataObject, data, integers, lists, permutations

from shipper.core.ledger import Entry
from shipper.core.model import Carry
from shipper.core.watermark import Watermark


def carry(number: int) -> Carry:
    return Carry(stamp_ms=number)


def test_offset_never_passes_an_unacked_chunk() -> None:
    mark = Watermark(0, carry(0))
    first = mark.track(10, carry(1), b"tail one")
    second = mark.track(25, carry(2), b"tail two")

    assert mark.ack(second) is False
    assert mark.safe.offset == 0
    assert mark.ack(first) is True
    assert mark.safe == (25, carry(2), b"tail two")
    assert mark.pending == 0


@given(lengths=lists(integers(0, 50), max_size=30), order=data())
def test_whatever_the_order_of_acks_the_safe_offset_is_the_end_of_the_acked_prefix(
    lengths: list[int], order: DataObject
) -> None:
    """A model beside the real thing: recomputed from scratch after each ack."""
    mark = Watermark(100, carry(0))
    ends = [100 + sum(lengths[: n + 1]) for n in range(len(lengths))]
    tickets = [mark.track(end, carry(n + 1), b"%d" % end) for n, end in enumerate(ends)]
    acked: set[int] = set()
    for index in order.draw(permutations(range(len(tickets)))):
        before = mark.safe
        moved = mark.ack(tickets[index])
        acked.add(index)
        prefix = next((n for n in range(len(tickets)) if n not in acked), len(tickets))
        expected = (ends[prefix - 1], carry(prefix), b"%d" % ends[prefix - 1]) if prefix else (100, carry(0), b"")
        assert mark.safe == expected
        assert mark.pending == len(tickets) - prefix
        assert moved is (mark.safe is not before)


def test_chunks_tracked_between_acks_wait_their_turn() -> None:
    mark = Watermark(0, carry(0))
    first = mark.track(10, carry(1), b"")
    mark.ack(first)
    second = mark.track(20, carry(2), b"")
    third = mark.track(30, carry(3), b"")

    mark.ack(third)
    assert mark.safe.offset == 10
    mark.ack(second)
    assert mark.safe.offset == 30


def test_a_chunk_is_acked_once() -> None:
    mark = Watermark(0, carry(0))
    ticket = mark.track(10, carry(1), b"")
    mark.ack(ticket)

    with pytest.raises(ValueError, match="acked twice"):
        mark.ack(ticket)


@pytest.mark.parametrize("acked", [False, True])
def test_chunks_come_in_file_order(acked: bool) -> None:
    mark = Watermark(5, carry(0))
    ticket = mark.track(10, carry(1), b"")
    if acked:
        mark.ack(ticket)

    with pytest.raises(ValueError, match="tracked after"):
        mark.track(9, carry(2), b"")


def test_acknowledged_records_count_until_they_are_handed_on_also_above_a_gap() -> None:
    mark = Watermark(0, carry(0))
    first, second, third = (mark.track(end, carry(end), b"") for end in (10, 20, 30))
    for ticket, acked in ((first, 1), (second, 20), (third, 300)):
        ticket.accounts = (Entry(0, 1, read=acked, acked=acked),)

    mark.ack(first)
    mark.ack(third)

    assert mark.acked_records == 301
    mark.take()
    assert mark.acked_records == 300
    mark.ack(second)
    assert mark.acked_records == 320
