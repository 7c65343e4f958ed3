"""Path patterns: `*`, `?`, `[...]`, `{a,b}` within a name, `**` for any directories.

A pattern becomes one regular expression over the whole path, whose groups are
its wildcards in order (for `${1}` in attributes), and a static prefix at
which a walk of the directories begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple


class PathPattern(NamedTuple):
    """A compiled pattern.

    Attributes:
        text: As written.
        prefix: The deepest directory that every match lies in.
        depth: How many directories below *prefix* a match can lie; None for any number.
        regex: Matches whole paths; one group a wildcard.
    """

    text: str
    prefix: str
    depth: int | None
    regex: re.Pattern[str]


def compile_patterns(text: str) -> list[PathPattern]:
    """Return the patterns that *text*, an absolute one, stands for: one for each choice of `{a,b}`.

    Raises:
        ValueError: It is not absolute, or a bracket is not closed.
    """
    return [_compile(choice, text) for choice in _choices(text)]


def _choices(text: str) -> Iterator[str]:
    begin = text.find("{")
    if begin < 0:
        yield text
        return
    depth = 0
    commas = [begin]
    for at in range(begin, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                commas.append(at)
                for left, right in pairwise(commas):
                    yield from _choices(text[:begin] + text[left + 1 : right] + text[at + 1 :])
                return
        elif text[at] == "," and depth == 1:
            commas.append(at)
    raise ValueError(f"'{{' is not closed in {text!r}")


def _compile(text: str, written: str) -> PathPattern:
    if not text.startswith("/"):
        raise ValueError(f"path pattern {written!r} is not absolute")
    parts = text.split("/")[1:]
    static: list[str] = []
    for part in parts[:-1]:
        if any(character in part for character in "*?["):
            break
        static.append(part)
    rest = parts[len(static) :]
    regex = "".join(_directories(part, last=index == len(rest) - 1) for index, part in enumerate(rest))
    prefix = "/" + "/".join(static)
    whole = re.escape(prefix.rstrip("/")) + "/" + regex
    depth = None if "**" in rest else len(rest) - 1
    return PathPattern(written, prefix, depth, re.compile(whole, re.DOTALL))


def _directories(part: str, *, last: bool) -> str:
    if part == "**":
        return "(.*)" if last else r"((?:[^/]+/)*)"
    return _name(part) + ("" if last else "/")


def _name(part: str) -> str:
    out = ""
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            while at < len(part) and part[at] == "*":
                at += 1
            out += "([^/]*)"
        elif character == "?":
            out += "([^/])"
        elif character == "[":
            close = part.find("]", at + (2 if part[at : at + 1] == "!" else 1))
            if close < 0:
                raise ValueError(f"'[' is not closed in {part!r}")
            inner = part[at:close].replace("\\", "\\\\")
            out += f"([{'^' if inner.startswith('!') else ''}{inner.lstrip('!')}])"
            at = close + 1
        else:
            out += re.escape(character)
    return out


class Excludes:
    """Paths that are left out: a pattern without `/` is for file names, else for whole paths."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Compile *texts*."""
        self._names = [re.compile(_name(choice), re.DOTALL) for t in texts if "/" not in t for choice in _choices(t)]
        self._paths = [p.regex for t in texts if "/" in t for p in compile_patterns(t)]

    def match(self, path: str) -> bool:
        """Return whether *path* is left out."""
        if not self._names and not self._paths:
            return False
        name = path.rpartition("/")[2]
        return any(regex.fullmatch(name) for regex in self._names) or any(r.fullmatch(path) for r in self._paths)


def wildcards(pattern: str, path: str) -> list[str] | None:
    """Return what the wildcards of *pattern* stand for in *path*; None where it does not match."""
    for compiled in compile_patterns(pattern):
        match = compiled.regex.fullmatch(path)
        if match is not None:
            return [group.removesuffix("/") if group else "" for group in match.groups()]
    return None
