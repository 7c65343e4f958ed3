"""How fast a backfill may go, how it stands, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from shipper.pipeline.backfill.deals import Run
from shipper.pipeline.backfill.jobs import Job
from shipper.pipeline.totals import Totals, total

UNPACK_BYTES: Final = 64 << 20  # with it a worker stays below 150 MB; xz -9 and zstd -19 need no more


class Observer(Protocol):
    """Who shows how it goes."""

    def tick(self, figures: Figures) -> None:
        """Called a few times a second."""

    def file_done(self, job: Job, error: str) -> None:
        """All of a file is settled, or it was given up."""

    def say(self, event: str, fields: dict[str, str | int | float | bool | None]) -> None:
        """Something happened that the operator should know."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How fast, and for how long.

    Attributes:
        workers: Processes.
        events_per_second, bytes_per_second: Over all of them; 0 for no limit.
        give_up_seconds: Longest wait for an endpoint that takes nothing; None for ever.
        unpack_bytes: Largest window or dictionary with which a file may be packed.
    """

    workers: int = 1
    events_per_second: float = 0.0
    bytes_per_second: float = 0.0
    give_up_seconds: float | None = None
    unpack_bytes: int = UNPACK_BYTES


class Figures(msgspec.Struct):
    """How it stands.

    Attributes:
        read_bytes, todo_bytes: Of the files' text.
        acked: Records so far.
        letters: Records that went to the dead letters.
        running: Files that are being sent.
        waiting: What is waited for; empty where nothing is.
        errors: Files that were given up.
    """

    read_bytes: int
    todo_bytes: int
    acked: int
    letters: int
    running: list[Run]
    waiting: str
    errors: int
    files_done: int


class Outcome(msgspec.Struct, kw_only=True):
    """What became of it all.

    Attributes:
        errors: By file.
        gave_up: The endpoint took nothing for as long as was allowed.
        stopped: The operator stopped it.
        cpu_seconds: Of the workers.
        peak_bytes: Of the largest of them.
        requests: That the endpoint took.
    """

    totals: Totals
    errors: dict[str, str] = {}
    gave_up: bool = False
    stopped: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    requests: int = 0

    @property
    def delivered(self) -> bool:
        """Whether every event that was asked for has arrived."""
        return self.totals.delivered and not (self.errors or self.gave_up or self.stopped)


def totals_of(counts: Mapping[str, int], pending: int, done_bytes: int, files: int) -> Totals:
    """Return the totals of what is settled and of *pending* records, which were read and are not."""
    read = counts.get("read", 0) + pending
    return total({**counts, "read": read, "pending": pending, "bytes_read": done_bytes}, files)
