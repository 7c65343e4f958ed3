"""Text that must not leave the process, replaced before anything else is done with it.

A pattern alone would mask every long number as a card. Where a `MaskRule` names
a check, only what passes it is replaced: of each match the longest beginning
that ends where a word ends. JSON can write any letter as an escape: a text in
which the masks find more once its escapes are letters is sent with the letters.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from shipper.core.model import AttributeValue, Scalar
from shipper.core.rule import MaskRule

Mask = Callable[[str], str]
_IPV6_COLONS: Final = 7
_NAMES_KEPT: Final = 10_000
# JSON in JSON has its own backslashes escaped.
_ESCAPES: Final = re.compile(r"(\\{1,8})(?:u([0-9A-Fa-f]{4})|/)")


def compile_masks(rules: Sequence[MaskRule]) -> Mask | None:
    """Return one function that applies *rules* in order, each on the result of the one before; None for no rules."""
    if not rules:
        return None
    steps = [_compile(rule) for rule in rules]

    def apply(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    def mask(text: str) -> str:
        masked = apply(text)
        if "\\u" not in masked and "\\/" not in masked:
            return masked
        spelled_out = _ESCAPES.sub(_letter, masked)
        again = apply(spelled_out)
        return masked if again == spelled_out else again

    return mask


def _letter(escape: re.Match[str]) -> str:
    """Return what an escape of JSON stands for; what has to be escaped keeps its backslashes."""
    backslashes, digits = escape.groups()
    if digits is None:
        return "/"
    letter = chr(int(digits, 16))
    if letter in '"\\':
        return backslashes + letter
    return letter if letter.isprintable() else escape[0]


def _compile(rule: MaskRule) -> Mask:
    pattern = re.compile(rule.pattern)
    replace = rule.replace
    if rule.check:
        return _checked(pattern, CHECKS[rule.check], replace)
    if pattern.groups != 1:
        return lambda text: pattern.sub(lambda _: replace, text)

    def one_group(match: re.Match[str]) -> str:
        begin, end = match.span(1)
        if begin < 0:
            return match[0]
        offset = match.start()
        return match[0][: begin - offset] + replace + match[0][end - offset :]

    return lambda text: pattern.sub(one_group, text)


def _checked(pattern: re.Pattern[str], passes: Callable[[str], bool], replace: str) -> Mask:
    search = pattern.search

    def mask(text: str) -> str:
        pieces: list[str] = []
        kept = at = 0
        while (match := search(text, at)) is not None:
            begin = match.start()
            end = next((end for end in _ends(text, begin, match.end()) if passes(text[begin:end])), begin)
            if end > begin:
                pieces += (text[kept:begin], replace)
                kept = at = end
            else:
                # What the match ran on into may be a secret of its own.
                at = begin + 1
        return "".join((*pieces, text[kept:])) if pieces else text

    return mask


def _ends(text: str, begin: int, end: int) -> Iterator[int]:
    """Give the places from *end* down where a word ends, as seen from *begin*."""
    for at in range(end, begin, -1):
        if not text[at : at + 1].isalnum() and (text[at - 1].isalnum() or text[at - 2 : at] == "::"):
            yield at


def is_card(text: str) -> bool:
    """Return whether *text*, digits with blanks or dashes, is a payment card's number by length, issuer and Luhn.

    Stamps written in digits are none: those of this age begin with 1 or with 20.
    """
    digits = text.replace(" ", "").replace("-", "")
    length, first = len(digits), digits[:1]
    issued = (
        (length == 16 and (first in "3456" or "2221" <= digits[:4] <= "2720"))
        or (length == 15 and digits[:2] in {"34", "37"})
        or (length == 14 and first == "3")
        or (length == 13 and first == "4")
        or (length in {17, 18} and first in "56")
        or (length == 19 and first in "456")
    )
    return issued and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    total = sum(map(int, digits[-1::-2]))
    for digit in digits[-2::-2]:
        double = 2 * int(digit)
        total += double - 9 if double > 9 else double
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """Return whether *text* is an account number by its check digits (ISO 13616: modulo 97)."""
    plain = text.replace(" ", "").replace("-", "")
    if not 15 <= len(plain) <= 34 or not plain.isascii() or not plain.isalnum():
        return False
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def is_ipv6(text: str) -> bool:
    """Return whether *text* is an IPv6 address; a time of day and a MAC address are none."""
    if "::" not in text and text.count(":") < _IPV6_COLONS - ("." in text):
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


CHECKS: Final[dict[str, Callable[[str], bool]]] = {"card": is_card, "iban": is_iban, "ipv6": is_ipv6}
"""What a `MaskRule` may name as its check."""


def mask_value(mask: Mask, value: AttributeValue) -> AttributeValue:
    """Return an attribute's *value* masked; a number in which something is replaced becomes a text."""
    if isinstance(value, list):
        return [_mask_scalar(mask, item) for item in value]
    return _mask_scalar(mask, value)


def _mask_scalar(mask: Mask, value: Scalar) -> Scalar:
    if isinstance(value, str):
        return mask(value)
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    masked = mask(text)
    return value if masked == text else masked


def name_masks(rules: Sequence[MaskRule]) -> Callable[[str], str | None]:
    """Return a function from an attribute's name to what stands for its value; None where the value is read."""
    steps = [(re.compile(rule.names, re.IGNORECASE), rule.replace) for rule in rules if rule.names]

    def of_name(name: str) -> str | None:
        return next((replace for pattern, replace in steps if pattern.fullmatch(name)), None)

    return lru_cache(maxsize=_NAMES_KEPT)(of_name)


def kept(mask: Mask) -> Mask:
    """Return *mask* with its answers kept, for texts that come again and again, as the names of attributes do."""
    return lru_cache(maxsize=_NAMES_KEPT)(mask)


def mask_behind(mask: Mask, tail: str, text: str) -> str:
    """Return *text* masked as what goes on behind *tail*, which is masked and has been sent."""
    whole = mask(tail + text)
    same = next((index for index, (a, b) in enumerate(zip(tail, whole, strict=False)) if a != b), len(tail))
    return whole[same:]
