"""Path parts in a source's attributes: `${1}` is what the path's first wildcard stands for, `${0}` the path.

Pure text work. A template keeps `$$` for a literal dollar until it is filled.
Which files a glob matches is discovery's business; this module only says which
part of a path that did match stands under which wildcard.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shipper.config.source_model import Source

_PART: Final = re.compile(r"\$\$|\$\{(\d+)\}")
_WILDCARD: Final = re.compile(r"/\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|\{[^{}]*\}")


def is_template(text: str) -> bool:
    """Return whether *text* takes a part of the path."""
    return any(match[1] for match in _PART.finditer(text))


def plain_text(text: str) -> str:
    """Return *text* without path parts as it is sent: `$$` becomes `$`."""
    return text.replace("$$", "$")


def parts_named(text: str) -> set[int]:
    """Return the numbers of the path parts that *text* takes."""
    return {int(match[1]) for match in _PART.finditer(text) if match[1]}


def wildcards(pattern: str) -> int:
    """Return how many wildcards *pattern* has; a `{a,b}` is one, whatever stands in it."""
    return _path_regex(pattern).groups


def fill_path_attributes(source: Source, path: str, pattern: str) -> dict[str, str]:
    """Return the attributes of *source* that take parts of *path*, which *pattern* has matched.

    An attribute that would be empty is left out.
    """
    templates = source.path_attributes
    if not templates:
        return {}
    match = _path_regex(pattern).fullmatch(path)
    parts = (path, *(part or "" for part in match.groups())) if match else (path,)
    filled = {key: _fill(text, parts) for key, text in templates.items()}
    return {key: text for key, text in filled.items() if text}


def _fill(text: str, parts: tuple[str, ...]) -> str:
    def part(match: re.Match[str]) -> str:
        if not match[1]:
            return "$"
        number = int(match[1])
        return parts[number] if number < len(parts) else ""

    return _PART.sub(part, text)


@lru_cache(maxsize=1024)
def _path_regex(pattern: str) -> re.Pattern[str]:
    regex, at = "", 0
    for match in _WILDCARD.finditer(pattern):
        regex += re.escape(pattern[at : match.start()]) + _wildcard_regex(match[0])
        at = match.end()
    return re.compile(regex + re.escape(pattern[at:]), re.DOTALL)


def _wildcard_regex(wildcard: str) -> str:
    if wildcard == "/**/":
        return "/(?:(.*)/)?"
    if wildcard == "**":
        return "(.*)"
    if wildcard.startswith("["):
        inside = wildcard[1:-1]
        negated = inside.startswith("!")
        escaped = re.escape(inside[1:] if negated else inside).replace(r"\-", "-")
        return f"([{'^' if negated else ''}{escaped}])"
    if wildcard.startswith("{"):
        choices = wildcard[1:-1].split(",")
        return "(" + "|".join(_plain_regex(choice) for choice in choices) + ")"
    return "([^/]*)" if wildcard == "*" else "([^/])"


def _plain_regex(text: str) -> str:
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in text)
