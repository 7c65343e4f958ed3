"""How the agent is doing, in a word: green, yellow or red, and each reason with the instant since when.

A part that is in trouble raises a reason by its code, and clears it when the
trouble is over; what is shown of it (status, metrics, `/health`) is made
elsewhere, from `Health.view`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec


class Colour(StrEnum):
    """How bad it is."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class Reason(msgspec.Struct, frozen=True):
    """Why the agent is not green.

    Attributes:
        code: Of the kind of trouble, for rules and metrics: `file_stalled`, `state_not_saved`, ...
        text: One line for people.
        since_ms: When it began, wall clock.
        colour: Yellow: something is late or will be; red: something does not work.
        source, file: What it is about, where it is about one.
    """

    code: str
    text: str
    since_ms: int
    colour: Colour = Colour.RED
    source: str | None = None
    file: str | None = None


class HealthView(msgspec.Struct, frozen=True):
    """What is shown: the worst colour and every reason, worst and oldest first."""

    colour: Colour
    reasons: tuple[Reason, ...] = ()


_Key = tuple[str, str | None, str | None]


class Health:
    """Owns the reasons; used from the event loop only."""

    def __init__(self, now_ms: Callable[[], int], say: Callable[..., None] | None = None) -> None:
        """*say* takes an event's name and its fields, as Journal.say does: it hears of each change of colour."""
        self._now_ms = now_ms
        self._say = say
        self._reasons: dict[_Key, Reason] = {}

    def raise_(
        self,
        code: str,
        text: str,
        *,
        colour: Colour = Colour.RED,
        source: str | None = None,
        file: str | None = None,
    ) -> None:
        """Note a trouble, or say an old one anew: it keeps the instant since when."""
        before = self.colour
        key = (code, source, file)
        known = self._reasons.get(key)
        since_ms = self._now_ms() if known is None else known.since_ms
        self._reasons[key] = Reason(code, text, since_ms, colour, source, file)
        self._say_change(before, self._reasons[key])

    def clear(self, code: str, *, source: str | None = None, file: str | None = None) -> bool:
        """The trouble is over; return whether there was one."""
        before = self.colour
        reason = self._reasons.pop((code, source, file), None)
        if reason is not None:
            self._say_change(before, reason)
        return reason is not None

    def clear_all(self, code: str) -> None:
        """The trouble is over for every source and file."""
        for key in [key for key in self._reasons if key[0] == code]:
            self.clear(code, source=key[1], file=key[2])

    @property
    def colour(self) -> Colour:
        """The worst there is."""
        colours = {reason.colour for reason in self._reasons.values()}
        return next((colour for colour in (Colour.RED, Colour.YELLOW) if colour in colours), Colour.GREEN)

    def view(self) -> HealthView:
        """Return what is to be shown."""
        reasons = sorted(self._reasons.values(), key=lambda reason: (reason.colour is not Colour.RED, reason.since_ms))
        return HealthView(self.colour, tuple(reasons))

    def _say_change(self, before: Colour, reason: Reason) -> None:
        now = self.colour
        if now is before or self._say is None:
            return
        over = None if now is not Colour.GREEN else reason.code
        fields = {"colour": now.value, "over": over}
        if over is None:
            worst = self.view().reasons[0]
            fields |= {"code": worst.code, "reason": worst.text, "source": worst.source, "file": worst.file}
        self._say("health", **fields)
