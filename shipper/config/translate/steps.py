"""Steps that several peers' translations share: each checks what it takes, and notes why it cannot."""

from __future__ import annotations

import codecs

from shipper.config.translate.common import Draft, Given
from shipper.config.translate.patterns import python_pattern
from shipper.config.units import duration_seconds, duration_text


def add_pattern(draft: Draft, key: str, given: Given | None, *, dialect: str = "re2", text: str | None = None) -> bool:
    """Put each pattern of *given*, or its part *text*, at *key*; return whether the last one could be translated."""
    done = False
    for one in given.items() if given else []:
        try:
            is_border = key.startswith("multiline.")
            pattern = python_pattern(
                one.text if text is None else text, dialect=dialect, whole_record=is_border or key == "pattern"
            )
        except ValueError as error:
            one.leave_rest(str(error))
            done = False
            continue
        part, _, inner = key.partition(".")
        if inner:
            draft.part(part)[inner] = pattern
        elif key == "pattern":
            draft.keys[key] = pattern
        else:
            draft.add(key, pattern)
        one.became(key)
        done = True
    return done


def ignore_older(draft: Draft, given: Given | None, unit: str = "") -> None:
    """Take a duration as `ignore_older`; 0 means off there."""
    seconds = _seconds(given, unit)
    if given and seconds:
        draft.keys["ignore_older"] = duration_text(seconds)
        given.became("ignore_older")


def set_timeout(draft: Draft, given: Given | None, unit: str = "") -> None:
    """Take a duration as `multiline.timeout`."""
    seconds = _seconds(given, unit)
    if given and seconds:
        draft.part("multiline")["timeout"] = duration_text(seconds)
        given.became("multiline.timeout")


def set_encoding(draft: Draft, given: Given | None) -> None:
    """Take the name of an encoding, where Python knows it."""
    if given is None:
        return
    name = {"plain": "auto", "utf-16-bom": "utf-16", "utf-16le-bom": "utf-16", "utf-16be-bom": "utf-16"}.get(
        given.text.lower(), given.text
    )
    try:
        if name != "auto":
            codecs.lookup(name)
    except LookupError:
        given.leave_rest(f"no codec is called {name!r}")
        return
    draft.keys["encoding"] = name
    given.became("encoding")


def _seconds(given: Given | None, unit: str) -> float:
    if given is None:
        return 0.0
    try:
        return duration_seconds(given.text + unit)
    except ValueError as error:
        given.leave_rest(str(error))
        return 0.0
