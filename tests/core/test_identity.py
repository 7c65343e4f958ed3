"""Evidence of which file is which."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import binary, integers, lists

from shipper.core.identity import (
    GUARD_BYTES,
    HEAD_BYTES,
    NO_GUARD,
    NO_HEAD,
    TRAIL_POINTS,
    Point,
    Trail,
    guard_of,
    head_of,
)


@given(text=binary(max_size=3000), more=binary(max_size=500))
def test_a_head_fits_whatever_the_file_grows_to(text: bytes, more: bytes) -> None:
    head = head_of(text)

    assert head.length == min(len(text), HEAD_BYTES)
    assert head.fits((text + more)[:HEAD_BYTES])


@given(text=binary(min_size=1, max_size=1500), at=integers(0, 1 << 20))
def test_a_head_does_not_fit_a_file_with_another_byte_in_it(text: bytes, at: int) -> None:
    head = head_of(text)
    other = bytearray(text)
    other[at % head.length] ^= 1

    assert not head.fits(bytes(other))
    assert not head.fits(text[: head.length - 1])


def test_a_head_grows_only_with_its_own_file() -> None:
    head = head_of(b"one line\n")

    assert head.grown(b"one line\nand more\n") == head_of(b"one line\nand more\n")
    assert head.grown(b"another beginning that is longer\n") == head
    assert head.grown(b"one") == head


@given(before=binary(max_size=600))
def test_a_guard_is_of_the_last_bytes(before: bytes) -> None:
    guard = guard_of(before)

    assert guard.length == min(len(before), GUARD_BYTES)
    assert guard.fits(before[-guard.length :] if guard.length else b"")
    assert not guard.fits(before[-guard.length :] + b"x")


def test_no_evidence_fits_everything() -> None:
    assert NO_HEAD.fits(b"anything")
    assert NO_GUARD.fits(b"")


@given(offsets=lists(integers(0, 50), max_size=100))
def test_a_trail_keeps_the_last_places_once_each(offsets: list[int]) -> None:
    trail = Trail()
    for offset in offsets:
        trail.pass_by(offset, b"x" * offset)

    changes = [o for n, o in enumerate(offsets) if n == 0 or offsets[n - 1] != o]
    assert trail.points == tuple(Point(o, guard_of(b"x" * o)) for o in changes[-TRAIL_POINTS:])
