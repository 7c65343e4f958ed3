"""Why a pattern does not match: how far into the text its longest matching beginning gets."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from shipper.core.converter import MatchBudget, MatchTimeout

_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{\d*,?\d*\})[?+]?")

_SHOWN: Final = 80


class Failure(NamedTuple):
    """Where a pattern stopped.

    Attributes:
        column: So many characters matched.
        at: The piece that did not; empty if unknown.
        share: Of the pattern's pieces that did.
    """

    column: int
    at: str
    share: float


def failure(pattern: str, text: str, budget: MatchBudget) -> Failure | None:
    """Return how far *pattern* gets in *text*; None where it matches.

    Raises:
        MatchTimeout: It runs away on this text.
    """
    with budget():
        if re.match(pattern, text) is not None:
            return None
        pieces = atoms(pattern)
        low, high, column = 0, len(pieces) - 1, 0
        while low < high:  # a beginning that matches has beginnings that match
            middle = (low + high + 1) // 2
            match = _match("".join(pieces[:middle]), text)
            if match is None:
                high = middle - 1
            else:
                low, column = middle, match.end()
        return Failure(column, pieces[low] if pieces else "", low / max(len(pieces), 1))


def in_words(failed: Failure) -> str:
    """Return where a pattern stopped, in words."""
    at = f" and not at {short(failed.at)}" if failed.at else ""
    return f"matched up to column {failed.column}{at}"


def short(pattern: str) -> str:
    """Return *pattern*, cut where it is long."""
    return pattern if len(pattern) <= _SHOWN else pattern[: _SHOWN - 3] + "..."


def atoms(pattern: str) -> list[str]:
    """Return *pattern* cut into what stands at its top level, with quantifiers; alternatives stay in one piece."""
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        end = _atom_end(pattern, at)
        if pattern[at] == "|":
            return [pattern]
        quantifier = _QUANTIFIER.match(pattern, end)
        end = quantifier.end() if quantifier is not None else end
        pieces.append(pattern[at:end])
        at = end
    return pieces


def _atom_end(pattern: str, at: int) -> int:
    if pattern[at] == "\\":
        return min(at + 2, len(pattern))
    if pattern[at] == "[":
        return _class_end(pattern, at)
    if pattern[at] != "(":
        return at + 1
    depth = 0
    while at < len(pattern):
        if pattern[at] in "\\[":
            at = _atom_end(pattern, at)
            continue
        depth += {"(": 1, ")": -1}.get(pattern[at], 0)
        at += 1
        if not depth:
            break
    return at


def _class_end(pattern: str, at: int) -> int:
    at += 2 if pattern[at + 1 : at + 2] == "^" else 1
    at += pattern[at : at + 1] == "]"
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return min(at + 1, len(pattern))


def _match(pattern: str, text: str) -> re.Match[str] | None:
    try:
        return re.match(pattern, text)
    except re.error:  # a piece that refers to a later one
        return None


__all__ = ["Failure", "MatchTimeout", "atoms", "failure"]
