"""The query string of the reading routes: read exactly, or refused by name."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.endpoint.model import Filter
from shipper.endpoint.parameters import FILTERS, BadParameter, Parameters

NAMES = FILTERS | {"limit", "cursor", "order"}
NOON_MS = 1_795_608_000_000  # 2026-11-25T12:00:00Z


def parameters(query: str) -> Parameters:
    return Parameters(parse_qsl(query, keep_blank_values=True), NAMES)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", Filter(), id="nothing"),
        pytest.param("since=&q=&severity=&source=", Filter(), id="blank_is_nothing"),
        pytest.param(f"since={NOON_MS}", Filter(since_ms=NOON_MS), id="epoch_ms"),
        pytest.param("until=2026-11-25T12:00:00Z", Filter(until_ms=NOON_MS), id="rfc3339"),
        pytest.param("until=2026-11-25T12:00:00", Filter(until_ms=NOON_MS), id="no_zone_is_utc"),
        pytest.param("until=2026-11-25T13:00:00.0009%2B01:00", Filter(until_ms=NOON_MS + 1), id="offset_and_fraction"),
        pytest.param("since=2026-11-25", Filter(since_ms=NOON_MS - 43_200_000), id="date"),
        pytest.param("severity=error,%20warn,", Filter(levels=frozenset({"ERROR", "WARN"})), id="severities"),
        pytest.param("source=shop&q=out%20of", Filter(source="shop", text="out of"), id="source_and_text"),
        pytest.param("attr.a=1&attr.b.c=x", Filter(attributes=(("a", "1"), ("b.c", "x"))), id="attributes"),
    ],
)
def test_a_filter_is_read_as_written(query: str, expected: Filter) -> None:
    assert parameters(query).filter() == expected


@pytest.mark.parametrize(
    ("query", "blamed"),
    [
        ("since=yesterday", "since"),
        ("since=2026-13-01", "since"),
        ("until=2026-11-25T25:00:00Z", "until"),
        ("until=2026-11-25T12:00:00+01:00", "until"),  # an unescaped + is a blank
        ("since=-5", "since"),
        ("since=9999999999999999", "since"),
        ("since=٣", "since"),
        ("since=2&until=1", "until"),
        ("since=1&until=1", "until"),
        ("severity=loud", "severity"),
        ("q=" + "x" * 1_001, "q"),
        ("servity=error", "servity"),
        ("attr.=1", "attr."),
        ("attr.a=1&attr.a=2", "attr.a"),
        ("q=a&q=b", "q"),
    ],
)
def test_a_wrong_filter_is_refused_by_name(query: str, blamed: str) -> None:
    with pytest.raises(BadParameter) as refused:
        parameters(query).filter()

    assert refused.value.name == blamed


@pytest.mark.parametrize("text", ["0", "1001", "-1", "1.5", "x", "9" * 40, "１"])
def test_a_limit_outside_its_range_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="1000"):
        parameters(f"limit={text}").count("limit", 100, 1_000)


def test_a_missing_limit_is_the_default() -> None:
    assert parameters("").count("limit", 100, 1_000) == 100
    assert parameters("limit=7").count("limit", 100, 1_000) == 7


def test_the_order_is_newest_unless_it_is_oldest() -> None:
    assert parameters("").order() == "newest"
    assert parameters("order=oldest").order() == "oldest"
    with pytest.raises(BadParameter):
        parameters("order=").order()


@given(st.lists(st.tuples(st.sampled_from(sorted(NAMES | {"attr.k", "x"})), st.text(max_size=30)), max_size=5))
def test_any_query_is_read_or_refused_by_name(pairs: list[tuple[str, str]]) -> None:
    blamed = None
    try:
        Parameters(pairs, NAMES).filter()
    except BadParameter as refused:
        blamed = refused.name

    assert blamed is None or blamed in dict(pairs)
