"""The reading routes: events, histogram, sources, figures, health. JSON unless said otherwise.

Shapes: the spec page, "The endpoint's own routes". Searching is the store's;
here a question is read and an answer written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from shipper.endpoint import answers
from shipper.endpoint.attached import Attached
from shipper.endpoint.figures import Figures
from shipper.endpoint.model import AttributeValue, Filter, Page, StoredRecord
from shipper.endpoint.parameters import FILTERS, LATEST_MS, MOST_BUCKETS, MOST_EVENTS, BadParameter, Parameters
from shipper.endpoint.protocol import rfc_3339
from shipper.endpoint.refusals import Refusals
from shipper.endpoint.store import BadCursor, Order, Store

QUERY_SECONDS: Final = 30.0
PAGE_BYTES: Final = 16 << 20
_FIRST_EVENTS: Final = 8
_EVENT_BYTES: Final = 1_024  # an event's other parts, about
_MOST_QUERIES: Final = 4
_DEFAULT_EVENTS: Final = 100
_DEFAULT_BUCKETS: Final = 60
_DAY_MS: Final = 86_400_000

Numbers = Callable[[], dict[str, object]]
_Found = TypeVar("_Found")


class EventView(msgspec.Struct):
    """An event as a reader gets it."""

    id: str
    timestamp: str
    loglevel: str
    status: str
    content: str
    attributes: dict[str, AttributeValue]


def view(stored: StoredRecord) -> EventView:
    """Return *stored* in the shape of the routes."""
    record = stored.record
    return EventView(
        stored.id, rfc_3339(record.timestamp_ms), record.loglevel, record.status, record.content, record.attributes
    )


def parameters_of(request: web.BaseRequest, names: frozenset[str]) -> Parameters:
    """Return the request's parameters.

    Raises:
        BadParameter: one is unknown or given twice.
    """
    return Parameters(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True), names)


class ReadRoutes:
    """Answers readers; a few questions to the store at a time, so that readers never hold up ingest."""

    def __init__(
        self,
        store: Store,
        figures: Figures,
        refusals: Refusals,
        now_ms: Callable[[], int],
        forwarding: Numbers,
        attached: Attached,
    ) -> None:
        """*forwarding* are the forwarder's numbers; none without one."""
        self._store = store
        self._figures = figures
        self._refusals = refusals
        self._now_ms = now_ms
        self._forwarding = forwarding
        self._attached = attached
        self._queries = asyncio.Semaphore(_MOST_QUERIES)

    async def events(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a page of events."""
        asked = parameters_of(request, FILTERS | {"limit", "cursor", "order"})
        limit, order = asked.count("limit", _DEFAULT_EVENTS, MOST_EVENTS), asked.order()
        try:
            page = await self._page(asked.filter(), limit, asked.cursor(), order)
        except BadCursor as error:
            raise BadParameter("cursor", "is not one of ours, or of another question") from error
        return answers.json({"events": [view(stored) for stored in page.events], "next": page.next})

    async def _page(self, wanted: Filter, limit: int, cursor: str | None, order: Order) -> Page:
        """Return up to *limit* events, fewer when they are large: an event of 10 MB is allowed, a page of 1,000 is not.

        The first few show how large these are.
        """
        page = Page([], cursor)
        left_bytes = PAGE_BYTES
        ask_for = min(limit, _FIRST_EVENTS)
        while ask_for > 0:
            question = self._store.query(wanted, limit=ask_for, cursor=page.next, order=order)
            part = await self._ask(question)
            page = Page(page.events + part.events, part.next)
            largest = max((len(stored.record.content) for stored in part.events), default=0) + _EVENT_BYTES
            left_bytes -= largest * len(part.events)
            ask_for = 0 if part.next is None else min(limit - len(page.events), left_bytes // largest)
        return page

    async def histogram(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer counts by status over time; the last day unless the question says otherwise."""
        asked = parameters_of(request, FILTERS | {"buckets"})
        buckets = asked.count("buckets", _DEFAULT_BUCKETS, MOST_BUCKETS)
        wanted = asked.filter()
        until_ms = self._now_ms() + 1 if wanted.until_ms is None else wanted.until_ms
        since_ms = max(0, until_ms - _DAY_MS) if wanted.since_ms is None else wanted.since_ms
        until_ms = min(max(until_ms, since_ms + 1), LATEST_MS)
        if since_ms >= until_ms:
            raise BadParameter("since", "is too late")
        question = self._store.histogram(wanted, since_ms=since_ms, until_ms=until_ms, buckets=buckets)
        counted = [
            {"start": rfc_3339(bucket.start_ms), "end": rfc_3339(bucket.end_ms), "counts": bucket.counts}
            for bucket in await self._ask(question)
        ]
        return answers.json({"since": rfc_3339(since_ms), "until": rfc_3339(until_ms), "buckets": counted})

    async def sources(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the names of ``log.source`` with their sizes, and what an agent of ours has not read of them yet."""
        parameters_of(request, frozenset())
        sources = await self._ask(self._store.sources())
        for source in sources:
            unread = self._attached.of(source["source"])
            if unread is not None:
                source |= {"unread_bytes": unread.size, "unread_at_ms": unread.at_ms}
        return answers.json({"sources": sources})

    async def stats(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the figures since the start, and the store's."""
        parameters_of(request, frozenset())
        figures = self._figures
        forwarding = self._forwarding()
        return answers.json(
            {
                "since": rfc_3339(figures.since_ms),
                "now": rfc_3339(self._now_ms()),
                "events": figures.events,
                "bytes": figures.body_bytes,
                "requests": sum(figures.requests.values()),
                "requests_by_status": {str(status): count for status, count in sorted(figures.requests.items())},
                "rejected": dict(figures.rejected),
                "refused": dict(figures.refused),
                "forwarded": forwarding.get("events_forwarded", 0),
                "waiting": forwarding.get("events_waiting", 0),
                "forwarding": forwarding or None,
                "store": self._store.stats(),
            }
        )

    async def refused(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer what was refused lately, the latest first."""
        parameters_of(request, frozenset())
        kinds = [
            {
                "client": kind.client, "status": kind.status, "reason": kind.reason, "requests": kind.requests,
                "events": kind.events, "first": rfc_3339(kind.first_ms), "last": rfc_3339(kind.last_ms),
            }
            for kind in self._refusals.latest()
        ]  # fmt: skip
        return answers.json({"refused": kinds})

    async def metrics(self, _request: web.BaseRequest) -> web.StreamResponse:
        """Answer the page for Prometheus."""
        return answers.text(*self._figures.exposition())

    async def livez(self, _request: web.BaseRequest) -> web.StreamResponse:
        """Answer that the loop turns."""
        return answers.text(b"ok\n", "text/plain; charset=utf-8")

    async def _ask(self, question: Awaitable[_Found]) -> _Found:
        async with asyncio.timeout(QUERY_SECONDS), self._queries:
            return await question
