"""Which rule fits a file that nobody described: the first records decide.

Each candidate is judged by the share of the lines that it explains: lines on
which its pattern is found with a stamp that can be read, and lines below them
that go on with such a record. Among those that explain as much, the format of
one program wins over that of a family, and that over the general ones. What
the best leaves over others may explain: such a file keeps several layouts.
Where no preset fits, the layout is learned (general.py).

A layout's name says all of it: names of presets joined by `+`, and a learned
one as JSON at the end. So it can be saved with the file's carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from shipper.core.fitting import CONTAINERS, Fit, detail, fit_of, lines_of, reads_pairs, taken
from shipper.core.general import General, learn
from shipper.core.inner import as_pattern, can_be_inside, inner_lines, inside
from shipper.core.joined_rules import can_join, joined
from shipper.core.json_keys import keyed, missing_keys
from shipper.core.rule import MultilineRule, RecordFormat, Rule, StampRule
from shipper.core.stamp_formats import ALL
from shipper.core.stamp_shapes import begins_with_stamp
from shipper.core.text import ANSI_MARK, without_ansi

QUIET_MS: Final = 500
_FIRST_LOOK: Final = 12
_ENOUGH: Final = 0.5
_ALIKE: Final = 0.02
_SURE: Final = 0.8
_MOST_LAYOUTS: Final = 4
_ANSI: Final = "ansi"


class Choice(NamedTuple):
    """A layout that was chosen.

    Attributes:
        layout: Its name, for the carry; `rule_of` makes the rule of it again.
        rule: To read the file by.
        explained: The share of the sample's lines that it explains.
        lines: How many lines that were.
        evidence: In words.
    """

    layout: str
    rule: Rule
    explained: float
    lines: int
    evidence: str


def choose(candidates: Sequence[Rule], sample: str, near_ms: int, first: Iterable[str] = ()) -> Choice:
    """Return how *sample*, the decoded beginning of a file, is read.

    Args:
        candidates: Presets and general formats; one is the raw text.
        sample: Whole lines but for the last.
        near_ms: When the file was written last.
        first: Layouts that other files of the source have: taken where they explain nearly everything.

    Raises:
        ValueError: There are no candidates.
    """
    if not candidates:
        raise ValueError("nothing to choose from")
    raw = next((rule for rule in candidates if rule.format is RecordFormat.RAW), candidates[-1])
    coloured = ANSI_MARK in sample
    lines = lines_of(without_ansi(sample) if coloured else sample)
    if not lines:
        return Choice(raw.layout, raw, 0.0, 0, "nothing to look at yet")
    known = _known(candidates, first, lines, near_ms) if not coloured else None
    found = known or _with_keys(_best(candidates, raw, lines, near_ms), lines, near_ms)
    if found.rule.format in CONTAINERS and not known:
        found = _with_inner(found, candidates, lines, near_ms)
    if coloured:
        layout = f"{_ANSI}+{found.layout}"
        found = found._replace(layout=layout, rule=msgspec.structs.replace(found.rule, layout=layout, ansi=True))
    return found


def explains(rule: Rule, sample: str, near_ms: int) -> float:
    """Return the share of the lines of *sample* that *rule* explains; of containers, of the messages in them."""
    lines = lines_of(without_ansi(sample) if rule.ansi else sample)
    return _share(rule, lines, near_ms) if lines else 1.0


def _share(rule: Rule, lines: list[str], near_ms: int) -> float:
    texts = inner_lines(rule, lines) if rule.format in CONTAINERS and rule.patterns else []
    return fit_of(rule, lines, near_ms).share * (fit_of(as_pattern(rule), texts, near_ms).share if texts else 1.0)


def rule_of(layout: str, candidates: Sequence[Rule]) -> Rule | None:
    """Return the rule that *layout* names; None where a preset of that name is no longer there."""
    names, brace, learned = layout.partition("{")
    by_name = {rule.layout: rule for rule in candidates}
    wanted = [name for name in names.split("+") if name]
    ansi = wanted[:1] == [_ANSI]
    wanted = wanted[1:] if ansi else wanted
    if any(name not in by_name for name in wanted):
        return None
    rules = [by_name[name] for name in wanted]
    if rules and rules[0].format in CONTAINERS and (brace or len(rules) > 1):
        inner = rule_of("+".join(wanted[1:]) + brace + learned, candidates)
        outer = msgspec.structs.replace(rules[0], ansi=ansi)
        return None if inner is None else msgspec.structs.replace(inside(outer, inner), layout=layout)
    if brace:
        raw = next((rule for rule in candidates if rule.format is RecordFormat.RAW), candidates[-1])
        try:
            general = msgspec.json.decode("{" + learned, type=General)
        except msgspec.DecodeError:
            return None
        if rules and not general.patterns:
            rules[-1] = keyed(rules[-1], general)
        else:
            rules.append(_learned(raw, general))
    if not rules:
        return None
    rule = joined(rules) if len(rules) > 1 else rules[0]
    return msgspec.structs.replace(rule, layout=layout, ansi=ansi)


# -- judging -------------------------------------------------------------------------------------------


def _known(candidates: Sequence[Rule], first: Iterable[str], lines: list[str], near_ms: int) -> Choice | None:
    if len(lines) < _FIRST_LOOK:
        return None
    for layout in first:
        rule = rule_of(layout, candidates)
        if rule is None or rule.ansi or rule.format is RecordFormat.RAW or layout.startswith("{"):
            continue  # colours belong to the file that has them, and a preset may read what was learned elsewhere
        if rule.format in CONTAINERS and not rule.patterns:
            continue  # of what is in this container nothing is known yet
        share = _share(rule, lines, near_ms)
        if share > 1 - _ALIKE:
            return Choice(layout, rule, share, len(lines), "as other files of this source")
    return None


def _best(candidates: Sequence[Rule], raw: Rule, lines: list[str], near_ms: int) -> Choice:
    few = lines[:: max(1, len(lines) // _FIRST_LOOK)]
    hopeful = [rule for rule in candidates if reads_pairs(rule) or any(fit_of(rule, few, near_ms).lines)]
    fits = [fit for fit in (fit_of(rule, lines, near_ms) for rule in hopeful) if any(fit.lines)]
    most = max((fit.share for fit in fits), default=0.0)
    if most < _ENOUGH:
        return _learned_choice(raw, fits, lines, near_ms)
    alike = [fit for fit in fits if fit.share >= most - _ALIKE]
    best = min(alike, key=lambda fit: (fit.rule.rank, -detail(fit, lines), -fit.share))
    return _seen_better(best, raw, lines, near_ms) or _with_others(best, fits, raw, lines, near_ms)


def _seen_better(best: Fit, raw: Rule, lines: list[str], near_ms: int) -> Choice | None:
    """Return a learned layout where *best* fits by chance: it takes hardly anything out of lines that have a level.

    The same goes for pairs of keys and values whose time has a name of its own.
    """
    stamped, levelled, attributes = taken(best, lines)
    if not best.rule.rank or best.rule.format not in (RecordFormat.PATTERN, RecordFormat.LOGFMT):
        return None
    if (stamped and best.rule.format is RecordFormat.LOGFMT) or (stamped and (levelled > 0.5 or attributes > 1)):
        return None
    general = learn(lines, near_ms)
    if general is None or not general.formats:
        return None
    fit = fit_of(_learned(raw, general), lines, near_ms)
    if fit.share < best.share - _ALIKE or (stamped and taken(fit, lines)[1] < max(_SURE, levelled)):
        return None
    return Choice(_named(general), fit.rule, fit.share, len(lines), general.evidence)


# -- several layouts -----------------------------------------------------------------------------------


def _with_others(best: Fit, fits: list[Fit], raw: Rule, lines: list[str], near_ms: int) -> Choice:
    """Add what explains the lines that *best* leaves over."""
    rules, explained = [*_programs(best, fits, lines), best.rule], list(best.lines)
    while not all(explained) and len(rules) < _MOST_LAYOUTS and best.rule.format is RecordFormat.PATTERN:
        rest = [index for index, good in enumerate(explained) if not good]
        others = [fit for fit in fits if fit.rule not in rules and can_join(best.rule, fit.rule)]
        gains = [(sum(fit.lines[index] for index in rest), -fit.rule.rank, number) for number, fit in enumerate(others)]
        gain, _, number = max(gains, default=(0, 0, 0))
        if not gain:
            break
        rules.append(others[number].rule)
        explained = [good or more for good, more in zip(explained, others[number].lines, strict=True)]
    family = _family(best, fits, lines)
    if family is not None and family not in rules:
        rules.append(family)
    layout = "+".join(rule.layout for rule in rules)
    left = [line for line, good in zip(lines, explained, strict=True) if not good]
    general = learn(left, near_ms) if _is_worth_learning(best.rule, left, lines) else None
    if general is not None and general.formats:
        rules.append(_learned(raw, general))
        layout = f"{layout}+{_named(general)}"
        explained = fit_of(joined(rules), lines, near_ms).lines
    chosen = rules[0] if len(rules) == 1 else msgspec.structs.replace(joined(rules), layout=layout)
    count = sum(explained)
    names = " and ".join(rule.layout.partition("{")[0] or "a learned layout" for rule in rules)
    return Choice(layout, chosen, count / len(lines), len(lines), f"{names}: {count} of {len(lines)} lines")


def _family(best: Fit, fits: list[Fit], lines: list[str]) -> Rule | None:
    """Return what reads the lines of other programs in a file that has shown those of one only, such as a syslog."""
    wider = [fit for fit in fits if fit.rule.rank > best.rule.rank and can_join(best.rule, fit.rule)]
    able = [fit for fit in wider if fit.share >= best.share]
    alike = [fit for fit in able if set(fit.rule.stamp.formats or ALL) & set(best.rule.stamp.formats or ALL)]
    found = max(alike, key=lambda fit: (detail(fit, lines), -fit.rule.rank), default=None)
    return found.rule if found is not None and detail(found, lines) else None


def _programs(best: Fit, fits: list[Fit], lines: list[str]) -> list[Rule]:
    """Return the formats of single programs that take more out of their lines than the family's does."""
    if not best.rule.rank:
        return []
    least = detail(best, lines)
    own = [fit for fit in fits if not fit.rule.rank and fit.rule.sign is not None and can_join(best.rule, fit.rule)]
    more = [fit for fit in own if detail(fit, lines) >= least]
    return [fit.rule for fit in sorted(more, key=lambda fit: -fit.share)][: _MOST_LAYOUTS - 1]


