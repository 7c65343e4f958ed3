"""Our own log: one line an event, splittable again, the same complaint not twice."""

from __future__ import annotations

import json
import shlex
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis.strategies import text

from shipper.pipeline.journal import Journal, Value, line


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("word", "word", id="word"),
        pytest.param("two words", '"two words"', id="blanks"),
        pytest.param('a "quote"', r'"a \"quote\""', id="quotes"),
        pytest.param("a=b", '"a=b"', id="equals"),
        pytest.param("", '""', id="empty"),
        pytest.param("line\nbreak", r'"line\nbreak"', id="line_break"),
        pytest.param("\udcff.log", "\\udcff.log", id="surrogate"),
        pytest.param("日誌", "日誌", id="other_script"),
        pytest.param(True, "true", id="bool"),
        pytest.param(12, "12", id="int"),
        pytest.param(1.5, "1.5", id="float"),
        pytest.param(2.0, "2", id="whole_float"),
        pytest.param(0.0001, "0", id="tiny_float"),
        pytest.param(PurePosixPath("/var/log"), "/var/log", id="path"),
    ],
)
def test_values_are_written_so_that_a_line_can_be_split_again(value: Value, expected: str) -> None:
    assert line("happened", {"key": value}) == f"event=happened key={expected}"


def test_fields_that_are_none_are_left_out() -> None:
    assert line("happened", {"status": None, "attempt": 1}) == "event=happened attempt=1"


@given(value=text())
def test_an_event_is_one_line_whatever_is_in_it(value: str) -> None:
    written = line("happened", {"key": value, "next": 1})

    assert len(written.splitlines()) == 1
    assert written.endswith(" next=1")


def test_the_same_complaint_is_said_again_only_when_it_changes_or_was_over() -> None:
    said: list[str] = []
    journal = Journal(said.append)

    for error in ("denied", "denied", "gone", "denied"):
        journal.once("file_unreadable", "/a.log", error=error)
    journal.once("file_unreadable", "/b.log", error="denied")
    assert journal.over("file_unreadable", "/a.log")
    assert not journal.over("file_unreadable", "/a.log")
    journal.once("file_unreadable", "/a.log", error="denied")

    assert [text.rpartition("=")[2] for text in said] == ["denied", "gone", "denied", "denied", "denied"]


def test_a_json_value_is_read_back_as_it_was() -> None:
    written = line("happened", {"key": 'with "both" and = and \\'})

    assert json.loads(written.partition("key=")[2]) == 'with "both" and = and \\'
    assert len(shlex.split(written)) == 2
