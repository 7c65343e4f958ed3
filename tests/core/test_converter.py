"""The compiled converter gives what the plain reader gives."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from shipper.core.converter import Converter, MatchBudget, compile_rule, encode_reading
from shipper.core.model import Carry, Chunk, Encoded, FileFacts
from shipper.core.reference import ReferenceReader
from shipper.core.rule import MaskRule, MultilineRule, RecordFormat, Rule, SeverityRule
from tests.core.reading import FACTS, NOW_MS, chunks_of, figures, pieces_of
from tests.core.strategies import Case, cases

COMPILED = (RecordFormat.PATTERN, RecordFormat.RAW)
ONE_BY_ONE = (RecordFormat.LOGFMT, RecordFormat.CRI, RecordFormat.DOCKER, RecordFormat.W3C)


def assert_equal_readings(case: Case) -> None:
    converter, plain = compile_rule(case.rule), ReferenceReader(case.rule)
    carry = case.carry
    for chunk in chunks_of(case.rule, pieces_of(case.data, case.cuts), at=4, carry=carry, chunk_bytes=case.chunk_bytes):
        fast = converter.convert(chunk, case.facts, carry, NOW_MS)
        again = converter.convert(chunk, case.facts, carry, NOW_MS)  # what it has learned of the keys is in use now
        slow = figures(encode_reading(plain.read(chunk, case.facts, carry, NOW_MS)))

        assert figures(fast) == slow
        assert figures(again) == slow
        carry = fast.carry


@given(case=cases(COMPILED))
def test_the_compiled_loop_equals_the_plain_reader(case: Case) -> None:
    """For any rule, text and cut: the same events, figures and carry."""
    assert_equal_readings(case)


@given(case=cases((RecordFormat.JSON,)))
def test_the_loop_over_known_keys_equals_the_plain_reader(case: Case) -> None:
    assert_equal_readings(case)


@given(case=cases(ONE_BY_ONE))
def test_what_is_read_one_by_one_equals_the_plain_reader(case: Case) -> None:
    assert_equal_readings(case)


class NeverSlow(Converter):
    """Fails where a chunk is left to the plain reader."""

    def convert_slowly(
        self, chunk: Chunk, facts: FileFacts, carry: Carry, now_ms: int, budget: MatchBudget | None = None
    ) -> Encoded:
        raise AssertionError("nothing in this chunk is rare")


LINE = "2026-11-23T19:59:58.{:03d}Z INFO [main] c.e.Service - request {} handled, {}"
PATTERN = r"^(?P<timestamp>\S+) (?P<severity>[A-Z]+) (?:\[(?P<thread>[^\]]+)\])?"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        pytest.param(Rule("s", "x", RecordFormat.PATTERN, (PATTERN,)), "plain", id="pattern"),
        pytest.param(Rule("s", "x", RecordFormat.PATTERN, (PATTERN,)), "ünïcödé", id="other_than_ascii"),
        pytest.param(
            Rule("s", "x", RecordFormat.PATTERN, (PATTERN,), masks=(MaskRule("plain", "*"),)), "plain", id="mask"
        ),
        pytest.param(
            Rule("s", "x", RecordFormat.PATTERN, (PATTERN,), drop=("7",), keep=("req",)), "plain", id="filters"
        ),
        pytest.param(Rule("s", "x", RecordFormat.RAW), "plain", id="raw"),
        pytest.param(
            Rule("s", "x", RecordFormat.PATTERN, (PATTERN,), multiline=MultilineRule(start_at_stamp=True)),
            "plain\n\tat c.e.Main\n\n  more",
            id="multiline",
        ),
    ],
)
def test_what_is_not_rare_is_never_left_to_the_plain_reader(rule: Rule, text: str) -> None:
    data = "".join(LINE.format(index, index, text) + "\n" for index in range(50)).encode()

    encoded = NeverSlow(rule).convert(Chunk(0, len(data), data), FACTS, Carry(), NOW_MS)

    assert encoded.events == 50 - encoded.filtered.get("drop", 0)


def events_of(rule: Rule, text: str) -> list[dict[str, str]]:
    data = text.encode()
    encoded = NeverSlow(rule).convert(Chunk(0, len(data), data), FACTS, Carry(), NOW_MS)
    return msgspec.json.decode(b"[" + bytes(encoded.json) + b"]", type=list[dict[str, str]])


def test_a_pattern_never_runs_over_the_end_of_a_line() -> None:
    """Neither `\\s` nor a class that excludes something else: a truncated line stays one event."""
    rule = Rule("s", "x", RecordFormat.PATTERN, (r'(?P<ip>\S+)\s+\[(?P<time>[^\]]+)\]\s+"(?P<request>[^"]*)"',))
    whole, cut = '1.1.1.1 [x] "GET /"', "2.2.2.2 [23/Nov"

    events = events_of(rule, "\n".join([whole, cut, whole, cut, cut, whole]) + "\n")

    assert [event["content"] for event in events] == [whole, cut, whole, cut, cut, whole]
    assert ["ip" in event for event in events] == [True, False, True, False, False, True]


@pytest.mark.parametrize(
    "stamp", ["2026-02-30T00:00:00.123Z", "2026-11-23T25:00:00.123Z", "nonsense", "2026-11-23T19:59:58.123Q"]
)
def test_a_stamp_that_cannot_be_is_no_part_of_the_event(stamp: str) -> None:
    first, second = events_of(
        Rule("s", "x", RecordFormat.PATTERN, (PATTERN,)), f"2026-11-23T19:59:57.500Z INFO a\n{stamp} INFO b\n"
    )

    assert (first["timestamp"], second["timestamp"]) == ("2026-11-23T19:59:57.500Z",) * 2
    assert second["log.timestamp_source"] == "inherited"


def test_the_last_record_of_a_chunk_has_no_line_end() -> None:
    rule = Rule("s", "x", RecordFormat.PATTERN, (PATTERN,), multiline=MultilineRule(start_at_stamp=True))

    events = events_of(rule, "2026-11-23T19:59:57Z INFO a\n  b\n2026-11-23T19:59:58Z INFO c\n  d\n\n")

    assert [event["content"] for event in events] == [
        "2026-11-23T19:59:57Z INFO a\n  b",
        "2026-11-23T19:59:58Z INFO c\n  d",
    ]


def test_epoch_milliseconds_keep_their_own_fraction_when_a_second_comes_again() -> None:
    rule = Rule("s", "x", RecordFormat.PATTERN, (r"(?P<timestamp>\d+)",))

    events = events_of(rule, "1795463998250\n1795463999999\n1795463998250\n1795463998001\n")

    assert [event["timestamp"][17:23] for event in events] == ["58.250", "59.999", "58.250", "58.001"]


def test_text_of_the_rule_never_becomes_source() -> None:
    """Names, patterns and texts that would break out of a generated line are only data."""
    evil = '"); raise SystemExit("\\'
    rule = Rule(
        evil, evil, RecordFormat.PATTERN, (r"(?P<a>\S+)(?#'\"\n\\)",), attributes={evil: evil}, drop=("'\"\\)",),
        severity=SeverityRule(rules=(("'\"\\)", "warn"),), default=evil), masks=(MaskRule("'\"", evil),),
    )  # fmt: skip

    [event] = events_of(rule, "x y\n")

    assert (event["a"], event[evil], event["log.source"], event["severity"]) == ("x", evil, evil, evil)


def test_path_attributes_may_have_the_name_of_a_static_one_or_of_a_group() -> None:
    facts = msgspec.structs.replace(FACTS, attributes={"thread": "path", "team": "path"})
    rule = Rule("s", "x", RecordFormat.PATTERN, (PATTERN,), attributes={"team": "static"})
    data = LINE.format(1, 1, "x").encode() + b"\n"

    encoded = NeverSlow(rule).convert(Chunk(0, len(data), data), facts, Carry(), NOW_MS)

    event = msgspec.json.decode(encoded.json)
    assert (event["thread"], event["app.thread"], event["team"]) == ("path", "main", "path")
