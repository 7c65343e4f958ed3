"""Words and numbers become one of ten severities before the endpoint can mistake their first letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.core.severity import BUILT_IN, SEVERITIES, raw_level, severity_of

_PREFIXES = (
    ("emerg", "emergency"), ("f", "emergency"), ("e", "error"), ("a", "alert"), ("c", "critical"), ("s", "severe"),
    ("w", "warn"), ("n", "notice"), ("i", "info"), ("d", "debug"), ("trace", "debug"), ("verbose", "debug"),
)  # fmt: skip


def endpoint_level(word: str) -> str:
    """What the endpoint makes of a word by its beginning; the exact word `none` excepted."""
    return next((level for prefix, level in _PREFIXES if word.startswith(prefix) and word != "none"), "none")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("FINE", "debug"), ("finer", "debug"), ("FINEST", "debug"), ("TRACE", "debug"), ("trc", "debug"), ("verbose",
        "debug"),
        ("silly", "debug"), ("success", "info"), ("config", "info"), ("CONFIG", "info"), ("audit", "info"),
        ("default", "info"),
        ("normal", "info"), ("ok", "info"), ("notset", "none"), ("NONE", "none"), ("unknown", "none"), ("panic",
        "emergency"),
        ("fatal", "emergency"), ("F", "emergency"), ("emerg", "emergency"), ("crit", "critical"), ("SEVERE", "severe"),
        ("Err", "error"), ("E", "error"), ("Warning", "warn"), ("W", "warn"), ("Information", "info"), ("I", "info"),
        ("D", "debug"), ("notice", "notice"), (" INFO\t", "info"),
    ],
)  # fmt: skip
def test_words_mean_what_their_writers_mean(word: str, expected: str) -> None:
    assert severity_of(word, {}) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "emergency"), (1, "alert"), (2, "critical"), (3, "error"), (4, "warn"), (5, "notice"), (6, "info"),
        (7, "debug"),
        (10, "debug"), (20, "debug"), (30, "info"), (40, "warn"), (50, "error"), (60, "emergency"), (35, "info"),
        (8, None), (9, None), (70, None), (99, None), (200, None), (-1, None),
    ],
)  # fmt: skip
def test_numbers_are_those_of_syslog_and_of_bunyan(number: int, expected: str | None) -> None:
    assert severity_of(number, {}) == expected
    assert severity_of(str(number), {}) == expected


@pytest.mark.parametrize("word", ["", " ", "??", "GET", "٣", "3.0", "infos", "200", "é"])
def test_what_is_no_level_is_none(word: str) -> None:
    assert severity_of(word, {}) is None


def test_the_sources_own_words_win_over_the_built_in_ones() -> None:
    words = {"w": "error", "5": "error", "quiet": "debug"}

    assert [severity_of(word, words) for word in ("W", "5", 5, "QUIET", "info")] == [
        "error",
        "error",
        "error",
        "debug",
        "info",
    ]


@given(word=st.text(max_size=12) | st.sampled_from(sorted(BUILT_IN)))
def test_every_severity_is_one_that_the_endpoint_reads_as_itself(word: str) -> None:
    found = severity_of(word, {})

    assert found is None or (found in SEVERITIES and endpoint_level(found) == found)


@pytest.mark.parametrize(
    ("word", "severity", "expected"),
    [
        ("INFO", "info", None),
        (" Info ", "info", None),
        ("FINE", "debug", "FINE"),
        ("3", "error", "3"),
        ("", "none", None),
    ],
)
def test_the_own_word_is_kept_where_it_differs_other_than_by_case(
    word: str, severity: str, expected: str | None
) -> None:
    assert raw_level(word, severity) == expected
