"""What a backfill is going to do, in figures: files in order, times, events, requests, hours, what is too old.

Bytes and times of plain files are exact; what is estimated says so. Pure: who
looks at the files is pipeline/backfill/survey.py.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from shipper.core.rotation_names import mark_of, stems_of, unpacked
from shipper.core.rule import TooOld

OPEN_END: int = 1 << 62
"""End of a text whose length is not known: that of a compressed file that does not say it, of standard input."""


class PlannedFile(msgspec.Struct, kw_only=True):
    """One file, or one member of an archive.

    Attributes:
        file: Its path.
        lineage: Path of the live file that it was rotated from, or its own.
        packing: How it is compressed; empty for plain.
        packed_bytes: On disk.
        plain_bytes: Of its text; *plain_exact* is False where that is an estimate.
        first_ms, last_ms: Time of its first and last record; *last_exact* is False where the last is inferred.
        todo_bytes: Of its text, to be sent.
        sent_bytes: Settled by an earlier backfill.
        agent_bytes: Acknowledged to the agent, or left to it.
        outside_bytes: Outside the time asked for, as far as that is known before reading.
        events, json_bytes: What is to be sent becomes about so many.
        too_old: Of *events*, how many the endpoint would refuse for their age.
        problem: Why it will not be sent, one phrase; empty where it will.
    """

    file: str
    source: str = ""
    layout: str = ""
    lineage: str = ""
    packing: str = ""
    packed_bytes: int = 0
    plain_bytes: int = 0
    plain_exact: bool = True
    mtime_ms: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    last_exact: bool = True
    todo_bytes: int = 0
    sent_bytes: int = 0
    agent_bytes: int = 0
    outside_bytes: int = 0
    events: int = 0
    json_bytes: int = 0
    too_old: int = 0
    problem: str = ""


class Plan(msgspec.Struct, kw_only=True):
    """All of it.

    Attributes:
        files: In the order in which they are sent.
        now_ms: When it was made; ages are counted from here.
        max_age_ms: How old an event may be.
        too_old_policy: What becomes of older ones.
        target_request_bytes, max_request_events: Of the endpoint's configuration.
        events_per_second: The rate that `seconds` is reckoned with; *rate_from* says where it is from.
    """

    files: list[PlannedFile]
    now_ms: int
    max_age_ms: int
    too_old_policy: TooOld
    target_request_bytes: int
    max_request_events: int
    events_per_second: float
    rate_from: str

    @property
    def events(self) -> int:
        """Events to send."""
        return sum(file.events for file in self.files)

    @property
    def too_old(self) -> int:
        """Of these, past the endpoint's age limit."""
        return sum(file.too_old for file in self.files)

    @property
    def requests(self) -> int:
        """Requests to send."""
        json_bytes = sum(file.json_bytes for file in self.files)
        return max(-(-json_bytes // self.target_request_bytes), -(-self.events // self.max_request_events))

    @property
    def seconds(self) -> float:
        """How long it takes at `events_per_second`."""
        return self.events / self.events_per_second if self.events_per_second else 0.0

    @property
    def fate_of_too_old(self) -> str:
        """What the policy makes of events past the age limit, in one sentence."""
        hours = round(self.max_age_ms / 3_600_000)
        match self.too_old_policy:
            case TooOld.RESTAMP:
                return (
                    f"older than {hours} h: sent with the time of sending, their own kept in log.original_timestamp"
                    " (endpoint.too_old: restamp)"
                )
            case TooOld.DROP:
                return f"older than {hours} h: left out and counted (endpoint.too_old: drop)"
            case TooOld.DEAD_LETTER:
                return f"older than {hours} h: kept as dead letters, not sent (endpoint.too_old: dead_letter)"


def lineage_of(path: str, paths: Container[str]) -> str:
    """Return the live file that *path* was rotated from: the shortest of *paths*, or of the names it may stem from.

    A name that only a rotation could have given needs no live file beside it: of access.log.2.gz and
    access.log.3.gz alone, both are of access.log.
    """
    directory, slash, name = path.rpartition("/")
    stems = stems_of(name)
    if not stems:
        return path
    here = {directory + slash + stem for stem in stems}
    present = [stem for stem in here if stem in paths]
    if present:
        return min(present, key=lambda stem: (len(stem), stem))
    return directory + slash + min(stems, key=lambda stem: (len(stem), stem))


def ordered(files: Iterable[PlannedFile]) -> list[PlannedFile]:
    """Return *files* lineage by lineage, and in one from the oldest to the live file."""
    return sorted(files, key=_age_key)


def _age_key(file: PlannedFile) -> tuple[str, bool, int, int, str]:
    name = file.file.rpartition("/")[2]
    live = file.file == file.lineage
    mark = mark_of(name)
    number = -mark.number if mark is not None and not mark.date else 0
    at = file.first_ms if file.first_ms is not None else file.mtime_ms
    return file.lineage, live, at, number, unpacked(name)


def infer_last_times(files: list[PlannedFile]) -> None:
    """Give files whose end could not be looked at the time at which the next of their lineage begins, or of writing."""
    for file, following in zip(files, [*files[1:], None], strict=True):
        if file.last_ms is None and file.first_ms is not None:
            same = following is not None and following.lineage == file.lineage
            begins = following.first_ms if same and following is not None else None
            latest = (
                min(at for at in (begins, file.mtime_ms or None) if at) if begins or file.mtime_ms else file.first_ms
            )
            file.last_ms, file.last_exact = max(latest, file.first_ms), False


def share_before(instant_ms: int, first_ms: int | None, last_ms: int | None) -> float:
    """Return what share of evenly spread records from *first_ms* to *last_ms* is older than *instant_ms*."""
    if first_ms is None or first_ms >= instant_ms:
        return 0.0
    if last_ms is None or last_ms < instant_ms:
        return 1.0
    return (instant_ms - first_ms) / max(last_ms - first_ms, 1)
