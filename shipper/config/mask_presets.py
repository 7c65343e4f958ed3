"""Ready-made masks: what may be named as `mask: [{preset: email}]`.

Each pattern takes a bounded number of steps from any place in a text, or can
begin only where no run of its own characters goes on, so that none can hold up
a file. They would rather mask too much than too little; where digits can be
checked (card, iban) or read (ipv6), look-alikes are left alone. Source of the
first ideas: the reference page, section 9, whose samples match any long number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from shipper.config.source_model import MaskKeys
from shipper.core.rule import MaskRule

DEFAULT_REPLACEMENT: Final = "****"


class MaskPattern(NamedTuple):
    """One pattern of a preset; *check* and *names* as in `MaskRule`."""

    pattern: str
    check: str = ""
    names: str = ""


_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_KEYS_OF_LOGINS: Final = r"passwor[dt]|passwd|passphrase|passcode|kennwort|(?<![A-Za-z])(?:pwd|pass|pw)"
_KEYS_OF_ACCESS: Final = (
    r"(?:access|refresh|auth|id|api|session|bearer|csrf|xsrf)[_-]?token|(?<![A-Za-z])token|api[_-]?key|access[_-]?key"
    r"|secret[_-]?key|private[_-]?key|client[_-]?secret|(?<![A-Za-z])secret"
)
# What may stand after a key's equals sign or colon: a text in quotes, or a bare word without the punctuation behind it.
# Quotes of JSON in JSON have a backslash, those of JSON in that have three; only as many end what they begin.
_ESCAPED_TEXTS: Final = "|".join(
    rf"(?<={backslashes}\")(?:(?!(?<!\\){backslashes}\").)+" for backslashes in (r"\\" * 7, r"\\" * 3, r"\\")
)
_VALUE: Final = (
    rf"(?:\\{{0,7}}[\"']|%22)?({_ESCAPED_TEXTS}"
    r"|(?<=\")(?:[^\"\\]|\\.)+|(?<=')(?:[^'\\]|\\.)+"
    r"|[^\s\"'&;\\]*[^\s\"'&;\\,)}\]])"
)
_AFTER_KEY: Final = r"(?:\\{0,7}[\"']|%22|\\)?\s{0,4}(?:=>|[:=]|%3[AaDd])\s{0,4}"
_KNOWN_TOKENS: Final = (
    r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}"
    r"|gh[opsur]_\w{20,255}|github_pat_\w{20,255}|glpat-[\w-]{20,255}"
    r"|xox[abeoprs]-[\w-]{10,255}|[rsp]k_(?:live|test)_\w{16,255}|sk-[\w-]{20,255}"
    r"|(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,1024}"
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{40,512}|hv[sbr]\.[\w-]{20,512}|SG\.[\w-]{16,64}\.[\w-]{16,64}"
)

MASK_PRESETS: Final[dict[str, tuple[MaskPattern, ...]]] = {
    "email": (MaskPattern(r"\w[\w.+%'-]{0,63}(?:@|%40)(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}"),),
    "ipv4": (MaskPattern(rf"(?<!\d)(?<!\d\.)(?:{_OCTET}\.){{3}}{_OCTET}(?!\d|\.\d)"),),
    "ipv6": (
        MaskPattern(
            r"(?<!\w)(?<![0-9A-Fa-f]:)(?<!::)(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{3,39}(?:(?<=:)\d{1,3})?(?:\.\d{1,3}){0,3}",
            check="ipv6",
        ),
    ),
    "card": (MaskPattern(r"(?<!\d)[2-6]\d{2,18}(?:[ -]\d{3,18}){0,5}(?!\d)", check="card"),),
    "phone": (
        MaskPattern(
            r"(?<![\w.+])(?:(?:\+|00)[1-9]\d{0,2}(?:[ ./()-]{0,2}\d){6,12}"
            r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[ .-]\d{3}[ .-]\d{4})(?!\w)"
        ),
    ),
    "iban": (MaskPattern(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}", check="iban"),),
    "jwt": (MaskPattern(r"(?<![\w-])eyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*){1,3}"),),
    "bearer": (
        # A token has a digit or is long: the bearer of bad news has neither.
        MaskPattern(r"\b[Bb](?:earer|EARER)[ \t]{1,8}((?=[\w.~+/=-]{0,200}\d)[\w.~+/=-]{6,}|[\w.~+/=-]{20,})"),
        MaskPattern(
            r"(?i:\b(?:proxy-)?authorization)" + _AFTER_KEY + r"[\"']?(?i:basic|digest|api-token|token)[ \t]{1,8}"
            r"([^\s\"']+)"
        ),
    ),
    "api_token": (
        MaskPattern(rf"(?<![A-Za-z0-9])(?:{_KNOWN_TOKENS})"),
        MaskPattern(r"\b[Aa]pi-[Tt]oken[ \t]{1,8}([\w.~+/=-]{6,})"),
        MaskPattern(
            rf"(?i:{_KEYS_OF_ACCESS}){_AFTER_KEY}{_VALUE}", names=rf"(?:.*[^A-Za-z])?(?:x-)?(?:{_KEYS_OF_ACCESS})"
        ),
    ),
    "password": (
        MaskPattern(
            rf"(?i:{_KEYS_OF_LOGINS}){_AFTER_KEY}{_VALUE}",
            names=rf"(?:.*[^A-Za-z]|[a-z0-9]*)(?:{_KEYS_OF_LOGINS})",
        ),
        MaskPattern(rf"(?i:<(?:\w{{1,32}}:)?(?:{_KEYS_OF_LOGINS})(?:\s[^<>]{{0,256}})?>)(<!\[CDATA\[[^\]]+|[^<]+)"),
        MaskPattern(rf"(?<=[\s\"'])--?(?i:{_KEYS_OF_LOGINS})[ \t]{{1,8}}([^\s-]\S*)"),
        MaskPattern(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"']{0,128}:([^\s/@\"']{1,256})@"),
    ),
}


def mask_rules(mask: MaskKeys) -> Iterator[MaskRule]:
    """Give what *mask* asks for, in the order in which it is applied."""
    if mask.preset is None:
        yield MaskRule(
            pattern=mask.pattern or "", replace=DEFAULT_REPLACEMENT if mask.replace is None else mask.replace
        )
        return
    replace = f"<masked-{mask.preset}>" if mask.replace is None else mask.replace
    for pattern, check, names in MASK_PRESETS[mask.preset]:
        yield MaskRule(pattern=pattern, replace=replace, check=check, names=names)
