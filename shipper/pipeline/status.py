"""What an agent says of itself at one instant: the shapes of `shipper status --json`, of `top`, metrics and `/health`.

Instants are milliseconds of the wall clock (``_ms``); rates are a second.
Nothing here does anything: survey.py fills them in.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shipper.pipeline.forecast import Forecast
from shipper.pipeline.health import HealthView
from shipper.pipeline.totals import Totals


class Rate(msgspec.Struct, frozen=True):
    """Records and bytes read a second, over the last 10 seconds and the last minute."""

    records_10s: float = 0.0
    bytes_10s: float = 0.0
    records_1m: float = 0.0
    bytes_1m: float = 0.0


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and since when."""

    text: str
    since_ms: int
    file: str | None = None


class FileStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One followed generation of a file.

    Attributes:
        id: As `shipper state` knows it: file and generation.
        offset: Everything below is acknowledged, left out on purpose, or among the dead letters.
        unread_bytes: Known to be there and not converted.
        lag_bytes: Known to be there and not below the offset.
        lag_seconds: Of log time: how old the newest record below the offset is, while there is more; but no more
            than since the file was seen wholly delivered. 0 where there is nothing more; None where nothing tells.
        layout: How it is read, under `format: auto`.
    """

    id: str
    source: str
    path: str
    state: str
    generation: int
    offset: int
    size: int
    unread_bytes: int
    lag_bytes: int
    lag_seconds: float | None
    newest_ms: int | None
    layout: str = ""
    problem: Problem | None = None


class SourceStatus(msgspec.Struct, kw_only=True):
    """One source.

    Attributes:
        files: Followed ones, by state.
        unread_bytes, lag_bytes: Sums of its files'.
        lag_seconds: The worst of its files.
        newest_ms: The newest time stamp that was read.
        counts: What became of its records since the agent started, by the names of the ledger.
        steps: Records a second lately, oldest first, one for every two seconds.
        problem: Of one of its files, the latest.
        problems: How many of its files have one.
    """

    name: str
    files: dict[str, int] = {}
    unread_bytes: int = 0
    lag_bytes: int = 0
    lag_seconds: float | None = None
    newest_ms: int | None = None
    rate: Rate = Rate()
    counts: dict[str, int] = {}
    steps: list[float] = []
    problem: Problem | None = None
    problems: int = 0

    @property
    def files_followed(self) -> int:
        """Files in whatever state."""
        return sum(self.files.values())


class Answers(msgspec.Struct, frozen=True):
    """How often the endpoint gave an answer (a status, or `unreachable`), and when last."""

    status: str
    count: int
    last_ms: int


class EndpointStatus(msgspec.Struct, kw_only=True):
    """How the endpoint does.

    Attributes:
        state: unknown, answering, refusing (it answers, and takes nothing) or unreachable.
        since_ms: When it began to do so.
        status, message: Of the last answer.
        attempts: That failed in a row.
        last_error: The last one, over or not, with the instant of its last occurrence.
        answer_p50_seconds, answer_p99_seconds: Of its answers since the agent started.
    """

    url: str
    state: str = "unknown"
    since_ms: int = 0
    status: int | None = None
    message: str = ""
    attempts: int = 0
    requests: int = 0
    answers: list[Answers] = []
    last_error: Problem | None = None
    answer_p50_seconds: float | None = None
    answer_p99_seconds: float | None = None


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What is not delivered yet.

    Attributes:
        unread_bytes: In the files, not read.
        lag_bytes: In the files, not safe; what is read and on its way counts here too.
        lag_seconds: The worst of all files.
        held_bytes, budget_bytes: Of memory, for what is on its way; reading stops when it is used up.
        pending_records: On their way.
    """

    unread_bytes: int = 0
    lag_bytes: int = 0
    lag_seconds: float | None = None
    held_bytes: int = 0
    budget_bytes: int = 0
    pending_records: int = 0


class DeadLetterStatus(msgspec.Struct, frozen=True):
    """Events that the endpoint refused for good."""

    count: int = 0
    bytes: int = 0
    max_bytes: int = 0


class Latency(msgspec.Struct, frozen=True):
    """Seconds from a line's writing to its acknowledgement, of *count* lines that were read as they were written."""

    count: int = 0
    p50_seconds: float | None = None
    p99_seconds: float | None = None


class Status(msgspec.Struct, kw_only=True):
    """The agent at `at_ms`.

    Attributes:
        agent: `running`; `stopped` where this is what the state alone knows.
        ready: The first scan is done.
        saving_problem: Why offsets cannot be saved.
        unsaved_records: Acknowledged (they count as such) and not saved yet: a crash now would send them again.
        files: Of the source that was asked for, or all where all were; the furthest behind first.
        files_left_out: That were not listed.
        forecasts: What will be lost or refused if things go on as they do.
        spill_bytes, spill_limit_bytes: Taken by bytes of files that are gone, and room for them.
        directories_polled: Directories that have no change events.
        skipped: Files that match and are not read, by reason.
    """

    at_ms: int
    agent: Literal["running", "stopped"] = "running"
    version: str = ""
    pid: int = 0
    started_ms: int = 0
    state_dir: str = ""
    config: str = ""
    ready: bool = False
    health: HealthView
    endpoint: EndpointStatus
    backlog: Backlog = Backlog()
    rate: Rate = Rate()
    steps: list[float] = []
    append_to_ack: Latency = Latency()
    totals: Totals
    dead_letters: DeadLetterStatus = DeadLetterStatus()
    saving_problem: str | None = None
    unsaved_records: int = 0
    spill_bytes: int = 0
    spill_limit_bytes: int = 0
    forecasts: list[Forecast] = []
    sources: list[SourceStatus] = []
    files: list[FileStatus] = []
    files_left_out: int = 0
    scans: int = 0
    saves: int = 0
    watcher_restarts: int = 0
    directories_polled: int = 0
    skipped: dict[str, int] = {}