def _is_worth_learning(rule: Rule, left: list[str], lines: list[str]) -> bool:
    dated = sum(map(begins_with_stamp, left))
    return rule.format is RecordFormat.PATTERN and dated > 0.05 * len(lines)


def _with_keys(found: Choice, lines: list[str], near_ms: int) -> Choice:
    """Learn the keys of the time and the level where JSON objects have others than those that are known."""
    general = missing_keys(found.rule, lines, near_ms) if found.rule.format is RecordFormat.JSON else None
    if general is None:
        return found
    layout = f"{found.layout}{_named(general)}"
    rule = msgspec.structs.replace(keyed(found.rule, general), layout=layout)
    return found._replace(layout=layout, rule=rule, evidence=f"{found.evidence}; {general.evidence}")


def _with_inner(found: Choice, candidates: Sequence[Rule], lines: list[str], near_ms: int) -> Choice:
    """Add the layout of the messages in a container's log, unless the source has said how to read them."""
    texts = inner_lines(found.rule, lines)
    if found.rule.patterns or found.rule.multiline is not None or not texts:
        return found
    others = [rule for rule in candidates if rule.format not in CONTAINERS]
    inner = choose(others, "\n".join(texts) + "\n", near_ms)
    if not can_be_inside(inner.rule, texts):
        return found
    layout = f"{found.layout}+{inner.layout}"
    return found._replace(
        layout=layout,
        rule=msgspec.structs.replace(inside(found.rule, inner.rule), layout=layout),
        explained=found.explained * (inner.explained or 1.0),
        evidence=f"{found.evidence}; in its messages {inner.evidence}",
    )


