"""When a file that grew is not read: is it by design, how long is too long, and what is tried against it.

Pure. A file is looked at every few seconds, by a look of its own that neither
the watcher nor the scan has a part in. What stands still without an excuse
for longer than a scan takes to find it is stalled; each remedy gets as long
again to show an effect.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple


class Excuse(enum.Enum):
    """Why a file that grew may stand still: reading waits by design."""

    BUDGET = "as much is on its way as limits.memory allows"
    STATE = "the state cannot be saved"
    RATE = "its rate_limit"
    ORDER = "an older file of its lineage is read first"
    TURN = "other files are read meanwhile"
    DEVICE = "a read of another file of its file system does not end"
    ERROR = "it cannot be read"


class Stage(enum.Enum):
    """What was tried so far."""

    FINE = "read as it grows"
    SCANNED = "scanned again"
    REOPENED = "opened again"
    WATCHED = "the watcher was restarted"


class Situation(enum.Enum):
    """What a look has found."""

    MOVES = "nothing is unread, or more was read since the last look"
    EXCUSED = "it waits by design"
    EARLY = "it stands still, not for long yet"
    LATE = "it stands still for too long"
    HANGS = "a read of it has hung for too long"


class Step(enum.Enum):
    """What to do."""

    NOTHING = "nothing"
    HEALED = "say that it is over"
    SCAN = "scan"
    READ = "give the read that hangs up and begin another"
    REOPEN = "close it and open it again"
    WATCHER = "restart the watcher"
    LEAVE = "nothing is left to try: stay red"


STEPS: Final[dict[tuple[Stage, Situation], tuple[Stage, Step]]] = {
    (Stage.FINE, Situation.MOVES): (Stage.FINE, Step.NOTHING),
    (Stage.FINE, Situation.EXCUSED): (Stage.FINE, Step.NOTHING),
    (Stage.FINE, Situation.EARLY): (Stage.FINE, Step.NOTHING),
    (Stage.FINE, Situation.LATE): (Stage.SCANNED, Step.SCAN),
    # A scan would not help a read that hangs; closing a file that hangs could hang as well.
    (Stage.FINE, Situation.HANGS): (Stage.REOPENED, Step.READ),
    (Stage.SCANNED, Situation.MOVES): (Stage.FINE, Step.HEALED),
    (Stage.SCANNED, Situation.EXCUSED): (Stage.FINE, Step.HEALED),
    (Stage.SCANNED, Situation.EARLY): (Stage.SCANNED, Step.NOTHING),
    (Stage.SCANNED, Situation.LATE): (Stage.REOPENED, Step.REOPEN),
    (Stage.SCANNED, Situation.HANGS): (Stage.REOPENED, Step.READ),
    (Stage.REOPENED, Situation.MOVES): (Stage.FINE, Step.HEALED),
    (Stage.REOPENED, Situation.EXCUSED): (Stage.FINE, Step.HEALED),
    (Stage.REOPENED, Situation.EARLY): (Stage.REOPENED, Step.NOTHING),
    (Stage.REOPENED, Situation.LATE): (Stage.WATCHED, Step.WATCHER),
    # One read more is all: each that hangs keeps a thread.
    (Stage.REOPENED, Situation.HANGS): (Stage.REOPENED, Step.LEAVE),
    (Stage.WATCHED, Situation.MOVES): (Stage.FINE, Step.HEALED),
    (Stage.WATCHED, Situation.EXCUSED): (Stage.FINE, Step.HEALED),
    (Stage.WATCHED, Situation.EARLY): (Stage.WATCHED, Step.NOTHING),
    (Stage.WATCHED, Situation.LATE): (Stage.WATCHED, Step.LEAVE),
    (Stage.WATCHED, Situation.HANGS): (Stage.WATCHED, Step.LEAVE),
}
"""What follows from what was tried and what is seen."""


class Look(NamedTuple):
    """One look at one file.

    Attributes:
        size: Of the file on disk; None where it cannot be seen, which is no stall of ours.
        read_offset: How far it is read.
        excuse: Why it may stand still, if it may.
        hangs: Whether a read of it is under way and does not end.
    """

    size: int | None
    read_offset: int
    excuse: Excuse | None = None
    hangs: bool = False


class Standing(NamedTuple):
    """What is remembered of a file between two looks.

    Attributes:
        read_offset: At the last look.
        still_since: Since when it stands still, or since the last remedy; monotonic seconds.
        first_since: Since when it stands still, whatever was tried.
    """

    read_offset: int
    still_since: float
    first_since: float
    stage: Stage = Stage.FINE


def judge(look: Look, before: Standing | None, now: float, patience_seconds: float) -> tuple[Standing | None, Step]:
    """Return what to remember of a file, None where nothing is amiss, and what to do.

    Args:
        look: What is seen.
        before: What was remembered.
        now: Monotonic seconds.
        patience_seconds: For how long a file may stand still, and for how long a remedy may take.
    """
    situation = _situation(look, before, now, patience_seconds)
    stage, step = STEPS[before.stage if before else Stage.FINE, situation]
    if situation in (Situation.MOVES, Situation.EXCUSED):
        return None, step
    if before is None or before.read_offset != look.read_offset:
        return Standing(look.read_offset, now, now, stage), step
    acted = step not in (Step.NOTHING, Step.LEAVE)
    return Standing(look.read_offset, now if acted else before.still_since, before.first_since, stage), step


def _situation(look: Look, before: Standing | None, now: float, patience_seconds: float) -> Situation:
    if look.size is None or look.size <= look.read_offset:
        return Situation.MOVES
    if before is not None and look.read_offset != before.read_offset:
        return Situation.MOVES
    if look.excuse is not None:
        return Situation.EXCUSED
    if before is None or now - before.still_since < patience_seconds:
        return Situation.EARLY
    return Situation.HANGS if look.hangs else Situation.LATE
