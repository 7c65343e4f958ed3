"""Ready-made masks: what may be named as `mask: [{preset: email}]`.

Each pattern takes a bounded number of steps from any place in a text, so that
none can hold up a file. They would rather mask too much than too little, but
leave 13-digit instants alone. Source of the first four: the reference page,
section 9, tightened where its samples match any long number.
"""

from __future__ import annotations

from typing import Final

MASK_PRESETS: Final = {
    "email": r"[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}",
    "ipv4": r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\d|\.\d)",
    # Card numbers begin with 2 to 6; American Express has 15 digits in groups of 4, 6 and 5.
    "card": r"(?<!\d)(?:[2-6]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4,7}|3[47]\d\d[ -]?\d{6}[ -]?\d{5})(?!\d)",
    "phone": (
        r"(?<![\w.+])(?:(?:\+|00)[1-9]\d{0,2}(?:[ ./()-]{0,2}\d){6,12}"
        r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[ .-]\d{3}[ .-]\d{4})(?!\w)"
    ),
    "iban": r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    "jwt": r"\beyJ[\w-]{4,4096}\.[\w-]{1,8192}\.[\w-]{0,4096}",
    "bearer": r"\b[Bb](?:earer|EARER)[ \t]{1,8}([\w.~+/=-]{1,8192})",
}


def replacement(preset: str) -> str:
    """Return what stands in the place of a *preset*'s match unless the operator says otherwise."""
    return f"<masked-{preset}>"
