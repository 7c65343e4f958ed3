"""A preset's patterns take no text that is not theirs, and no text takes them long."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from shipper.config import Preset
from shipper.core.converter import MatchTimeout
from shipper.pipeline.guard import MatchGuard
from tests.formats.reading import presets
from tests.formats.samples import names, samples_of

UNRELATED = (
    "the quick brown fox jumps over the lazy dog",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, 42 times",
    "    at a place with an indent: and a colon",
    "=" * 40,
    "x",
    "</html>",
    "12 34 56",
)
ALIKE = {
    ("java_util_logging", "tomcat_catalina"),
    ("tomcat_catalina", "java_util_logging"),
    ("kafka", "log4j"),
    ("mongodb", "winston_text"),
    ("uvicorn", "postgresql"),
    ("sshd", "journald_short"),
    ("sshd", "syslog_iso"),
    ("sshd", "syslog_rfc3164"),
    ("vdsm", "python_logging"),
}
LONG = 10_000
TURNS = 10  # the guard's timer counts in ticks of some milliseconds: ten matches of at most two milliseconds in 20
TRIES = 3  # what else the machine does can cost a match its time once
PIECES = (
    "a", " ", "0", "1.2.3.4 ", "[", "] ", "[x] ", '"', '\\"', '""', "\\", "a b ", "a.b", "a:b ", ", ", "( ", "a (", "=",
    "x=y ", "- ", "2024-01-02 03:04:05 ", "/", "#x\n", "\t", "INFO ", "a@b ", "- - ", ": ", "{", "} ", "<1>", "ä",
)  # fmt: skip


def texts(preset: Preset) -> Iterator[str]:
    """Yield lines of some 10 kB: each piece repeated, bare and behind ever more of the preset's own samples."""
    for piece in PIECES:
        yield piece * (LONG // len(piece))
    for sample in samples_of(preset.name)[:4]:
        line = sample.text
        for cut in sorted({len(line) // 4, len(line) // 2, len(line) * 3 // 4, len(line)}):
            for piece in PIECES:
                yield line[:cut] + piece * ((LONG - cut) // len(piece))


def patterns(preset: Preset) -> list[re.Pattern[str]]:
    """Every pattern of a preset that is matched at a text's start; what is searched stands at its front."""
    multiline = preset.multiline
    borders = (multiline.start, multiline.continue_) if multiline is not None else ()
    own = [*preset.all_patterns, *(text for text in borders if text is not None and text != "timestamp")]
    return [re.compile(pattern) for pattern in own]


def searches(preset: Preset) -> list[re.Pattern[str]]:
    own = [rule.match for rule in preset.severity.rules] + ([preset.sign] if preset.sign is not None else [])
    return [re.compile(pattern) for pattern in own]


def ends_in_time(guard: MatchGuard, call: Callable[[str], object], text: str) -> bool:
    try:
        with guard.record_budget():
            for _ in range(TURNS):
                call(text)
    except MatchTimeout:
        return False
    return True


@pytest.fixture
def guard() -> Iterator[MatchGuard]:
    guard = MatchGuard()
    yield guard
    guard.close()


@pytest.mark.parametrize("line", UNRELATED)
@pytest.mark.parametrize("name", [name for name in names() if presets()[name].format == "pattern"])
def test_a_line_of_something_else_is_not_taken(name: str, line: str) -> None:
    assert not any(re.match(pattern, line) for pattern in presets()[name].all_patterns)


def test_a_programs_pattern_takes_no_other_programs_record() -> None:
    """But where one format is part of the other, or cannot be told from it by a line without its sign."""
    programs = {
        name: ([re.compile(pattern) for pattern in preset.all_patterns], re.compile(preset.sign or ""))
        for name, preset in presets().items()
        if preset.format == "pattern" and preset.rank == "program"
    }
    taken = {
        (name, other)
        for name, (own, sign) in programs.items()
        for other in names()
        for sample in samples_of(other)
        if other != name and sign.search(sample.text) and any(pattern.match(sample.text) for pattern in own)
    }

    assert taken == ALIKE


@pytest.mark.parametrize("name", names())
def test_no_line_keeps_a_pattern_busy(name: str, guard: MatchGuard) -> None:
    preset = presets()[name]
    for text in texts(preset):
        calls = [pattern.match for pattern in patterns(preset)] + [pattern.search for pattern in searches(preset)]
        for call in calls:
            assert any(ends_in_time(guard, call, text) for _ in range(TRIES)), (call, text[:100])


def test_the_guard_of_these_tests_stops_a_pattern_that_runs_away(guard: MatchGuard) -> None:
    runaway = re.compile(r"(?:a+)+$")

    with pytest.raises(MatchTimeout), guard.record_budget():
        runaway.match("a" * 40 + "b")
