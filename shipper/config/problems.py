"""What is wrong with a configuration, gathered so that the operator mends the file in one go.

Owns the shape of a message: `agent.yaml:14: sources[2].pattern: what is wrong; how to mend it`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from shipper.errors import ConfigError

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


class Problems:
    """The problems of one file, in the order of its lines."""

    def __init__(self, file: str) -> None:
        """*file*: its name as the operator knows it."""
        self.file = file
        self._found: list[tuple[int, str, KeyPath]] = []

    def add(self, path: KeyPath, text: str, *, line: int) -> None:
        """Note that the value at *path* is wrong."""
        self._found.append((line, text, path))

    def any_under(self, path: KeyPath) -> bool:
        """Return whether a value at or under *path* is wrong: what depends on it need not be looked at."""
        return any(found[: len(path)] == path for _, _, found in self._found)

    def lines(self) -> list[str]:
        """Return one line for each problem, in file order."""
        rows = sorted(self._found, key=lambda row: row[0])
        return [self._line(*row) for row in dict.fromkeys(rows)]

    def _line(self, line: int, text: str, path: KeyPath) -> str:
        place = f"{path_text(path)}: " if path else ""
        return f"{self.file}:{line}: {place}{text}".replace("\n", "\\n")


def raise_any(*files: Problems) -> None:
    """Raise what was found in *files*, if anything was.

    Raises:
        ConfigError: something is wrong.
    """
    lines = [line for problems in files for line in problems.lines()]
    if lines:
        raise ConfigError(lines)
