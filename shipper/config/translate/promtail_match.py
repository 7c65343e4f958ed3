"""Promtail's `match` stage: what its selector says of a whole source, or of the lines that a source leaves out.

Labels that a target has from the start are known; those that a stage makes
from a line are not, and a selector that asks for one is not decided here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shipper.config.patterns import pattern_problem
from shipper.config.translate.common import Draft, Given
from shipper.config.translate.patterns import python_pattern

_TEXT: Final = r'(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)\s*'
_LABEL: Final = re.compile(rf"\s*(?P<name>[A-Za-z_]\w*)\s*(?P<how>=~|!~|!=|=)\s*{_TEXT}(?:,|(?=\}}))")
_FILTER: Final = re.compile(rf"\s*(?P<how>\|=|\|~|!=|!~)\s*{_TEXT}")
_FLAGS: Final = re.compile(r"\(\?([imsx]+)\)")
_SOME_LINES: Final = "stages for some lines only: a source reads every line by the same rules; write them by hand"


class Term(NamedTuple):
    """A condition: on a label, or on the line where *name* is empty."""

    name: str
    how: str
    text: str


@dataclass
class Labels:
    """What is known of a target's labels at a stage.

    Attributes:
        known: Those that every line has.
        made: Names that stages make from lines, or that are made otherwise before.
        relabelled: Whether rules that are not read here may have changed any of them.
    """

    known: dict[str, str]
    made: set[str] = field(default_factory=lambda: {"filename"})
    relabelled: bool = False

    def hold(self, term: Term) -> bool | None:
        """Return whether *term* holds for every line, or for none (False); None where that is not known."""
        if self.relabelled or term.name in self.made:
            return None
        value = self.known.get(term.name, "")  # a label that is not there is an empty one
        if term.how in {"=", "!="}:
            return (value == term.text) is (term.how == "=")
        return (re.fullmatch(python_pattern(term.text), value) is not None) is (term.how == "=~")


def match(given: Given, draft: Draft, labels: Labels, stage: Callable[[Given, Draft, Labels], None]) -> None:
    """Take a `match` stage as far as it can be said; *stage* takes those within it."""
    selector, action, stages = given.get("selector"), given.get("action"), given.get("stages")
    if selector is None:
        return
    try:
        terms = terms_of(selector.text)
        answers = {labels.hold(term) for term in terms if term.name}
        lines = [term for term in terms if not term.name]
        dropped = dropping(lines) if action is not None and action.text == "drop" else None
    except ValueError as error:
        given.leave_rest(str(error))
        return
    if False in answers:  # of this target; another one of the same job may have it
        return
    if None in answers:
        given.leave_rest("its selector asks for a label that is made from the line, or by relabel_configs")
    elif dropped is not None:
        _drop(given, draft, dropped)
    elif lines:
        given.leave_rest(_SOME_LINES)
    else:
        selector.became("every line of this source")
        for one in stages.items() if stages else []:
            stage(one, draft, labels)
        if action is not None:
            action.became("the stages within it")


def _drop(given: Given, draft: Draft, pattern: str) -> None:
    if not pattern:
        given.leave_rest("it drops every line of this source: leave the source out")
        return
    draft.add("drop", pattern)
    for name in ("selector", "action"):
        if value := given.get(name):
            value.became("drop")


def terms_of(selector: str) -> list[Term]:
    """Return the conditions of a LogQL selector, all of which must hold.

    Raises:
        ValueError: It says what is not known here.
    """
    selector = selector.strip()
    end = 1
    terms = list[Term]()
    while selector.startswith("{") and (found := _LABEL.match(selector, end)):
        terms.append(Term(found["name"], found["how"], _unquoted(found["text"])))
        end = found.end()
    if not selector.startswith("{") or selector[end : end + 1] != "}":
        raise ValueError("its selector is not one of labels and filters of lines")
    end += 1
    while found := _FILTER.match(selector, end):
        terms.append(Term("", found["how"], _unquoted(found["text"])))
        end = found.end()
    if selector[end:].strip():
        raise ValueError(f"its selector goes on with {selector[end:].strip()!r}, which no rule can say")
    return terms


def dropping(lines: list[Term]) -> str:
    """Return one pattern that is found where all of *lines* hold; empty where there are none."""
    found = [(term.how.startswith("|"), _grouped(term)) for term in lines]
    if len(found) == 1 and found[0][0]:
        return found[0][1]
    looks = "".join(f"(?{'=' if wanted else '!'}.*?{pattern})" for wanted, pattern in found)
    whole = rf"(?s)\A{looks}" if looks else ""
    problem = pattern_problem(whole)
    if problem is not None:
        raise ValueError(problem)
    return whole


def _grouped(term: Term) -> str:
    """Return the pattern of a filter so that it can stand within another one."""
    if term.how in {"|=", "!="}:
        return re.escape(term.text)
    pattern = python_pattern(term.text)
    flags = _FLAGS.match(pattern)
    if flags is not None:
        return f"(?{flags[1]}:{pattern[flags.end() :]})"
    return f"(?-s:{pattern})"


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        raise ValueError(f"{text} has an escape that is not known here; write it in backquotes") from None
