"""Messages of container runtimes, joined from their partial lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.containers import joins, messages
from shipper.core.model import Span
from shipper.core.rule import MultilineRule, RecordFormat, Rule
from tests.core.reading import events_of, read_text

T = "2026-11-23T19:59:58.123456789Z"
CRI, DOCKER = RecordFormat.CRI, RecordFormat.DOCKER


def docker(log: str, stream: str = "stdout") -> str:
    return json.dumps({"log": log, "stream": stream, "time": T})


@pytest.mark.parametrize(
    ("record_format", "lines", "expected"),
    [
        pytest.param(CRI, [f"{T} stdout F a"], [("a", (0,))], id="whole"),
        pytest.param(CRI, [f"{T} stdout P a ", f"{T} stdout F b"], [("a b", (0, 1))], id="joined"),
        pytest.param(CRI, [f"{T} stdout P a", f"{T} stderr F x", f"{T} stdout F b"], [("x", (1,)), ("ab",
        (0, 2))], id="interleaved"),
        pytest.param(CRI, [f"{T} stdout P a", f"{T} stderr P x"], [("a", (0,)), ("x", (1,))], id="cut_at_the_end"),
        pytest.param(CRI, [f"{T} stdout P:tag a", f"{T} stdout F:tag b"], [("ab", (0, 1))], id="tags"),
        pytest.param(CRI, [f"{T} stdout F", f"{T} stdout F "], [("", (0,)), ("", (1,))], id="empty"),
        pytest.param(CRI, [f"{T} other F a", "x", f"{T} stdout Q a"], [(f"{T} other F a", (0,)), ("x", (1,)),
        (f"{T} stdout Q a", (2,))], id="no_cri"),
        pytest.param(CRI, [f"{T} stdout P a", "", f"{T} stdout F b"], [("ab", (0, 2))], id="blank_line_between"),
        pytest.param(DOCKER, [docker("a\n")], [("a", (0,))], id="docker_whole"),
        pytest.param(DOCKER, [docker("a"), docker("b\n")], [("ab", (0, 1))], id="docker_joined"),
        pytest.param(DOCKER, [docker("a"), docker("x\n", "stderr"), docker("b\r\n")], [("x", (1,)), ("ab",
        (0, 2))], id="docker_interleaved"),
        pytest.param(DOCKER, [docker("a\\n"), docker("\n")], [("a\\n", (0, 1))], id="docker_literal_backslash"),
        pytest.param(DOCKER, ['{"log":', docker("b\n")], [('{"log":', (0,)), ("b", (1,))], id="docker_broken"),
    ],
)  # fmt: skip
def test_partial_lines_are_joined_stream_by_stream(
    record_format: RecordFormat, lines: list[str], expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert [(message.text, message.lines) for message in messages(lines, record_format)] == expected


@pytest.mark.parametrize(
    ("record_format", "line", "expected"),
    [
        (CRI, f"{T} stdout P a", ("stdout", False)), (CRI, f"{T} stderr F a", ("stderr", True)), (CRI, "x", ("", True)),
        (DOCKER, docker("a", "stderr"), ("stderr", False)), (DOCKER, docker("a\n"), ("stdout", True)), (DOCKER, "{",
        ("", True)),
    ],
)  # fmt: skip
def test_the_framer_is_told_what_joins(record_format: RecordFormat, line: str, expected: tuple[str, bool]) -> None:
    assert joins(line, record_format) == expected


@given(
    texts=st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.lists(st.text("abc ", max_size=5),
    min_size=1, max_size=4)))
)  # fmt: skip
def test_every_message_comes_out_as_it_was_split(texts: list[tuple[str, list[str]]]) -> None:
    lines = [
        f"{T} {stream} {'F' if index == len(pieces) - 1 else 'P'} {piece}"
        for stream, pieces in texts
        for index, piece in enumerate(pieces)
    ]

    assert [message.text for message in messages(lines, CRI)] == ["".join(pieces) for _, pieces in texts]


def test_the_event_has_the_inner_message_and_what_the_runtime_says_of_it() -> None:
    rule = Rule("pod", "cri", CRI)
    text = f'{T} stderr P level=warn msg="a\n{T} stdout F plain\n{T} stderr F  b"\n'

    reading = read_text(rule, text)

    plain, joined = events_of(reading)
    assert (plain["content"], plain["log.iostream"], plain["severity"]) == ("plain", "stdout", "none")
    assert (joined["content"], joined["log.iostream"]) == ('level=warn msg="a b"', "stderr")
    assert (joined["severity"], joined["msg"], joined["timestamp"]) == ("warn", "a b", "2026-11-23T19:59:58.123Z")
    assert reading.produced[1].span == Span(0, len(text))


def test_a_partial_last_line_without_its_end_goes_on_where_it_stopped() -> None:
    """Also when the message of the other stream is open as well: the rest belongs to the last line."""
    rule = Rule("pod", "cri", CRI)

    reading = read_text(rule, f"{T} stderr P other\n{T} stdout F begun and not en")

    assert reading.carry.part is not None
    assert reading.carry.part.attributes["log.iostream"] == "stdout"


JAVA = Rule(
    "pod",
    "cri",
    CRI,
    (r"(?P<timestamp>\d\d:\d\d) (?P<severity>[A-Z]+) ",),
    multiline=MultilineRule(start_at_stamp=True),
)


@pytest.mark.parametrize(
    ("rule", "lines", "expected"),
    [
        pytest.param(JAVA, ["o 09:00 ERROR x", "o  at a", "o Caused by: y", "o 09:01 INFO z"],
        [("09:00 ERROR x\n at a\nCaused by: y", "error"), ("09:01 INFO z", "info")], id="a_trace"),
        pytest.param(JAVA, ["o 09:00 ERROR x", "e 09:00 WARN y", "o  at a", "e  at b"],
        [("09:00 ERROR x\n at a", "error"), ("09:00 WARN y\n at b", "warn")], id="two_streams"),
        pytest.param(JAVA, ["e plain", "e more", "e  at b"], [("plain", "none"), ("more\n at b", "none")],
        id="what_nothing_began_takes_only_what_is_plainly_below"),
        pytest.param(JAVA, ["o 09:00 ERROR x", *["e 09:00 INFO y"] * 51, "o late"],
        [("09:00 ERROR x", "error"), *[("09:00 INFO y", "info")] * 51, ("late", "none")], id="too_far_behind"),
        pytest.param(Rule("pod", "cri", CRI, multiline=MultilineRule(continue_=r"\s")), ["o a", "o  b", "o c"],
        [("a\n b", "none"), ("c", "none")], id="continue"),
        pytest.param(Rule("pod", "cri", CRI, multiline=MultilineRule(start=r"\{")),
        ["o {", 'o "level":"warn"', "o }", "o {}"],
        [('{\n"level":"warn"\n}', "warn"), ("{}", "none")], id="json_over_lines"),
        pytest.param(Rule("pod", "cri", CRI, multiline=MultilineRule(start="a", max_lines=2)),
        ["o a", "o 1", "o 2", "o 3"],
        [("a\n1", "none"), ("2\n3", "none")], id="too_many_lines"),
    ],
)  # fmt: skip
def test_messages_that_belong_together_are_one_record_of_their_stream(
    rule: Rule, lines: list[str], expected: list[tuple[str, str]]
) -> None:
    text = "".join(f"{T} std{'out' if line[0] == 'o' else 'err'} F {line[2:]}\n" for line in lines)

    events = events_of(read_text(rule, text))

    assert [(event["content"], event["severity"]) for event in events] == expected
