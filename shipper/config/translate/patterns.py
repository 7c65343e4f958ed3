"""Regular expressions of peers (RE2, Onigmo, Rust) as Python's; what has no equivalent is refused, never guessed."""

from __future__ import annotations

import re
from typing import Final

from shipper.config.patterns import pattern_problem

_POSIX: Final = {
    "alpha": "A-Za-z", "digit": "0-9", "alnum": "A-Za-z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "xdigit": "0-9A-Fa-f", "punct": r"!-/:-@\[-`{-~", "blank": r" \t", "word": r"\w", "cntrl": r"\x00-\x1f\x7f",
    "print": r"\x20-\x7e", "graph": r"\x21-\x7e",
}  # fmt: skip
_TOKEN: Final = re.compile(
    r"\\x\{(?P<code>[0-9A-Fa-f]{1,6})\}|\\k<(?P<back>\w+)>|(?P<escape>\\.)|\[:(?P<posix>\^?\w+):\]"
    r"|\(\?P?<(?P<group>[A-Za-z_][\w.@-]*)>|\(\?(?P<flags>[a-zA-Z-]+)\)|(?P<other>.)",
    re.DOTALL,
)
_KNOWN_LETTERS: Final = frozenset("ABbDdSsWwZafnrtvxuU0123456789")


def python_pattern(text: str, *, dialect: str = "re2", whole_record: bool = False) -> str:
    """Return *text* for Python's `re`.

    Args:
        text: As the peer has it.
        dialect: re2, rust or onigmo.
        whole_record: It will be matched from the beginning, while the peer searches it.

    Raises:
        ValueError: It says what has no equivalent.
    """
    pieces = list[str]()
    in_class = False
    for at, match in enumerate(_TOKEN.finditer(text)):
        piece = match[0]
        if match["code"]:
            piece = f"\\U{int(match['code'], 16):08x}"
        elif match["back"]:
            piece = f"(?P={match['back']})"
        elif match["escape"]:
            piece = _escape(piece, dialect, in_class)
        elif match["posix"] and in_class:
            piece = _posix(match["posix"])
        elif match["group"] and not in_class:
            piece = f"(?P<{group_identifier(match['group'])}>"
        elif match["flags"] and not in_class:
            piece = _flags(match["flags"], dialect, at)
        elif piece in {"[", "]", "^"}:
            piece, in_class = _bracket(piece, pieces, in_class)
        pieces.append(piece)
    result = "".join(pieces)
    if whole_record:
        result = _searched(result)
    problem = pattern_problem(result)
    if problem is not None:
        raise ValueError(problem)
    return result


def _bracket(piece: str, before: list[str], in_class: bool) -> tuple[str, bool]:
    if not in_class:
        return piece, piece == "["
    if piece == "[":
        return r"\[", True
    if piece == "^" and before[-1] == "[":
        before.pop()
        return "[^", True
    return piece, piece != "]" or before[-1] in {"[", "[^"}


def _searched(pattern: str) -> str:
    flags = re.match(r"\(\?[a-z]+\)", pattern)
    head = flags[0] if flags else ""
    rest = pattern[len(head) :]
    # An alternative may begin elsewhere than at the anchor of the first.
    is_anchored = rest.startswith(("^", r"\A")) and "|" not in rest
    return pattern if is_anchored else f"{head}(?s:.*?)(?:{rest})"


def group_identifier(name: str) -> str:
    """Return *name* as a group of Python: `__` stands for a dot."""
    return re.sub(r"\W", "_", name.replace(".", "__").lstrip("@"))


def _posix(name: str) -> str:
    if name not in _POSIX:
        raise ValueError(f"[:{name}:] has no equivalent")
    return _POSIX[name]


def _escape(piece: str, dialect: str, in_class: bool) -> str:
    letter = piece[1]
    if dialect == "onigmo" and letter in "hH":
        if in_class and letter == "H":
            raise ValueError(r"\H within [...] has no equivalent")
        return "0-9A-Fa-f" if in_class else "[0-9A-Fa-f]" if letter == "h" else "[^0-9A-Fa-f]"
    if letter == "z" or (letter == "Z" and dialect != "onigmo"):
        return r"\Z"
    if letter == "Z":
        return r"(?=\n?\Z)"
    if letter == "R":
        return r"(?:\r\n|[\n\v\f\r])"
    if letter == "e":
        return r"\x1b"
    if letter.isascii() and letter.isalnum() and letter not in _KNOWN_LETTERS:
        raise ValueError(f"{piece} has no equivalent")
    return piece


def _flags(flags: str, dialect: str, at: int) -> str:
    if at > 0 or not set(flags) <= set("imsx"):
        raise ValueError(f"(?{flags}) has no equivalent there; write (?{flags}:...)")
    # In Onigmo's Ruby syntax m is what s is elsewhere.
    return f"(?{flags.replace('m', 's')})" if dialect == "onigmo" else f"(?{flags})"
