"""What the tests beside a rule must be, before any of them is run (cli/check_rules.py runs them)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shipper.config.place import Place
from shipper.config.problems import known_words
from shipper.config.source_model import Expected, RuleTest
from shipper.core.severity import SEVERITIES

NO_STAMP: Final = "none"
"""The word for a record without a readable stamp, in `expect.timestamp`."""


def check_tests(tests: Sequence[RuleTest], place: Place) -> None:
    """Note in *place* what no record could ever become."""
    for number, test in enumerate(tests):
        at = place.at(number)
        if not test.line.strip():
            at.at("line").wrong("a blank line is no record; write a line as it stands in the file")
        if test.written is not None and instant_ms(test.written) is None:
            _not_an_instant(test.written, at.at("written"))
        _check_expected(test.expect, at.at("expect"))


def instant_ms(text: str) -> int | None:
    """Return the instant that *text* names, in milliseconds; None where it is not RFC 3339."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo is None else round(at.timestamp() * 1000)


def _check_expected(expected: Expected, place: Place) -> None:
    if expected.severity is not None and expected.severity not in SEVERITIES:
        words = known_words(expected.severity, SEVERITIES)
        place.at("severity").wrong(f"no record is sent with the severity {expected.severity!r}; {words}")
    stamp = expected.timestamp
    if stamp is not None and stamp != NO_STAMP and instant_ms(stamp) is None:
        _not_an_instant(stamp, place.at("timestamp"))
    if expected.left_out is None:
        return
    others = {"severity": expected.severity, "timestamp": stamp, "content": expected.content}
    given = next(
        (key for key, value in others.items() if value is not None), "attributes" if expected.attributes else ""
    )
    if given:
        place.at("left_out").wrong(f"what is left out has no {given}; keep one of them")


def _not_an_instant(text: str, place: Place) -> None:
    place.wrong(f"{text!r} is no instant; write one such as 2026-01-31T23:59:59.000Z")
