"""What the coordinator and a worker process say to one another: JSON, one message a line, over a socket pair."""

from __future__ import annotations

from typing import Final

import msgspec

from shipper.adapters.texts import Place
from shipper.core.letters import DeadLetter
from shipper.core.model import Carry, FileFacts
from shipper.core.restart import RestartPoint
from shipper.core.rule import Rule
from shipper.core.shipped import Settled

LONGEST_LINE_BYTES: Final = 64 << 20


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How to the endpoint.

    Attributes:
        authorization: The header's value; None where none may be sent.
        concurrency: Requests under way at a time; 1 where order must hold.
    """

    url: str
    loopback: bool
    authorization: str | None
    compress: bool
    connect_timeout_seconds: float
    timeout_seconds: float
    target_request_bytes: int
    flush_seconds: float
    max_request_bytes: int
    max_request_events: int
    concurrency: int
    retry_initial_seconds: float
    retry_max_seconds: float


# -- to a worker ---------------------------------------------------------------------------------------


class Setup(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first message: one rule for each source.

    Attributes:
        rate_limits: Of the sources, in bytes a second; 0 for none.
        budget_bytes: Of text and events that may be on their way.
        unpack_bytes: Largest window or dictionary with which a file may be packed.
    """

    rules: list[Rule]
    rate_limits: list[int]
    way: Way
    budget_bytes: int
    unpack_bytes: int


class Piece(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A stretch of a text: read it, convert it, send it.

    Attributes:
        number: Names it.
        source: Index of its rule.
        begin, end: Its bytes, from one record's first byte to another's, or to the end of the text (OPEN_END).
        carry: With which the record at *begin* is read.
        since_ms, until_ms: Only records of this time; None for no bound.
        disorder_ms: By how much stamps may be out of order.
        hold: Convert, and send only after `Go`.
        now_ms: Instant that the events are converted at; 0 for the clock.
        points: Where a compressed file can be begun.
    """

    number: int
    place: Place
    source: int
    facts: FileFacts
    begin: int
    end: int
    carry: Carry
    since_ms: int | None = None
    until_ms: int | None = None
    disorder_ms: int = 0
    hold: bool = False
    now_ms: int = 0
    points: list[RestartPoint] = []


class Go(msgspec.Struct, frozen=True, tag=True):
    """Everything before piece *number* has arrived: send it."""

    number: int


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Piece *number* is not wanted any more; nothing of it has been sent."""

    number: int


class Saved(msgspec.Struct, frozen=True, tag=True):
    """What was reported of piece *number* below *upto* is kept: a kill will not have it sent again."""

    number: int
    upto: int


class Rate(msgspec.Struct, frozen=True, tag=True):
    """Send no more than so many events and bytes of text a second; 0 for no limit."""

    events: float = 0.0
    bytes: float = 0.0


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Send nothing more until `Resume`; answer with `Paused` when nothing is under way."""


class Resume(msgspec.Struct, frozen=True, tag=True):
    """Go on."""


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Read no more, wait *seconds* at most for what is under way, report and exit."""

    seconds: float = 5.0


ToWorker = Setup | Piece | Go | Drop | Saved | Rate | Pause | Resume | Stop


# -- from a worker --------------------------------------------------------------------------------------


class Moved(msgspec.Struct, tag=True):
    """What of a piece is settled since the last report.

    Attributes:
        settled: Bytes, in order; what lay outside the time asked for is not among them.
        upto: Everything of the piece below this offset was settled or lay outside.
        counts: Records and the like, of what is below *upto* alone.
        letters: Of refused events; to be kept before *settled* is.
        points: Restart points that were found.
        packed_offset: How far the file on disk was read.
    """

    number: int
    settled: list[Settled] = []
    upto: int = 0
    counts: dict[str, int] = {}
    letters: list[DeadLetter] = []
    points: list[RestartPoint] = []
    packed_offset: int = 0


class Finished(msgspec.Struct, tag=True):
    """A piece is done with: all of it, or up to where *error* says.

    Attributes:
        length: Bytes of the text, where its end was seen.
        pending: Records that were read and are not settled.
    """

    number: int
    length: int | None = None
    error: str = ""
    pending: int = 0


class State(msgspec.Struct, tag=True):
    """How the worker stands, about once a second.

    Attributes:
        health: Of the endpoint: unknown, answering, refusing, unreachable.
        message: What it said.
        accepted: Requests that it took so far.
        held_bytes: On their way.
        cpu_seconds, peak_bytes: Of the process.
    """

    health: str
    message: str = ""
    accepted: int = 0
    held_bytes: int = 0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


class Said(msgspec.Struct, tag=True):
    """A line of the log."""

    event: str
    fields: dict[str, str | int | float | bool | None] = {}


class Paused(msgspec.Struct, frozen=True, tag=True):
    """Nothing is under way any more."""


FromWorker = Moved | Finished | State | Said | Paused

_encode: Final = msgspec.json.Encoder().encode
to_worker: Final = msgspec.json.Decoder(ToWorker).decode
from_worker: Final = msgspec.json.Decoder(FromWorker).decode


def line_of(message: ToWorker | FromWorker) -> bytes:
    """Return *message* as it travels."""
    return _encode(message) + b"\n"
