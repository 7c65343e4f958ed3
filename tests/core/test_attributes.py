"""Parsed keys under the names and limits of the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.attributes import RESERVED, attribute_name, cut_utf8, flat_list, flatten, group_name, place, trim
from shipper.core.model import AttributeValue, Event
from shipper.core.rule import EventLimits


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("thread", "thread"), ("content", "app.content"), ("Timestamp", "app.Timestamp"), ("SEVERITY", "app.SEVERITY"),
        ("loglevel", "app.loglevel"), ("event.type", "app.event.type"), ("host.name", "app.host.name"),
        ("log.source", "app.log.source"), ("log.part", "app.log.part"), ("dt.ingest.warnings",
        "app.dt.ingest.warnings"),
        ("dt.openpipeline.x", "app.dt.openpipeline.x"), ("DT.System.x", "app.DT.System.x"), ("dt.retain.x",
        "app.dt.retain.x"),
        ("dt.trace_id", "dt.trace_id"), ("log.logger", "log.logger"), ("message", "message"),
    ],
)  # fmt: skip
def test_reserved_names_are_moved_aside(name: str, expected: str) -> None:
    assert attribute_name(name) == expected


def test_two_underscores_in_a_group_are_a_dot() -> None:
    assert group_name("log__logger__x") == "log.logger.x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("200", "http.status_code"), (404, "http.status_code"), ("599", "http.status_code"), ("600", "app.status"),
        ("ok", "app.status"), ("20", "app.status"), ("٢٠٠", "app.status"), ("", "app.status"), (True, "app.status"),
    ],
)  # fmt: skip
def test_a_status_is_http_or_moved_aside_but_never_sent_as_such(value: AttributeValue, expected: str) -> None:
    event: Event = {}

    place(event, "status", value)

    assert event == {expected: value}


@given(
    names=st.lists(
        st.sampled_from(["a", "app.a", "app.app.a", "status", "STATUS", "http.status_code", "content"]), max_size=9
    )
)
def test_no_value_is_lost_to_another_of_its_name(names: list[str]) -> None:
    event: Event = {"content": "text"}
    for index, name in enumerate(names):
        place(event, name, f"{index}")

    assert list(event.values()) == ["text", *(f"{index}" for index in range(len(names)))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": {"b": {"c": 1}}, "d": None}, {"a.b.c": 1}),
        ({"a": {"b": {"c": {"d": 1}}}}, {"a.b.c": '{"d":1}'}),
        (
            {"a": [1, 2.5, None], "b": ["x", 1], "c": [True, None]},
            {"a": [1, 2.5, None], "b": ["x", "1"], "c": [True, None]},
        ),
        ({"a": [{"b": 1}, "x"], "c": []}, {"a": ['{"b":1}', "x"], "c": []}),
        ({"a": [True, 1]}, {"a": ["true", "1"]}),
        ({"a": {}, "b": {"": 0}}, {"b.": 0}),
    ],
)
def test_objects_become_dotted_names_and_lists_have_one_type(
    value: dict[str, object], expected: dict[str, AttributeValue]
) -> None:
    assert dict(flatten(value, 3)) == expected


@given(items=st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers()))))
def test_a_list_keeps_its_length_and_has_one_type(items: list[object]) -> None:
    flat = flat_list(items)

    kinds = {"number" if type(item) in (int, float) else type(item).__name__ for item in flat if item is not None}
    assert len(flat) == len(items)
    assert len(kinds) <= 1


@given(text=st.text(st.characters(), max_size=40), limit=st.integers(0, 60))
def test_a_cut_text_fits_and_ends_with_a_whole_character(text: str, limit: int) -> None:
    cut = cut_utf8(text, limit)
    rest = text[len(cut) :]

    assert text.startswith(cut)
    assert len(cut.encode("utf-8", "surrogatepass")) <= limit
    assert not rest or len((cut + rest[0]).encode("utf-8", "surrogatepass")) > limit


LIMITS = EventLimits(key_bytes=8, value_bytes=10, attributes=6, values=2)
FIXED = frozenset(["content", "log.source"])


@pytest.mark.parametrize(
    ("attributes", "expected", "trimmed"),
    [
        pytest.param({"a": "x" * 10}, {"a": "x" * 10}, None, id="at_the_limit"),
        pytest.param({"a": "x" * 11}, {"a": "x" * 10}, "a", id="long_value"),
        pytest.param({"a": "é" * 6}, {"a": "é" * 5}, "a", id="in_bytes"),
        pytest.param({"a234567890": "x"}, {"a2345678": "x"}, "a2345678", id="long_key"),
        pytest.param({"a": [1, 2, 3]}, {"a": [1, 2]}, "a", id="many_values"),
        pytest.param({"a": ["x" * 11]}, {"a": ["x" * 10]}, "a", id="long_value_in_a_list"),
        pytest.param(
            {"a": "1", "b": "2", "c": "3", "d": "4"}, {"a": "1", "b": "2", "c": "3", "d": "4"}, None, id="full"
        ),
        pytest.param({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, {"a": 1, "b": 2, "c": 3, "d": 4}, "e", id="too_many"),
        pytest.param({"log.trim": "x" * 99, "b": 1}, {"log.trim": "x" * 10, "b": 1}, "log.trim", id="looks_like_ours"),
    ],
)
def test_what_is_over_a_limit_is_trimmed_counted_and_named(
    attributes: Event, expected: Event, trimmed: str | None
) -> None:
    event: Event = {"content": "c" * 99, "log.source": "s" * 99, **attributes}

    count = trim(event, LIMITS, FIXED)

    named = {} if trimmed is None else {"log.trimmed": trimmed}
    assert event == {"content": "c" * 99, "log.source": "s" * 99, **expected, **named}
    assert count == (trimmed is not None)


@given(
    attributes=st.dictionaries(
        st.text(min_size=1, max_size=12), st.one_of(st.text(max_size=15), st.integers(),
        st.lists(st.text(max_size=12), max_size=4)),
        max_size=9,
    )
)  # fmt: skip
def test_after_trimming_everything_is_within_the_limits(attributes: dict[str, AttributeValue]) -> None:
    event: Event = {"content": "", "log.source": "", **{k: v for k, v in attributes.items() if k not in FIXED}}
    before = len(event)

    count = trim(event, LIMITS, FIXED)

    own = {name: value for name, value in event.items() if name not in FIXED and name != "log.trimmed"}
    assert len(own) <= LIMITS.attributes - 2
    assert all(len(name.encode()) <= LIMITS.key_bytes for name in own)
    assert all(len(v.encode()) <= LIMITS.value_bytes for v in own.values() if isinstance(v, str))
    assert all(len(v) <= LIMITS.values for v in own.values() if isinstance(v, list))
    assert ("log.trimmed" in event) == (count > 0) or "log.trimmed" in attributes
    assert len(own) + 2 >= before - count


def test_every_reserved_name_is_written_in_lower_case() -> None:
    assert {name.lower() for name in RESERVED} == RESERVED
