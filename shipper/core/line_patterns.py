"""Patterns for lines, made fit for a whole text of lines, and for text that is ASCII.

To find all lines of a chunk that begin a record, one walk over the text costs
a fraction of a `match` a line. That is the same only for a pattern that
cannot see past its line's end: most can be shown to be such by their text
alone, and are rewritten here; the others are matched line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

# One element of a pattern. What is not here (backward references, inline flags, escapes of control characters) may look
# over a line's end, or change its meaning within a longer pattern.
_TOKEN: Final = re.compile(
    r"""
      (?P<kept>   \\[dwSbBt.^$*+?{}\[\]|()/\\"'<>=!:;,&@#%~`_\ -]      # classes without LF; escaped marks
                | \(\?(?:[:=!>]|<[=!])                               # groups that capture nothing, looks around
                | [)|*?+.]
                | \{\d*(?:,\d*)?\}
                | [^\\()\[\]|*?+.{}^$\x00-\x1f]+ )                   # plain text
    | (?P<group>  \((?:\?P<[A-Za-z_]\w*>)?(?!\?) )
    | (?P<begin>  \^ )
    | (?P<end>    \$ )
    | (?P<others> \\[sDW] )
    | \[(?P<not>\^)?(?P<first>\]?)(?P<members>(?:\\[dwSsntDW.^$*+?{}\[\]|()/\\"'<>=!:;,&@#%~`_\ -]|[^\\\]\x00-\x1f])*)\]
    """,
    re.VERBOSE,
)
_OTHERS: Final = {r"\s": r"[^\S\n]", r"\D": r"[^\d\n]", r"\W": r"[^\w\n]"}
_HOLDS_NEWLINE: Final = re.compile(r"(?:[^\\]|\\[^nsDW])*?\\[nsDW]")
_UNICODE: Final = re.compile(r"\\[sSxuUN0-7]|\(\?[imsx]*[auL]")


def on_lines(pattern: str) -> str | None:
    """Return a pattern that matches at the beginning of each line of a text where *pattern* matches the line by itself.

    It captures nothing. None where that cannot be shown.
    """
    pieces: list[str] = []
    for piece in _pieces(pattern):
        if piece is None:
            return None
        pieces.append(piece)
    return "".join(pieces)


def _pieces(pattern: str) -> Iterator[str | None]:
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None or token.end() == at:
            yield None
            return
        at = token.end()
        if token["group"]:
            yield "(?:"
        elif token["begin"]:
            yield r"(?<![^\n])"
        elif token["end"]:
            yield r"(?![^\n])"
        elif token["others"]:
            yield _OTHERS[token["others"]]
        elif token["kept"]:
            yield token["kept"]
        else:
            yield _without_newline(token["not"] is not None, token["first"], token["members"])


def _without_newline(negated: bool, first: str, members: str) -> str | None:
    """Return a set without LF among what it matches."""
    bracket = r"\]" if first else ""
    if negated:
        return rf"[^\n{bracket}{members}]"
    return None if _HOLDS_NEWLINE.match(members) else f"[{bracket}{members}]"


def starts_after_newline(patterns: list[str], *, ascii_text: bool, negated: bool = False) -> re.Pattern[str] | None:
    """Return a pattern for the line ends after which one of *patterns* matches; *negated*: after which none does.

    None where one of them cannot be shown to keep to its line.
    """
    rewritten = [on_lines(pattern) for pattern in patterns]
    if not rewritten or None in rewritten:
        return None
    either = "|".join(f"(?:{text})" for text in rewritten)
    return compiled(f"\n(?{'!' if negated else '='}{either})", ascii_text=ascii_text)


def compiled(pattern: str, *, ascii_text: bool) -> re.Pattern[str]:
    r"""Compile *pattern*; for text that is known to be ASCII so that its classes are looked up in a small table.

    The same for such text: `\d`, `\w` and `\b` then mean the same. `\s` does not, since Unicode counts four control
    characters as blanks, nor does an escape that may mean a letter whose other case is ASCII.
    """
    same = pattern.isascii() and not _UNICODE.search(pattern)
    return re.compile(pattern, re.ASCII if ascii_text and same else 0)
