"""When a layout that was chosen for a file should be chosen again.

A choice from few lines is looked at again as the file grows; one that stops
fitting, when enough records have not fitted. Each look doubles the patience,
so that a file which fits nothing costs next to nothing.
"""

from __future__ import annotations

from typing import Final

SURE_AFTER_LINES: Final = 100
FIRST_MISFITS: Final = 8
MISFIT_SHARE: Final = 0.2
LONG_RECORD_LINES: Final = 8


def misfits_in(records: int, unparsed: int, lines: int) -> int:
    """Return how many lines of a chunk can be said not to fit.

    Those of records that no pattern fitted; and where records are of many lines, those that may have been swallowed.
    """
    return unparsed + max(lines - LONG_RECORD_LINES * max(records, 1), 0)


class Doubt:
    """Counts the records of one file since its layout was chosen; owned by whoever follows the file."""

    __slots__ = ("_enough_misfits", "_grown_to", "_lines", "_misfits", "_records")

    def __init__(self, lines: int) -> None:
        """The choice was made from *lines* lines."""
        self._records = self._misfits = 0
        self._enough_misfits = FIRST_MISFITS
        self._lines = lines
        self._grown_to = max(2 * lines, 4)

    @property
    def young(self) -> bool:
        """Whether the choice was made from few lines."""
        return self._lines < SURE_AFTER_LINES

    def grows(self, records: int, misfits: int) -> bool:
        """Count *records*, of which *misfits* did not fit; return whether to look again."""
        self._records += records
        self._misfits += misfits
        young = self.young and self._lines + self._records >= self._grown_to
        odd = self._misfits >= self._enough_misfits and self._misfits >= MISFIT_SHARE * self._records
        if young:
            self._lines += self._records
            self._grown_to = 2 * self._lines
        if odd:
            self._enough_misfits *= 2
        if young or odd:
            self._records = self._misfits = 0
        return young or odd
