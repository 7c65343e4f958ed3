"""Which events of a refused batch are the bad ones, found by sending parts of it.

Pure: says which range to send next and takes the answer. Bounded: after
`budget` requests the rest is handed back to be sent later. When three single
events in a row fail and none has passed, one far from them is asked as a
witness; when it fails too, it is not the events: the endpoint refuses
everything.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

BUDGET: Final = 64
SINGLES_IN_A_ROW: Final = 3


class Outcome(enum.Enum):
    """What became of a range that was sent."""

    PASSED = "passed"
    FAILED = "failed"


class Range(NamedTuple):
    """Events [low, high) of the batch."""

    low: int
    high: int


class _Task(NamedTuple):
    """A range to look at; *twin* is the left half, whose passing says that this one holds the bad event."""

    part: Range
    known_bad: bool
    twin: Range | None = None


class Bisection:
    """One refused batch.

    Attributes:
        passed: Ranges that the endpoint took.
        failed: Single events that it refused.
        requests: How many ranges were sent.
    """

    def __init__(
        self, ranges: list[Range], *, known_bad: bool, by_size: bool = False, turn: int = 0, budget: int = BUDGET
    ) -> None:
        """Look through *ranges*.

        Args:
            ranges: In order, none of them empty.
            known_bad: Each was refused as a whole already.
            by_size: They were refused for their size: that one half passes says nothing about the other.
            turn: How often these ranges were looked through in vain: another witness each time, the last event first.
            budget: Requests to spend.
        """
        self._todo = [_Task(part, known_bad) for part in reversed(ranges)]
        self._by_size = by_size
        self._turn = turn
        self._budget = budget
        self.passed: list[Range] = []
        self.failed: list[int] = []
        self.requests = 0
        self._singles_in_a_row = 0
        self._witness_failed = False
        self._sent: Range | None = None

    @property
    def refuses_everything(self) -> bool:
        """Whether it must be the endpoint, not the events."""
        return self._suspicious and (self._witness_failed or not self._todo)

    @property
    def _suspicious(self) -> bool:
        return self._singles_in_a_row >= SINGLES_IN_A_ROW and not self.passed

    def next(self) -> Range | None:
        """Return the range to send now; None when there is none, or no request left to spend."""
        while self._todo and self.requests < self._budget and not self.refuses_everything:
            if self._suspicious:
                self._sent = self._call_witness()
                return self._sent
            part, known_bad, _ = self._todo.pop()
            if known_bad and part.high - part.low > 1:
                self._split(part)
                continue
            self._sent = part
            return part
        return None

    def report(self, outcome: Outcome) -> None:
        """Take the answer to the range that `next` gave.

        Raises:
            ValueError: None was given.
        """
        part, self._sent = self._sent, None
        if part is None:
            raise ValueError("no range is on its way")
        self.requests += 1
        if outcome is Outcome.PASSED:
            unsure = [] if self.passed else self.failed
            self.passed.append(part)
            self._singles_in_a_row = 0
            if self._todo and self._todo[-1].twin == part and not self._by_size:
                # The two halves together were refused and this one passed: the other need not be asked as a whole.
                self._todo[-1] = self._todo[-1]._replace(known_bad=True)
            if unsure:  # refused while nothing had passed yet: it may have been the endpoint, so they are asked again
                self.failed = []
                self._todo += [_Task(Range(event, event + 1), False) for event in reversed(unsure)]
        elif part.high - part.low == 1:
            self._witness_failed = self._suspicious
            self.failed.append(part.low)
            self._singles_in_a_row += 1
        else:
            self._split(part)

    def rest(self) -> list[Range]:
        """Return what was not settled."""
        return [task.part for task in reversed(self._todo)]

    def _call_witness(self) -> Range:
        """Take one event out of its range."""
        left = sum(task.part.high - task.part.low for task in self._todo)
        back = self._turn * max(left * 2 // 5, 1) % left
        for index, (part, _, _) in enumerate(self._todo):
            if back < part.high - part.low:
                witness = part.high - 1 - back
                halves = (Range(witness + 1, part.high), Range(part.low, witness))
                # Without that event, what was known of the range is known no more.
                self._todo[index : index + 1] = [_Task(half, False) for half in halves if half.low < half.high]
                return Range(witness, witness + 1)
            back -= part.high - part.low
        raise AssertionError("a witness is called only while something is left")

    def _split(self, part: Range) -> None:
        middle = (part.low + part.high) // 2
        left = Range(part.low, middle)
        self._todo.append(_Task(Range(middle, part.high), False, left))
        self._todo.append(_Task(left, False))
