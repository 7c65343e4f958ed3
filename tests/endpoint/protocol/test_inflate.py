"""gzip bodies: section 6."""

import gzip
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.endpoint.protocol import Inflater, Limits, inflate

LIMITS = Limits(body_bytes=1000)


@given(plain=st.binary(max_size=1000), cuts=st.lists(st.integers(0, 60), max_size=4), members=st.integers(1, 3))
def test_any_split_of_a_gzip_body_gives_the_same_bytes(plain: bytes, cuts: list[int], members: int) -> None:
    wire = b"".join(gzip.compress(part) for part in _in_parts(plain, members))
    borders = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    inflater = Inflater(LIMITS)

    for start, end in pairwise(borders):
        assert inflater.feed(wire[start:end]) is None
    assert inflater.finish() is None
    assert inflater.body == plain


def test_a_body_over_the_limit_once_inflated_is_a_413_as_soon_as_that_is_known() -> None:
    bomb = gzip.compress(b"x" * 10_000_000)
    inflater = Inflater(LIMITS)

    answer = inflater.feed(bomb[:200]) or inflater.feed(bomb[200:2000])
    assert answer is not None
    assert answer.status == 413
    assert inflater.body == b""
    assert inflater.feed(b"more") == inflater.finish() == answer


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert inflate(gzip.compress(b"x" * 1000), LIMITS) == b"x" * 1000
    assert _status(inflate(gzip.compress(b"x" * 1001), LIMITS)) == 413
    assert _status(inflate(gzip.compress(b"x" * 600) * 2, LIMITS)) == 413


def test_an_empty_body_inflates_to_nothing() -> None:
    assert inflate(b"", LIMITS) == b""
    assert inflate(gzip.compress(b""), LIMITS) == b""


@pytest.mark.parametrize("wire", [
    pytest.param(b"not gzip at all", id="other"),
    pytest.param(gzip.compress(random.Random(1).randbytes(500))[:-1], id="cut_in_the_check"),
    pytest.param(gzip.compress(random.Random(1).randbytes(500))[:300], id="cut_in_the_middle"),
    pytest.param(gzip.compress(b"x")[:5], id="cut_in_the_header"),
    pytest.param(gzip.compress(b"x") + b"trailing", id="more_after_it"),
    pytest.param(gzip.compress(b"xyz")[:-8] + b"\0" * 8, id="wrong_check"),
    pytest.param(b"\x78\x9c" + b"\0" * 20, id="zlib"),
])  # fmt: skip
def test_a_corrupt_body_is_a_400(wire: bytes) -> None:
    assert _status(inflate(wire, LIMITS)) == 400


def _in_parts(plain: bytes, count: int) -> list[bytes]:
    size = len(plain) // count + 1
    return [plain[at : at + size] for at in range(0, len(plain), size)] or [b""]


def _status(answer: object) -> object:
    return getattr(answer, "status", answer)
