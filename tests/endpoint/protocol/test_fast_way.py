"""The fast way through `receive` is the plain one: any request, the same events, instants and answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.endpoint.protocol import map_event
from tests.endpoint.protocol.asking import JSON, LIMITS, LINES, NOW_MS, answer_to, kept
from tests.endpoint.protocol.reference import KEYS, expected_of, line_of

NEAR_MS = st.one_of(
    st.integers(NOW_MS - 86_400_002, NOW_MS - 86_399_998),
    st.integers(NOW_MS - 90_000_000, NOW_MS + 700_000),
    st.integers(NOW_MS + 599_998, NOW_MS + 600_002),
)


@st.composite
def stamps(draw: st.DrawFn) -> Any:
    """An instant about now in one of the ways to write it."""
    instant = draw(NEAR_MS)
    minutes = draw(st.integers(-720, 720))
    moment = datetime.fromtimestamp(instant // 1000, tz=UTC)
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    millis = f"{instant % 1000:03}"
    return draw(
        st.sampled_from([
            f"{moment:%Y-%m-%dT%H:%M:%S}.{millis}Z",
            f"{moment:%Y-%m-%dT%H:%M:%S}.{millis}",
            f"{moment:%Y-%m-%d %H:%M:%S}.{millis}999",
            f"{moment:%Y-%m-%dT%H:%M:%S}Z",
            there.strftime("%Y-%m-%dT%H:%M:%S") + f".{millis}" + there.strftime("%z"),
            instant,
            str(instant),
            instant // 1000,
            instant * 1_000_000 + 5,
            instant * 1000,
        ])
    )  # fmt: skip


KEY = st.one_of(
    st.sampled_from(KEYS),
    st.sampled_from(["Timestamp", "TIMESTAMP", "TIME", "Ts", "@T", "syslog", "a", "b", "content", "a.b", ""]),
)
LEAF = st.one_of(
    stamps(), st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "{", "[x]", "é", '"', "yesterday"])
)
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEY, inner, max_size=2), max_leaves=8
)
DEEP = st.integers(2, 8).map(lambda levels: json.loads('{"a":' * levels + "{}" + "}" * levels))
EVENT = st.dictionaries(KEY, VALUE, max_size=5) | st.fixed_dictionaries({"timestamp": stamps()}) | DEEP
RECORD: st.SearchStrategy[Any] = EVENT | EVENT | EVENT | st.sampled_from([1, "x", None, [], [{}]])
ADDED = st.dictionaries(st.sampled_from(["team", "timestamp", "TS", "time"]), stamps().map(str), max_size=1)
MODEL = st.sampled_from(["flattened", "raw"])


@settings(max_examples=400, deadline=None)
@given(
    records=st.lists(RECORD, min_size=1, max_size=6),
    added=ADDED,
    structure=MODEL,
    indent=st.sampled_from([None, 1]),
    is_ascii=st.booleans(),
)
def test_any_array_leads_to_what_the_plain_rules_say(
    records: list[Any], added: dict[str, str], structure: str, indent: int | None, is_ascii: bool
) -> None:
    body = json.dumps(records, indent=indent, ensure_ascii=is_ascii).encode()

    _check(body, JSON, records, added, structure)


@settings(max_examples=200, deadline=None)
@given(records=st.lists(RECORD, min_size=1, max_size=6), added=ADDED, structure=MODEL, cut=st.integers(0, 300))
def test_any_lines_lead_to_what_the_plain_rules_say(
    records: list[Any], added: dict[str, str], structure: str, cut: int
) -> None:
    """A line end put anywhere makes two bad lines at most, and never joins what was apart."""
    text = "\n".join(map(json.dumps, records))
    text = text[:cut] + "\n" + text[cut:]
    lines = [line_of(line) for line in text.split("\n") if line.strip()]

    _check(text.encode(), LINES, lines, added, structure)


def _check(body: bytes, headers: dict[str, str], records: list[Any], added: dict[str, str], structure: str) -> None:
    query = [*added.items(), ("structure", structure)]
    expected = expected_of(records, added, structure, NOW_MS)

    answer, accepted, rejected = answer_to(body, headers, query)

    assert answer.status == expected.status
    assert sum(rejected.values()) == len(expected.rejected)
    if accepted is None:
        assert expected.events == []
        return
    assert kept(accepted) == expected.events
    assert (accepted.oldest_ms, accepted.newest_ms) == (min(expected.instants), max(expected.instants))
    if answer.status == 200:
        details = msgspec.json.decode(answer.body)["details"]
        assert details["rejected"] == expected.rejected
        named = ", ".join(map(str, expected.nested))
        assert details["message"].endswith(f"records: {named}") is bool(expected.nested)
    mapped = [map_event(event, accepted.context, LIMITS).timestamp_ms for event in expected.events]
    assert mapped == expected.instants
