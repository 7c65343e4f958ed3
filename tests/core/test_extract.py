"""A record taken apart: which key is the time, which the level, and what the rest is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.extract import UNPARSED, Parsed, extractor
from shipper.core.rule import RecordFormat, Rule, SeverityRule, StampRule


def parse(text: str, record_format: RecordFormat, *patterns: str, stamp: str = "", severity: str = "") -> Parsed:
    """Return what is taken out of *text*, without the names of what the time and the level were taken from."""
    found = named(text, record_format, *patterns, stamp=stamp, severity=severity)
    return found._replace(stamp_name="", level_name="")


def named(text: str, record_format: RecordFormat, *patterns: str, stamp: str = "", severity: str = "") -> Parsed:
    rule = Rule(
        "s", "x", record_format, patterns, stamp=StampRule(field=stamp or None),
        severity=SeverityRule(field=severity or None)
    )  # fmt: skip
    return extractor(rule)(text)


PATTERNS = (
    r"^(?P<timestamp>\S+) (?P<severity>[A-Z]*) (?:\[(?P<thread>[^\]]*)\] )?(?P<log__logger>\S+) - ",
    r"^<(?P<level>\d)>(?P<a>.)?",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("T INFO [main] c.e - x", Parsed("T", "INFO", {"thread": "main", "log.logger": "c.e"}), id="all"),
        pytest.param("T INFO c.e - x", Parsed("T", "INFO", {"log.logger": "c.e"}), id="optional_group_absent"),
        pytest.param("T  [] c.e - x", Parsed("T", None, {"log.logger": "c.e"}), id="empty_groups_are_absent"),
        pytest.param("<3>", Parsed(None, "3", {}), id="second_alternative"),
        pytest.param("<3>b and more", Parsed(None, "3", {"a": "b"}), id="second_alternative_with_a_group"),
        pytest.param(" T INFO c.e - x", Parsed(None, None, {}, False), id="no_match"),
    ],
)
def test_groups_of_the_first_pattern_that_matches(text: str, expected: Parsed) -> None:
    assert parse(text, RecordFormat.PATTERN, *PATTERNS) == expected


@pytest.mark.parametrize(
    ("text", "record_format", "names"),
    [
        ("T INFO c.e - x", RecordFormat.PATTERN, ("timestamp", "severity")),
        ("<3>", RecordFormat.PATTERN, ("", "level")),
        ("T  c.e - x", RecordFormat.PATTERN, ("timestamp", "")),
        ('{"@timestamp":"T","log":{"level":"info"}}', RecordFormat.JSON, ("@timestamp", "log.level")),
        ('{"msg":"T"}', RecordFormat.JSON, ("", "")),
        ("ts=T lvl=warn", RecordFormat.LOGFMT, ("ts", "lvl")),
        ('{"time":"T","level":"info"}', RecordFormat.CRI, ("", "level")),
    ],
)
def test_what_the_time_and_the_level_were_taken_from_is_named(
    text: str, record_format: RecordFormat, names: tuple[str, str]
) -> None:
    found = named(text, record_format, *(PATTERNS if record_format is RecordFormat.PATTERN else ()))

    assert (found.stamp_name, found.level_name) == names


def test_other_groups_can_be_named_as_time_and_level() -> None:
    found = parse("a b c d", RecordFormat.PATTERN, r"(?P<severity>\S) (?P<x>\S) (?P<y>\S)", stamp="x", severity="y")

    assert found == Parsed("b", "c", {"severity": "a"})


@pytest.mark.parametrize(
    ("text", "stamp", "level", "attributes"),
    [
        pytest.param('{"ts":1,"timestamp":"T","level":"info","a":1}', "T", "info", {"ts": 1, "a": 1}, id="api_order"),
        pytest.param('{"@timestamp":"T","time":"t"}', "T", None, {"time": "t"}, id="first_of_the_list_wins"),
        pytest.param('{"Time":"T","LEVEL":"Warn"}', "T", "Warn", {}, id="any_case"),
        pytest.param('{"status":200,"level":"info"}', None, "info", {"status": 200}, id="http_status_is_no_level"),
        pytest.param('{"status":"200","level":30}', None, 30, {"status": "200"}, id="http_status_in_quotes"),
        pytest.param('{"status":"error","level":"x"}', None, "error", {"level": "x"}, id="status_that_is_a_level"),
        pytest.param('{"level":{"name":"x"},"severity":"err"}', None, "err", {"level.name": "x"}, id="nested"),
        pytest.param('{"syslog":{"severity":"err","timestamp":"T"}}', "T", "err", {}, id="dotted_after_flattening"),
        pytest.param('{"time":true,"ts":1.5,"level":false}', 1.5, None, {"time": True, "level": False}, id="booleans"),
        pytest.param('{"time":null,"level":null}', None, None, {}, id="null_is_absent"),
        pytest.param('{"a":{"b":1},"a.b":2}', None, None, {"a.b": 1, "app.a.b": 2}, id="one_name_twice"),
        pytest.param('{"epochSecond":5,"timeMillis":6}', 5, None, {"timeMillis": 6}, id="keys_in_mixed_case"),
        pytest.param("{}", None, None, {}, id="empty"),
    ],
)
def test_keys_of_a_json_object(
    text: str, stamp: str | float | None, level: str | int | None, attributes: dict[str, object]
) -> None:
    found = parse(text, RecordFormat.JSON)

    assert (found.stamp, found.level, dict(found.attributes), found.fits) == (stamp, level, attributes, True)


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "1", '"x"', '{"a":1', '{"a":1} x', '{"a":"\\ud800"}', "[" * 10_000, '{"a":' * 10_000]
)
def test_what_is_no_json_object_is_unparsed(text: str) -> None:
    assert parse(text, RecordFormat.JSON) == Parsed(None, None, {}, False)


def test_fields_that_the_rule_names_win_over_the_lists() -> None:
    found = parse(
        '{"time":"a","level":"info","my":{"t":"T","l":"weird"}}', RecordFormat.JSON, stamp="my.t", severity="MY.L"
    )

    assert found == Parsed("T", "weird", {"time": "a", "level": "info"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time=T level=warn msg=hello n=5", Parsed("T", "warn", {"msg": "hello", "n": "5"})),
        ('msg="a \\"b\\" \\\\ c\\n" lvl=eror', Parsed(None, "eror", {"msg": 'a "b" \\ c\n'})),
        ('a="" b= c=x=y', Parsed(None, None, {"c": "x=y"})),
        ("words a=1 more words b=2", Parsed(None, None, {"a": "1", "b": "2"})),
        ("a=1 a=2", Parsed(None, None, {"a": "1", "app.a": "2"})),
        ("no pairs", Parsed(None, None, {}, False)),
        ('a="not closed', Parsed(None, None, {"a": '"not'})),
    ],
)
def test_pairs_of_logfmt(text: str, expected: Parsed) -> None:
    assert parse(text, RecordFormat.LOGFMT) == expected


@pytest.mark.parametrize("record_format", [RecordFormat.CRI, RecordFormat.DOCKER])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"time":"T","level":"info","a":1}', Parsed(None, "info", {"a": 1})),
        ("ts=T level=info a=1", Parsed(None, "info", {"a": "1"})),
        ("plain text a=1", Parsed(None, None, {})),
        ("{not json", Parsed(None, None, {})),
    ],
)
def test_the_message_of_a_container_may_be_json_or_logfmt_and_its_time_is_the_runtimes(
    record_format: RecordFormat, text: str, expected: Parsed
) -> None:
    assert parse(text, record_format) == expected


def test_a_pattern_reads_the_message_of_a_container() -> None:
    assert parse("E x", RecordFormat.CRI, r"(?P<level>\w) (?P<a>\w)") == Parsed(None, "E", {"a": "x"})


def test_raw_text_has_no_parts() -> None:
    assert parse("2026-11-23T19:59:58Z INFO x=1", RecordFormat.RAW) == Parsed(None, None, {})


PLAIN_PAIRS = re.compile(r'([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')


@given(text=st.text(alphabet='ab= "\\\t=', max_size=40))
def test_pairs_are_those_of_the_plain_pattern(text: str) -> None:
    """What keeps a long word from being tried at each of its letters takes nothing away."""
    flat: dict[str, str] = {}
    for key, quoted, bare in PLAIN_PAIRS.findall(text):
        value = (
            re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n", "r": "\r"}.get(m[1], m[1]), quoted) if quoted else bare
        )
        name = key
        while value and name in flat:
            name = "app." + name
        if value:
            flat[name] = value

    assert parse(text, RecordFormat.LOGFMT).attributes == flat


def test_a_long_word_without_a_pair_costs_no_more_than_its_length() -> None:
    """Tried at each of its letters, a million of them would not end within any deadline of a test run."""
    assert parse("x" * 1_000_000, RecordFormat.LOGFMT) == UNPARSED
