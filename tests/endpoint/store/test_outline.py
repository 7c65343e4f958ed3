"""The index is the same by the short way and by the long one, in all that a query can see."""

from __future__ import annotations

import json
from array import array
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shipper.endpoint.model import Context
from shipper.endpoint.serving import OUTLINE, record_of
from shipper.endpoint.store.events import Events, starts_of
from shipper.endpoint.store.frames import Content, Part
from shipper.endpoint.store.grams import bits_asked, may_hold, pair_hash
from shipper.endpoint.store.index import build, needle
from shipper.endpoint.store.matching import source_of, texts_of

NOW_MS = 1_800_000_000_000
TEXT = st.text(alphabet='aB3 é\\"\n/', max_size=9)
VALUE = (
    TEXT
    | st.integers(-5, 5)
    | st.booleans()
    | st.none()
    | st.sampled_from([1e3, 2.5, 1e22])
    | st.lists(TEXT, max_size=2)
)
EVENT = st.fixed_dictionaries(
    {"content": TEXT | st.integers(0, 9)},
    optional={
        "timestamp": st.integers(NOW_MS - 9, NOW_MS + 9) | st.just("soon"),
        "severity": st.sampled_from(["error", "info"]),
        "log.source": TEXT | st.integers(1, 2) | st.booleans(),
        "k": VALUE,
        "o": st.dictionaries(st.just("p"), VALUE),
    },
)
CONTEXT = st.sampled_from([
    Context(NOW_MS), Context(NOW_MS, structure="raw"), Context(NOW_MS, query=(("k", "B"),)),
    Context(NOW_MS, profile="classic"),
])  # fmt: skip


def no_pause() -> None:
    """Go on."""


@given(st.lists(st.tuples(st.lists(EVENT, min_size=1, max_size=4), CONTEXT, st.booleans()), min_size=1, max_size=4))
def test_what_the_index_says_of_a_block_is_true_by_either_way(requests: list[tuple[list[Any], Context, bool]]) -> None:
    pieces = [
        ",".join(json.dumps(event, ensure_ascii=escaped) for event in batch).encode() for batch, _, escaped in requests
    ]
    parts = [
        Part(context, len(batch), len(piece), 0, 0) for (batch, context, _), piece in zip(requests, pieces, strict=True)
    ]
    raw = b",".join(pieces)
    events = Events(Content(parts, raw), starts_of(raw), record_of)

    short, long = build(events, no_pause, OUTLINE), build(events, no_pause)

    assert (short.groups, short.columns.columns) == (long.groups, long.columns.columns)
    assert (short.columns.starts, short.columns.unsure) == (long.columns.starts, long.columns.unsure)
    assert short.bitmap == long.bitmap
    for position in range(len(events)):
        record = events.record(position)
        said = raw[events.starts[position] : events.starts[position + 1]].lower()
        assert source_of(record) in {group.source for group in short.groups}
        for key, value in record.attributes.items():
            for text in texts_of(value):
                pair = pair_hash(key, text)
                assert may_hold(short.bitmap, bits_asked(record.content.lower().split(), [pair]))
                assert needle(text.lower()) in said or pair in short.columns.unsure_pairs
    assert short.columns.unsure_pairs == array("Q", sorted(short.columns.unsure_pairs))