# -- learned layouts -----------------------------------------------------------------------------------


def _learned_choice(raw: Rule, fits: list[Fit], lines: list[str], near_ms: int) -> Choice:
    general = learn(lines, near_ms)
    if general is None:
        return Choice(raw.layout, raw, 0.0, len(lines), f"{len(lines)} lines that look like nothing known")
    rule = _learned(raw, general)
    fit = fit_of(rule, lines, near_ms)
    better = max(fits, key=lambda other: other.share, default=fit)
    if better.share > fit.share:
        return _with_others(better, fits, raw, lines, near_ms)
    return Choice(_named(general), rule, fit.share if general.formats else 0.0, len(lines), general.evidence)


def _named(general: General) -> str:
    return msgspec.json.encode(msgspec.structs.replace(general, evidence="")).decode()


def _learned(raw: Rule, general: General) -> Rule:
    multiline = raw.multiline
    if multiline is None and general.continues:
        multiline = MultilineRule(start_at_stamp=True, timeout_ms=QUIET_MS)
    elif multiline is None and general.indented:
        multiline = MultilineRule(continue_=r"[ \t]", timeout_ms=QUIET_MS)
    return msgspec.structs.replace(
        raw,
        layout=_named(general),
        format=RecordFormat.PATTERN if general.patterns else RecordFormat.RAW,
        patterns=general.patterns,
        stamp=StampRule(None, general.formats, raw.stamp.zone),
        multiline=multiline,
    )
