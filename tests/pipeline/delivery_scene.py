"""A sender with a scripted endpoint, portions of real chunks, and a clock that jumps."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import TypeVar

from shipper.core.batch import BatchLimits, Portion, Settlement
from shipper.core.converter import Converter, compile_rule
from shipper.core.delivery import Response
from shipper.core.model import Carry, Chunk, FileFacts, FileKey
from shipper.core.rule import RecordFormat, Rule, TooOld
from shipper.core.timestamps import utc_text
from shipper.errors import EndpointUnreachable
from shipper.pipeline.attempts import Pieces
from shipper.pipeline.sender import Sender
from tests.pipeline.virtual_time import run

T = TypeVar("T")
EPOCH_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z, at the loop's second 1000
DAY_MS = 86_400_000

Event = dict[str, str]
Answer = Response | type[EndpointUnreachable]
Script = Callable[[list[Event]], Answer]

ACCEPTED = Response(204, {}, b"")
SMALL = BatchLimits(target_bytes=2000, flush_seconds=1.0, max_bytes=3000, max_events=50, concurrency=3)
LARGE = BatchLimits(target_bytes=4 << 20, flush_seconds=1.0, max_bytes=4 << 20, max_events=20_000, concurrency=4)


def answer(status: int, message: str = "", **headers: str) -> Response:
    """Return an answer with an error envelope."""
    return Response(status, headers, json.dumps({"error": {"code": status, "message": message}}).encode())


def accept(_events: list[Event]) -> Answer:
    """Take everything."""
    return ACCEPTED


def refuse(*marks: str) -> Script:
    """Answer 400 to every request with one of *marks* in a content."""
    return lambda events: answer(400) if any(m in e["content"] for e in events for m in marks) else ACCEPTED


def always(given: Answer) -> Script:
    return lambda _events: given


def in_turn(*answers: Answer) -> Script:
    """Give *answers* one after the other, the last one again and again."""
    left = list(answers)
    return lambda _events: left.pop(0) if len(left) > 1 else left[0]


def raw_rule(**changes: object) -> Rule:
    return Rule(source="app", layout="raw", format=RecordFormat.RAW, **changes)  # type: ignore[arg-type]  # spelt out at the call


def stamped_rule(too_old: TooOld) -> Rule:
    return Rule(
        source="app", layout="", format=RecordFormat.PATTERN, patterns=(r"(?P<timestamp>\S+) ",), too_old=too_old
    )  # fmt: skip


RAW = compile_rule(raw_rule())


def stamped(age_hours: float, text: str, now_ms: int = EPOCH_MS) -> str:
    """Return a line of *stamped_rule* that is *age_hours* old at *now_ms*."""
    return f"{utc_text(now_ms - int(age_hours * 3_600_000))} {text}"


class Scene:
    """One sender; *script* decides each answer and may be changed at any time.

    Attributes:
        posts: Contents of each request, and when it was made.
        settled: Portions in the order in which they came back, with what became of them.
        most_at_once: Requests that were under way at the same time.
        said: Names of what was written to the journal.
    """

    def __init__(
        self,
        script: Script = accept,
        *,
        limits: BatchLimits | None = None,
        latency: float = 0.0,
        retry: tuple[float, float] = (1.0, 60.0),
    ) -> None:
        self.script = script
        self.latency = latency
        self.posts: list[list[str]] = []
        self.times: list[float] = []
        self.bodies: list[bytes] = []
        self.acked: list[Event] = []
        self.settled: list[tuple[Portion, Settlement]] = []
        self.said: list[str] = []
        self.most_at_once = self._at_once = 0
        self._offsets: dict[int, int] = {}
        loop = asyncio.get_running_loop()
        self.loop = loop
        self.sender = Sender(
            self,
            limits or BatchLimits(),
            now_ms=self.now_ms,
            monotonic=loop.time,
            jitter=lambda: 1.0,
            on_settled=lambda portion, settlement: self.settled.append((portion, settlement)),
            say=lambda event, **_fields: self.said.append(event),
            retry_initial_seconds=retry[0],
            retry_max_seconds=retry[1],
        )
        self._running = asyncio.ensure_future(self.sender.run())

    def now_ms(self) -> int:
        return EPOCH_MS + int((self.loop.time() - 1000.0) * 1000)

    async def post(self, pieces: Pieces) -> Response:
        """Answer as the script says."""
        body = b"".join(pieces)
        events: list[Event] = json.loads(body)
        self.bodies.append(body)
        self.posts.append([event["content"] for event in events])
        self.times.append(self.loop.time() - 1000.0)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(self.latency)
        self._at_once -= 1
        given = self.script(events)
        if not isinstance(given, Response):
            raise given("gone")
        if 200 <= given.status < 300:
            self.acked += events
        return given

    def portion(self, *lines: str, lineage: int = 1, converter: Converter = RAW) -> Portion:
        """Return a portion of *lines*, which stand behind the lineage's last ones."""
        data = "".join(line + "\n" for line in lines).encode()
        start = self._offsets.get(lineage, 0)
        self._offsets[lineage] = start + len(data)
        chunk = Chunk(start, start + len(data), data)
        facts = FileFacts(FileKey(lineage, 0), f"/log/{lineage}.log", f"{lineage}.log", self.now_ms())
        now = self.now_ms()
        return Portion(
            key=facts.key, lineage=lineage, chunk=chunk, facts=facts, carry=Carry(), now_ms=now, token=None,
            encoded=converter.convert(chunk, facts, Carry(), now), converter=converter,
        )  # fmt: skip

    def offer(self, *lines: str, lineage: int = 1, converter: Converter = RAW) -> Portion:
        """Offer a portion of *lines*."""
        portion = self.portion(*lines, lineage=lineage, converter=converter)
        self.sender.offer(portion)
        return portion

    @property
    def contents(self) -> list[str]:
        """Return what was acknowledged, in order of arrival."""
        return [event["content"] for event in self.acked]

    @property
    def letters(self) -> list[tuple[int, tuple[int, int], str]]:
        """Return (lineage, span, reason) of every dead letter."""
        return [(p.lineage, (r.span.start, r.span.end), r.reason) for p, s in self.settled for r in s.refused]

    async def close(self) -> None:
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running


def play(story: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run *story* in virtual time."""
    return run(story())
