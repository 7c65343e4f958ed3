"""Batches count what they will be on the wire."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis.strategies import integers, lists

from shipper.core.batch import body_of, size_of


@given(parts=lists(integers(0, 10**9).map(lambda number: json.dumps({"n": number}).encode()), max_size=20))
def test_the_size_is_that_of_the_body(parts: list[bytes]) -> None:
    body = b"".join(body_of(parts))

    assert len(json.loads(body)) == len(parts)
    assert size_of(sum(map(len, parts)), len(parts)) == len(body)


def test_pieces_are_not_copied() -> None:
    part = memoryview(b'{"a":1},{"a":2}')

    assert body_of([part])[1] is part
