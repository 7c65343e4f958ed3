"""Patterns that look at a line see the same in a whole text, or are said to be unfit for it."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.config import load_presets
from shipper.core.line_patterns import compiled, on_lines, starts_after_newline
from tests.formats.reading import rule_of

_PIECES = (
    "a", "b", " ", r"\d", r"\w", r"\S", r"\s", r"\D", r"\W", r"\t", r"\.", r"\b", ".", "[ab]", "[^a]", "[^]a]", "[]a]",
    r"[^\]\n]", r"[\s,]", r"[^\s]", r"[\S]", r"[^\S]", r"[^\d\S]", "^", "$", "(?=a)", "(?!b)", "(?<=a)", "(?<!b)",
    r"(?<!\s)", "é", "{", "|", r"\\",
)  # fmt: skip
_ATOMS = st.sampled_from(_PIECES)
_QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,1}", "*?", "++"])
_GROUPS = st.sampled_from(["(", "(?:", "(?P<name>", "(?=", "(?!"])
PATTERNS = st.recursive(
    st.tuples(_ATOMS, _QUANTIFIERS).map("".join),
    lambda inner: st.lists(inner, max_size=4).map("".join)
    | st.tuples(_GROUPS, inner).map(lambda two: "".join((*two, ")"))),
    max_leaves=8,
)  # fmt: skip
LINES = st.lists(
    st.text(["a", "b", " ", "1", ".", "]", ",", "é", "\t", "\r", "\x1c", "\x85", "{", "\\"], max_size=6), max_size=6
)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


@given(PATTERNS.filter(_compiles), LINES)
@example("a$", ["a", "", "ba"])
@example("^a|b$", ["b", "a", "xa"])
@example("[^]a]b", ["b", "]b", "1b"])
def test_a_pattern_for_lines_finds_in_a_text_the_lines_that_it_matches_alone(pattern: str, lines: list[str]) -> None:
    alone = re.compile(pattern)
    begins = [number for number, line in enumerate(lines) if number and alone.match(line)]
    text = "\n".join(lines)

    border = starts_after_newline([pattern], ascii_text=text.isascii())

    if border is None:
        assert on_lines(pattern) is None
    else:
        assert [text.count("\n", 0, found.end()) for found in border.finditer(text)] == begins


@given(PATTERNS.filter(_compiles), st.text("ab 1.\x1c\x1fKkSs_\t", max_size=8))
@example(r"(?i:\u212a)", "k")
@example(r"\s", "\x1c")
@example(r"(?u:\d)", "1")
def test_a_pattern_compiled_for_ascii_text_matches_such_text_alike(pattern: str, text: str) -> None:
    plain, fast = re.compile(pattern).match(text), compiled(pattern, ascii_text=True).match(text)

    assert (plain and plain.regs) == (fast and fast.regs)


@pytest.mark.parametrize(
    "pattern", [r"(?s:a.b)", r"(a)\1", r"\x0a", r"a\Z", r"[\x00-\x20]", "(?i)a", "[\t-~]", r"[\s,]"]
)
def test_what_may_look_over_a_lines_end_is_not_rewritten(pattern: str) -> None:
    assert on_lines(pattern) is None


def test_nearly_all_starts_of_the_presets_are_found_in_one_walk() -> None:
    multiline = {name: rule_of(preset).multiline for name, preset in load_presets(()).items()}
    starts = {name: rule.start for name, rule in multiline.items() if rule and rule.start}

    assert [layout for layout, start in starts.items() if on_lines(start) is None] == []
