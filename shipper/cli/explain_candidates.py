"""What else a file could have been read by: how much of it each candidate explains, and why the nearest do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shipper.cli.explain_patterns import Failure, failure, in_words
from shipper.cli.explain_records import Record, text_of
from shipper.core.converter import MatchBudget, MatchTimeout
from shipper.core.detect import explains
from shipper.core.event import EventRules
from shipper.core.rule import RecordFormat, Rule

_LOOKED_AT: Final = 16 * 1024
_MOST: Final = 8
_NEAREST: Final = 3
_NEAR: Final = 0.3  # of a pattern's pieces that match


class Tried:
    """The candidates of one choice, judged by the chunk that it was made for.

    Attributes:
        in_words: How much of the beginning of the chunk each explains, the best first.
    """

    def __init__(self, candidates: Sequence[Rule], record: Record) -> None:
        """Judge *candidates* by the chunk in which *record* begins."""
        done = record.of
        sample = done.chunk.data[:_LOOKED_AT].decode(done.carry.encoding or "utf-8", "replace")
        if done.chunk.data[_LOOKED_AT:]:
            sample = sample.rpartition("\n")[0] or sample
        self._first = text_of(record)
        shares = [(explains(rule, sample, done.facts.mtime_ms), rule) for rule in candidates]
        some = sorted((one for one in shares if one[0] > 0), key=lambda one: (-one[0], one[1].layout))
        parts = [f"{rule.layout} {100 * share:.1f} %" for share, rule in some[:_MOST]]
        if some[_MOST:]:
            parts.append(f"{len(some) - _MOST} more explain less")
        parts.append(f"{len(shares) - len(some)} explain nothing")
        self.in_words = ", ".join(parts)
        self._explaining = [rule for _, rule in some]
        self._others = [rule for share, rule in shares if not share and rule.patterns]
        self._nearest: list[Rule] | None = None

    def others(self, chosen: Rule, text: str, budget: MatchBudget) -> Iterator[tuple[str, str]]:
        """Say of the nearest candidates beside *chosen* what they make of *text*: as names and words."""
        if self._nearest is None:
            self._nearest = self._near(budget)
        names = chosen.layout.partition("{")[0].split("+")
        for rule in [rule for rule in self._nearest if rule.layout not in names][:_NEAREST]:
            yield "not", f"{rule.layout}: {_verdict(rule, text, budget)}"

    def _near(self, budget: MatchBudget) -> list[Rule]:
        """Return the candidates that explain something, then those that get furthest in the first record."""

        def share(rule: Rule) -> float:
            try:
                failed = _furthest(rule, self._first, budget)
            except MatchTimeout:
                return 0.0
            return failed.share if failed is not None and failed.column else 0.0

        far = sorted(((share(rule), rule.layout, rule) for rule in self._others), key=lambda one: (-one[0], one[1]))
        return [*self._explaining, *(rule for part, _, rule in far[: 2 * _NEAREST] if part >= _NEAR)]


def _verdict(rule: Rule, text: str, budget: MatchBudget) -> str:
    try:
        if rule.patterns:
            failed = _furthest(rule, text, budget)
            return in_words(failed) if failed is not None else "fits this record too"
        if rule.format is RecordFormat.RAW:
            return "takes any text, and nothing out of it"
        with budget():
            fits = EventRules(rule).extract(text).fits
    except MatchTimeout:
        return "ran out of time on this text"
    return "fits this record too" if fits else f"this is no {rule.format.value}"


def _furthest(rule: Rule, text: str, budget: MatchBudget) -> Failure | None:
    """Return where the best of the rule's patterns stops in *text*; None where one matches."""
    best: Failure | None = None
    for pattern in rule.patterns:
        failed = failure(pattern, text, budget)
        if failed is None:
            return None
        if best is None or failed.share > best.share:
            best = failed
    return best
