"""Promtail's `template` stage: constants, words in another case, and words of levels in place of others."""

from __future__ import annotations

import re
from typing import Final

from shipper.config.patterns import group_names
from shipper.config.translate.common import Draft, Given
from shipper.core.severity import severity_of

_LEVELS: Final = frozenset(["level", "severity"])
_VALUE: Final = r"\.(?P<{}>[A-Za-z_]\w*)"
_SAME: Final = re.compile(rf"\{{\{{-?\s*{_VALUE.format('name')}\s*-?\}}\}}")
_CASE: Final = re.compile(
    r"\{\{-?\s*(?:(?:ToLower|ToUpper|lower|upper)\s+\.(?P<first>\w+)"
    r"|\.(?P<last>\w+)\s*\|\s*(?:ToLower|ToUpper|lower|upper))\s*-?\}\}"
)
_ACTION: Final = re.compile(r"\{\{-?\s*(?P<what>.*?)\s*-?\}\}", re.DOTALL)
_EQ: Final = re.compile(r'eq\s+\.(?P<name>\w+)(?P<words>(?:\s+(?:"[^"\\]*"|`[^`]*`))+)')
_OR: Final = re.compile(rf"or(?:\s+\({_EQ.pattern}\))+".replace("(?P<name>", "(?:").replace("(?P<words>", "(?:"))
_WORD: Final = re.compile(r'"([^"\\]*)"|`([^`]*)`')

Cases = tuple[str, dict[str, str], str]


def template(given: Given, draft: Draft) -> None:
    """Take a `template` stage as far as it can be said."""
    source, text = given.get("source"), given.get("template")
    if source is None or text is None:
        return
    same, case = _SAME.fullmatch(text.text.strip()), _CASE.fullmatch(text.text.strip())
    if "{{" not in text.text:
        _constant(given, draft, source.text, text)
    elif same is not None and same["name"] in {"Value", source.text}:
        given.became("nothing to do: the value stays as it is")
    elif case is not None and _meant(case["first"] or case["last"], source.text) in _levels(draft):
        given.became("severity: its words count in either case")
    elif (cases := cases_of(text.text, source.text)) is not None:
        _severities(given, draft, cases)
    else:
        given.leave_rest("a value is sent as it is written: only words of a level can stand for others")


def _constant(given: Given, draft: Draft, name: str, text: Given) -> None:
    if name in _found_in_lines(draft) or draft.keys.get("format") == "json":
        given.leave_rest(f"{name} may be a value of the line, which stays as it is written")
        return
    draft.attribute(name, text)
    given.became(f"attributes.{name}")


def _severities(given: Given, draft: Draft, cases: Cases) -> None:
    name, words, default = cases
    known = {word: severity_of(becomes, {}) for word, becomes in words.items()}
    otherwise = severity_of(default, {}) if default else None
    if None in known.values() or (default and otherwise is None):
        given.leave_rest("its words are no levels, and no other value can be written anew")
        return
    if name not in _levels(draft) and name not in _found_in_lines(draft) and draft.keys.get("format") != "json":
        given.leave_rest(f"no group of the pattern and no JSON key is called {name}")
        return
    by_word = dict[str, str]()
    for word, severity in known.items():
        if by_word.setdefault(word.lower(), str(severity)) != severity:
            given.leave_rest("a word means one level here, in whatever case")
            return
    part = draft.part("severity")
    if name not in _LEVELS:
        part["field"] = name
    first = {word.lower(): word for word in reversed(words)}
    part["map"] = {first[word]: severity for word, severity in by_word.items()}
    if otherwise is not None:
        part["default"] = otherwise
    given.became("severity.map")


def cases_of(text: str, source: str) -> Cases | None:
    """Return the value that `{{ if eq .Value "W" }}warn{{ else if ... }}` asks for, what each word becomes, and else.

    What comes else is empty where the value stays; None is for what is not of this form.
    """
    text = text.strip()
    pieces, at = list[tuple[str, str]](), 0
    for action in _ACTION.finditer(text):
        if not pieces and action.start():
            return None
        if pieces:
            pieces[-1] = (pieces[-1][0], text[at : action.start()].strip())
        pieces.append((action["what"], ""))
        at = action.end()
    return _read(_joined(pieces), source) if pieces and pieces[-1][0] == "end" and at == len(text) else None


def _joined(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return *pieces* with the value that follows an `else` as its text: `{{ else }}{{ .Value }}` leaves it."""
    if len(pieces) > 2 and pieces[-3] == ("else", "") and pieces[-2][1] == "":
        return [*pieces[:-3], ("else", "{{" + pieces[-2][0] + "}}"), pieces[-1]]
    return pieces


def _read(pieces: list[tuple[str, str]], source: str) -> Cases | None:
    words, names, default = dict[str, str](), set[str](), ""
    for number, (what, becomes) in enumerate(pieces[:-1]):
        condition = what.removeprefix("else ").removeprefix("if ").strip()
        asked = list(_EQ.finditer(condition))
        is_case = _EQ.fullmatch(condition) or _OR.fullmatch(condition)
        if is_case and what.startswith("else if " if number else "if "):
            for one in asked:
                names.add(_meant(one["name"], source))
                words |= {found[1] or found[2]: becomes for found in _WORD.finditer(one["words"])}
        elif what == "else" and number == len(pieces) - 2:
            stays = _SAME.fullmatch(becomes) or _CASE.fullmatch(becomes)
            default = "" if stays else becomes
        else:
            return None
    return (names.pop(), words, default) if len(names) == 1 else None


def _meant(name: str, source: str) -> str:
    return source if name == "Value" else name


def _found_in_lines(draft: Draft) -> frozenset[str]:
    pattern = draft.keys.get("pattern")
    return frozenset(group_names(pattern)) if isinstance(pattern, str) else frozenset()


def _levels(draft: Draft) -> frozenset[str]:
    severity = draft.keys.get("severity")
    own = severity.get("field") if isinstance(severity, dict) else None
    return _LEVELS | ({own} if isinstance(own, str) else set())
