"""What is wrong with a configuration, gathered so that the operator mends the file in one go.

Owns the shape of a message: `agent.yaml:14: sources[2].pattern: what is wrong; how to mend it`.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable
from typing import Final, NamedTuple

from shipper.errors import ConfigError, ConfigPlace

_LINE_ENDS: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_EXCERPT_CHARACTERS: Final = 100
_MAY_HOLD_A_SECRET: Final = re.compile(
    r"\btoken\b\s*[\"']?\s*:|//[^/\s]*@|[?&][\w.-]*token|dt0[a-z]\d\d\.", re.IGNORECASE
)

# What stands at a wrong place: a quoted text, else up to what ends a plain one.
_WORD: Final = re.compile(
    r"""\$\{[^}]*\}|'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^\s,\[\]{}#'"][^,\[\]{}#]*?(?=\s*(?:[,\]}#]|:(?:\s|$)|$))"""
)
_BEFORE_A_WORD: Final = ("", " ", "\t", "[", "{", ",")
_GUTTER: Final = " | "
_LEAST_SHOWN: Final = 10

KeyPath = tuple[str | int, ...]


def path_text(path: KeyPath) -> str:
    """Return *path* as an operator writes it: `sources[2].severity.rules[0].match`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of *known* that *word* most likely means, or None."""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def known_words(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about *word*: the nearest known one, or all of them."""
    choices = list(known)
    close = nearest(word, choices)
    if close is not None:
        return f"did you mean {close!r}?"
    return f"known are {', '.join(choices)}"


class Problem(NamedTuple):
    """One thing that is wrong; *line* and *column* count from 1, column 0 is not known."""

    line: int
    text: str
    path: KeyPath
    column: int = 0


class Problems:
    """The problems of one file, in the order of its lines."""

    def __init__(self, file: str) -> None:
        """*file*: its name as the operator knows it."""
        self.file = file
        self._source: list[str] = []
        self._found: list[Problem] = []

    def set_source(self, text: str) -> None:
        """Keep the *text* of the file, to show the places in it."""
        self._source = _LINE_ENDS.split(text)

    def add(self, path: KeyPath, text: str, *, line: int, column: int = 0) -> None:
        """Note that the value at *path* is wrong."""
        self._found.append(Problem(line, text, path, column))

    def any_under(self, path: KeyPath) -> bool:
        """Return whether a value at or under *path* is wrong: what depends on it need not be looked at."""
        return any(found.path[: len(path)] == path for found in self._found)

    def source_line(self, line: int) -> str:
        """Return the text of a line, empty where it is not known."""
        return self._source[line - 1] if 0 < line <= len(self._source) else ""

    def lines(self) -> list[str]:
        """Return one line for each problem, in file order."""
        return [self._line(problem) for problem in self._in_order()]

    def excerpts(self) -> list[str]:
        """Return for each of `lines` its place in the file with a caret; empty where it may show a secret."""
        return [self._excerpt(problem) for problem in self._in_order()]

    def places(self) -> list[ConfigPlace]:
        """Return each of `lines` in its parts."""
        return [ConfigPlace(self.file, one.line, one.column, path_text(one.path), one.text) for one in self._in_order()]

    def _in_order(self) -> list[Problem]:
        by_message = {problem[:3]: problem for problem in reversed(self._found)}
        once = [problem for problem in self._found if by_message[problem[:3]] is problem]
        return sorted(once, key=lambda problem: problem.line)

    def _line(self, problem: Problem) -> str:
        place = f"{path_text(problem.path)}: " if problem.path else ""
        return f"{self.file}:{problem.line}: {place}{problem.text}".replace("\n", "\\n")

    def _excerpt(self, problem: Problem) -> str:
        source = self.source_line(problem.line)
        if not source.strip() or "token" in problem.path or _MAY_HOLD_A_SECRET.search(source):
            return ""
        caret = (problem.column or len(source) - len(source.lstrip()) + 1) - 1
        begin = max(0, caret - _EXCERPT_CHARACTERS // 2) if len(source) > _EXCERPT_CHARACTERS else 0
        # A place inside a value (where a pattern goes wrong) is one character.
        word = _WORD.match(source, caret) if source[caret - 1 : caret] in _BEFORE_A_WORD else None
        mark = "^" * (min(word.end(), begin + _EXCERPT_CHARACTERS) - caret if word is not None else 1)
        # Control characters of a file are not for a terminal; a tab takes one place, as the caret counts it.
        shown = "".join(c if c.isprintable() else " " for c in source[begin : begin + _EXCERPT_CHARACTERS])
        number = f"{problem.line:>5}"
        return f"{number}{_GUTTER}{shown}\n{' ' * len(number)}{_GUTTER}{' ' * (caret - begin)}{mark}"


def fitted(excerpt: str, columns: int) -> str:
    """Return an excerpt (see `Problems.excerpts`) that fits a terminal of so many *columns*: cut round the caret."""
    source, _, marks = excerpt.partition("\n")
    gutter = source.find(_GUTTER) + len(_GUTTER)
    room = max(_LEAST_SHOWN, columns - gutter)
    if max(len(source), len(marks)) <= gutter + room:
        return excerpt
    caret = marks.index("^") - gutter
    begin = max(0, min(caret - room // 3, len(source) - gutter - room))
    lines = (line[:gutter] + line[gutter + begin : gutter + begin + room] for line in (source, marks))
    return "\n".join(lines)


def wrapped(text: str, columns: int) -> str:
    """Return *text* broken at spaces; a word that is longer than a line (a path, a pattern) stays whole."""
    return textwrap.fill(text, max(columns, 20), break_long_words=False, break_on_hyphens=False)


def raise_any(*files: Problems) -> None:
    """Raise what was found in *files*, if anything was.

    Raises:
        ConfigError: something is wrong.
    """
    lines = [line for problems in files for line in problems.lines()]
    if lines:
        excerpts = [excerpt for problems in files for excerpt in problems.excerpts()]
        raise ConfigError(lines, excerpts, [place for problems in files for place in problems.places()])
