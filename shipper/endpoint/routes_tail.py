"""`GET /v1/tail`: the events as they arrive, as server-sent events, with the filters of the reading routes.

A message is a JSON array of events. A reader that is too slow misses some and
is told how many (`event: dropped`); one that takes nothing at all is cut off by its `Connection`.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from aiohttp import web

from shipper.endpoint import answers
from shipper.endpoint.connection import Connection
from shipper.endpoint.model import StoredRecord
from shipper.endpoint.parameters import FILTERS
from shipper.endpoint.routes_read import parameters_of, view
from shipper.endpoint.store import Store, Subscription

MOST_TAILS: Final = 32
HEARTBEAT_SECONDS: Final = 15.0
_RECONNECT: Final = b"retry: 2000\n\n"
_HEARTBEAT: Final = b": still here\n\n"
_HEADERS: Final = {**answers.HEADERS, "Content-Type": "text/event-stream; charset=utf-8"}


class TailRoute:
    """Streams to readers; owns their number."""

    def __init__(self, store: Store, stopping: asyncio.Event) -> None:
        """*stopping* ends every stream."""
        self._store = store
        self._stopping = stopping
        self._open = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Stream until the reader goes or the endpoint stops."""
        wanted = parameters_of(request, FILTERS).filter()
        if request.method == "HEAD":
            return web.Response(headers=_HEADERS)
        if self._open >= MOST_TAILS:
            return answers.error(503, f"Too many live readers: at most {MOST_TAILS}")
        response = web.StreamResponse(headers=_HEADERS)
        subscription = self._store.subscribe(wanted)
        self._open += 1
        try:
            await response.prepare(request)
            await self._stream(request, response, subscription)
        except ConnectionError:
            response.force_close()
        finally:
            self._open -= 1
            subscription.close()
        return response

    async def _stream(self, request: web.BaseRequest, response: web.StreamResponse, subscription: Subscription) -> None:
        await response.write(_RECONNECT)
        told = 0
        ends = {asyncio.create_task(self._stopping.wait())}
        if isinstance(request.protocol, Connection):
            ends.add(asyncio.create_task(request.protocol.gone.wait()))
        coming = asyncio.create_task(_next(subscription))
        try:
            while True:
                await asyncio.wait({coming, *ends}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if any(end.done() for end in ends):
                    return
                message = _HEARTBEAT
                if coming.done():
                    events = coming.result()
                    if not events:
                        return
                    coming = asyncio.create_task(_next(subscription))
                    message = b"data: %b\n\n" % msgspec.json.encode(list(map(view, events)))
                if subscription.missed != told:
                    message += b'event: dropped\ndata: {"count":%d}\n\n' % (subscription.missed - told)
                    told = subscription.missed
                await response.write(message)
        finally:
            for task in (coming, *ends):
                task.cancel()


async def _next(subscription: Subscription) -> list[StoredRecord]:
    """Return what comes next; nothing when the store closes."""
    return await anext(subscription, [])
