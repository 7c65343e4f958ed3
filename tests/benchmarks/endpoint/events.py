"""Requests to measure with: events as the agent sends them, always alike.

Every event has a number, a user and a duration of its own, one of 16 threads,
5 loggers and 8 sources; 6 % are errors. Stamps rise by 4 ms with a jitter of
a second, as from several files. One event in `RARE_EVERY` has a word that no
other has, one in as many an order number as attribute.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from shipper.endpoint.model import Accepted, Context

REQUEST_BYTES = 1_000_000
STEP_MS = 4
RARE_EVERY = 1_000_003
RARE_WORD = "OutOfMemoryError"
RARE_ORDER = "ord-7731"

_LEVELS = ["info"] * 80 + ["debug"] * 8 + ["warn"] * 6 + ["error"] * 6
_LOGGERS = ["Service", "OrderRepository", "PaymentClient", "SessionStore", "Scheduler"]
_SOURCES = [
    f'"log.source":"{name}","log.file.path":"/var/log/{name}/app.log","log.file.name":"app.log"'
    for name in ("shop", "cart", "pay", "search", "mail", "stock", "auth", "edge")
]


def requests(events: int, until_ms: int) -> Iterator[Accepted]:
    """Yield requests of about 1 MB with *events* events in all, the last about *until_ms*."""
    rng = random.Random("endpoint")
    start_ms = until_ms - events * STEP_MS - 2_000
    stamps = dict[int, str]()
    pieces, instants = list[str](), list[int]()
    size = 0
    for number in range(events):
        at_ms = start_ms + number * STEP_MS + int(rng.random() * 1_000)
        second, rest = divmod(at_ms, 1000)
        if second not in stamps:
            stamps = {second: datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")} | (
                stamps if len(stamps) < 100 else {}
            )
        piece = _event(rng, number, f"{stamps[second]}{rest:03d}Z")
        pieces.append(piece)
        instants.append(at_ms)
        size += len(piece) + 1
        if size >= REQUEST_BYTES or number == events - 1:
            context = Context(received_ms=at_ms + 2_000)
            yield Accepted(context, ",".join(pieces).encode(), len(pieces), min(instants), max(instants))
            pieces, instants, size = [], [], 0


def _event(rng: random.Random, number: int, stamp: str) -> str:
    roll = rng.random()
    level = _LEVELS[int(roll * 100)]
    logger = _LOGGERS[number % 5]
    extra = ""
    word = "handled"
    if number % RARE_EVERY == RARE_EVERY // 2:
        word, extra = RARE_WORD, f'"order":"{RARE_ORDER}",'
    return (
        f'{{"content":"{stamp} {level.upper()} [worker-{number % 16}] com.example.{logger} - request {number} {word} '
        f'in {int(roll * 900)} ms user=user{int(rng.random() * 100_000)}","timestamp":"{stamp}","severity":"{level}",'
        f'{_SOURCES[int(rng.random() * 8)]},"host.name":"web-1",{extra}"thread":"worker-{number % 16}",'
        f'"logger":"com.example.{logger}"}}'
    )
