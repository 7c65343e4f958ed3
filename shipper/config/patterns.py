"""Regular expressions of a configuration: are they ones, and which groups do they name."""

from __future__ import annotations

import re
import warnings


def pattern_problem(pattern: str) -> str | None:
    """Return what is wrong with *pattern*, with the column, or None."""
    try:
        _compile(pattern)
    except re.error as error:
        column = error.colno if error.colno is not None else 1
        return f"{error.msg} at column {column}: {pattern!r}"
    except (OverflowError, RecursionError):
        return f"is too large for a pattern: {pattern!r}"
    return None


def broken_at(pattern: str) -> int:
    """Return the character of *pattern*, from 0, at which it goes wrong."""
    try:
        _compile(pattern)
    except re.error as error:
        return error.pos or 0
    except (OverflowError, RecursionError):
        pass
    return 0


def group_names(pattern: str) -> frozenset[str]:
    """Return the named groups of *pattern*; none where it is wrong."""
    return frozenset(_compile(pattern).groupindex) if pattern_problem(pattern) is None else frozenset()


def group_count(pattern: str) -> int:
    """Return how many groups *pattern* has; 0 where it is wrong."""
    return _compile(pattern).groups if pattern_problem(pattern) is None else 0


def matches_nothing_at_all(pattern: str) -> bool:
    """Return whether *pattern* matches even an empty text, and so stands everywhere."""
    return pattern_problem(pattern) is None and _compile(pattern).match("") is not None


def _compile(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        # "Possible nested set" and its like are about a Python to come; the pattern works as it is.
        warnings.simplefilter("ignore")
        return re.compile(pattern)
