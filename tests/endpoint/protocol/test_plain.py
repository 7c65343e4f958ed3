"""The short way from an event to its record is the rules' way, or it is not taken."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.endpoint.model import Context
from shipper.endpoint.protocol import Limits, common_attributes, limits_for, map_event, plain_record
from shipper.endpoint.protocol.mapping import map_by_rule
from tests.endpoint.protocol.asking import NOW_MS
from tests.endpoint.protocol.reference import KEYS
from tests.endpoint.protocol.test_fast_way import EVENT, stamps

TIGHT = Limits(content_bytes=16, key_bytes=12, value_bytes=16, attributes=4)
ORDINARY: dict[str, Any] = {
    "content": "hello",
    "timestamp": NOW_MS - 5,
    "severity": "warn",
    "log.source": "shop",
    "n": 3,
}

TEXT = st.text(max_size=20) | st.sampled_from(["error", "None", "é" * 9, "\ud7ff" * 6])
NUMBER = st.integers(-(1 << 65), 1 << 65) | st.floats(allow_nan=False, allow_infinity=False)
SCALAR = TEXT | NUMBER | st.booleans() | stamps()
NAME = st.sampled_from([
    *KEYS, "Content", "LOG", "event.type", "dt.ingest.format", "dt.ingest.warnings", "unparsed_timestamp",
    "ключ", "k" * 13,
]) | st.text(max_size=14)  # fmt: skip
FLAT = st.dictionaries(NAME, SCALAR, max_size=6) | st.fixed_dictionaries(
    {"content": TEXT}, optional={"a": SCALAR, "b": SCALAR}
)
CONTEXT = st.builds(
    Context,
    received_ms=st.just(NOW_MS),
    structure=st.sampled_from(["flattened", "raw"]),
    query=st.sampled_from([(), (), (), (("team", "x"),)]),
    profile=st.sampled_from(["", "", "saas", "classic"]),
    format=st.sampled_from(["dtapi/json", "dtapi/jsonl"]),
)


@given(event=FLAT | EVENT, context=CONTEXT, limits=st.sampled_from([Limits(), TIGHT]))
def test_any_event_has_the_record_that_the_rules_give_it(event: Any, context: Context, limits: Limits) -> None:
    mapped, by_rule = map_event(event, context, limits), map_by_rule(event, context, limits)

    assert mapped == by_rule
    assert list(mapped.attributes) == list(by_rule.attributes)
    # 1, 1.0 and true are equal to Python, not to a reader.
    assert msgspec.json.encode(mapped) == msgspec.json.encode(by_rule)


@given(event=FLAT, context=CONTEXT)
def test_of_a_plain_record_every_value_is_the_events_own(event: Any, context: Context) -> None:
    record = plain_record(event, context, limits_for(context.profile))

    if record is not None:
        assert record.content in event.values()
        assert all(event[key] is value for key, value in record.attributes.items())
        assert common_attributes(context.format).keys().isdisjoint(record.attributes)


@pytest.mark.parametrize(
    ("change", "context", "is_plain"),
    [
        pytest.param({}, Context(NOW_MS), True, id="ordinary"),
        pytest.param({}, Context(NOW_MS, structure="raw"), True, id="raw_model"),
        pytest.param({"host": {"name": "x"}}, Context(NOW_MS), False, id="object"),
        pytest.param({"tags": ["x"]}, Context(NOW_MS), False, id="array"),
        pytest.param({"x": None}, Context(NOW_MS), False, id="null"),
        pytest.param({"timestamp": "soon"}, Context(NOW_MS), False, id="no_stamp"),
        pytest.param({"event.type": "LOG"}, Context(NOW_MS), False, id="key_of_the_servers"),
        pytest.param({"x": 1 << 63}, Context(NOW_MS), False, id="number_beyond_64_bits"),
        pytest.param({"x": "v" * 40_000}, Context(NOW_MS), False, id="value_over_the_limit"),
        pytest.param({"k" * 101: "v"}, Context(NOW_MS), False, id="key_over_the_limit"),
        pytest.param({}, Context(NOW_MS, profile="classic"), False, id="classic"),
        pytest.param({}, Context(NOW_MS, header=(("team", "x"),)), False, id="attributes_of_the_request"),
    ],
)
def test_the_short_way_is_for_ordinary_events(change: dict[str, Any], context: Context, is_plain: bool) -> None:
    record = plain_record({**ORDINARY, **change}, context, Limits())

    assert (record is not None) == is_plain
