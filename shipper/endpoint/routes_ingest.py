"""`POST /v2/logs/ingest` and `/api/v2/logs/ingest`: read, judged by the protocol, durable, answered - in this order.

The protocol decides; this module only keeps the order: no 2xx before the
store says that the events are on the disk (promise 6 of docs/design.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from shipper.endpoint import answers
from shipper.endpoint.attached import HEADER, Attached
from shipper.endpoint.body import Bodies
from shipper.endpoint.figures import Figures
from shipper.endpoint.limiter import PerMinute
from shipper.endpoint.model import Accepted
from shipper.endpoint.options import Patience, Rates
from shipper.endpoint.protocol import NO_SPACE, Answer, Limits, Request, check_head, receive, refuse
from shipper.endpoint.refusals import Refusals
from shipper.endpoint.saying import say
from shipper.endpoint.store import Store, StoreFull

# A body over this is judged in a thread: the loop goes on taking bytes and answering /livez meanwhile.
_LONG_BODY_BYTES: Final = 256 * 1024
_RETRY_FULL_SECONDS: Final = "5"
_REASONS: Final = {
    400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 408: "body_timeout",
    413: "payload_byte_size_limit", 415: "unsupported_content_type", 417: "unknown_expectation",
    429: "rate_limit", 503: "overloaded",
}  # fmt: skip

Outcome = tuple[Answer, dict[str, int]]


class IngestRoute:
    """Takes events; owns the limits a minute and the word on what was refused."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        figures: Figures,
        refusals: Refusals,
        now_ms: Callable[[], int],
        patience: Patience,
        on_fault: Callable[[Exception], None],
        attached: Attached,
        *,
        profile: str = "",
        rates: Rates = Rates(),  # noqa: B008 -- frozen
        lenient: bool = False,
    ) -> None:
        """*on_fault* is told when the store fails for another reason than room; *lenient* as `Settings` says.

        `is_full` is True while the store had no room at the last try.
        """
        self._store = store
        self._limits = limits
        self._figures = figures
        self._refusals = refusals
        self._now_ms = now_ms
        self._profile = profile
        self._lenient = lenient
        self._on_fault = on_fault
        self._attached = attached
        self._bodies = Bodies(limits, patience)
        self._requests = PerMinute(rates.requests, now_ms()) if rates.requests else None
        self._events = PerMinute(rates.events, now_ms()) if rates.events else None
        self.is_full = False

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        with self._figures.ingest_seconds.time():
            headers = lower_case(request)
            answer, rejected = await self._outcome(request, headers)
        self._figures.requests[answer.status] += 1
        if answer.status < HTTPStatus.BAD_REQUEST:
            self._attached.note(headers.get(HEADER, ""), self._now_ms())
        if answer.status != HTTPStatus.NO_CONTENT:
            self._note(answer, rejected, headers.get("user-agent", ""))
        response = answers.respond(answer)
        if answer.headers.get("Connection") == "close":
            response.force_close()
        return response

    async def _outcome(self, request: web.BaseRequest, headers: dict[str, str]) -> Outcome:
        query = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
        path = request.rel_url.raw_path
        head = self._limited() or check_head(
            request.method, path, headers, self._limits, query=query, lenient=self._lenient
        )
        expected = headers.get("expect", "").lower()
        if head is None and expected:
            head = await _continue(request, expected)
        if head is not None:
            return _ending(head, headers), {}
        body = await self._bodies.read(request, headers)
        if isinstance(body, Answer):
            return body, {}
        try:
            return await self._keep(Request(request.method, path, query, headers, body))
        finally:
            self._bodies.release(len(body))

    async def _keep(self, request: Request) -> Outcome:
        if len(request.body) > _LONG_BODY_BYTES:
            answer, accepted, rejected = await asyncio.to_thread(self._judge, request)
        else:
            answer, accepted, rejected = self._judge(request)
        if accepted is None:
            return answer, rejected
        limited = self._too_many(accepted.count)
        if limited is not None:
            return limited, {"event_rate_limit": accepted.count}
        try:
            await self._store.append(accepted)
        except StoreFull as error:
            self._say_full(str(error))
            full = refuse(503, NO_SPACE, headers={"Retry-After": _RETRY_FULL_SECONDS})
            return full, {"store_full": accepted.count}
        except Exception as error:
            # It cannot be trusted with the next request either: the process ends, and whoever starts it again sees why.
            self._on_fault(error)
            raise
        self._say_room()
        self._figures.events += accepted.count
        self._figures.body_bytes += len(request.body)
        return answer, rejected

    def _judge(self, request: Request) -> tuple[Answer, Accepted | None, dict[str, int]]:
        return receive(request, self._limits, self._now_ms(), profile=self._profile, lenient=self._lenient)

    def _limited(self) -> Answer | None:
        if self._requests is None:
            return None
        wait = self._requests.wait_seconds(self._now_ms())
        if not wait:
            self._requests.take(1)
            return None
        return refuse(429, "Too many requests a minute", headers={"Retry-After": str(wait)})

    def _too_many(self, count: int) -> Answer | None:
        if self._events is None:
            return None
        wait = self._events.wait_seconds(self._now_ms())
        if not wait:
            self._events.take(count)
            return None
        return refuse(429, "Too many events a minute", headers={"Retry-After": str(wait)})

    def _note(self, answer: Answer, rejected: dict[str, int], client: str) -> None:
        reasons = rejected or {_REASONS.get(answer.status, f"http_{answer.status}"): 0}
        for reason, count in reasons.items():
            self._figures.rejected[reason] += count or 1
            self._refusals.note(client, answer.status, reason, count, self._now_ms())

    def _say_full(self, reason: str) -> None:
        if not self.is_full:
            self.is_full = True
            say("store_full", reason=reason, hint="ingest answers 503 until there is room again")

    def _say_room(self) -> None:
        if self.is_full:
            self.is_full = False
            say("store_has_room")


def lower_case(request: web.BaseRequest) -> dict[str, str]:
    """Return the headers by lower-case name; of one sent twice, the values joined by a comma.

    Bytes that are not UTF-8 are replaced: what is kept must be writable again.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        text = value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def _continue(request: web.BaseRequest, expected: str) -> Answer | None:
    """Ask for the body of a client that waits to be asked; RFC 9110, section 10.1.1."""
    if expected != "100-continue":
        return refuse(417, "Only Expect: 100-continue is known")
    if request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # an interim answer: a fault of ours must still get its 500
    return None


def _ending(answer: Answer, headers: dict[str, str]) -> Answer:
    """Return *answer* to a body that was not read; what is small is drained, what is large or was not asked for ends.

    A client that did not get its 100 may send the next request where the body would have been.
    """
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or "expect" in headers:
        answer.headers["Connection"] = "close"
    return answer
