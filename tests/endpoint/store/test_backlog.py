"""What waits to be forwarded comes in order, again until it is done, and goes on after a restart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shipper.endpoint.forwarder import Backlog
from shipper.endpoint.model import Context
from shipper.endpoint.store.backlog import StoreBacklog
from tests.endpoint.store.made import Event, accepted, numbered, opened


def as_sent(event: bytes, _: Context) -> bytes:
    return event


def texts(events: bytes) -> list[str]:
    decoded: list[Event] = json.loads(b"[" + events + b"]")
    return [str(event["content"]) for event in decoded]


async def drain(backlog: Backlog, max_bytes: int = 1_000_000, max_events: int = 1_000) -> list[list[str]]:
    batches = []
    while (batch := await backlog.next(max_bytes, max_events)) is not None:
        assert batch.count == len(texts(batch.events))
        batches.append(texts(batch.events))
        await backlog.done(batch)
    return batches


@pytest.mark.parametrize("block_bytes", [1, 300, 1 << 20])
async def test_every_event_comes_once_in_order_within_the_limits(block_bytes: int, tmp_path: Path) -> None:
    async with opened(tmp_path, block_bytes=block_bytes) as store:
        backlog = store.backlog(as_sent)
        for request in range(10):
            await store.append(numbered(10 * request, 7))
        batches = await drain(backlog, max_bytes=200, max_events=3)

        assert [text for batch in batches for text in batch] == [
            f"event {10 * request + number}" for request in range(10) for number in range(7)
        ]
        assert max(map(len, batches)) <= 3
        assert backlog.waiting() == (0, 0)


async def test_until_it_is_done_the_same_batch_comes_also_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.append(numbered(0, 5))
        backlog = store.backlog(as_sent)
        first = await backlog.next(1_000_000, 2)
        assert first is not None
        assert await backlog.next(1_000_000, 2) == first
        await backlog.done(first)
        second = await backlog.next(1_000_000, 2)
    async with opened(tmp_path) as store:
        backlog = store.backlog(as_sent)

        assert await backlog.next(1_000_000, 2) == second
        assert backlog.waiting()[0] == 3
        await store.append(numbered(5, 2))
        assert await drain(backlog) == [["event 2", "event 3", "event 4", "event 5", "event 6"]]
    async with opened(tmp_path) as store:
        assert await drain(store.backlog(as_sent)) == []


async def test_an_event_larger_than_the_batch_comes_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.append(accepted({"content": text, "timestamp": 1} for text in ("a", "b" * 500, "c")))

        assert await drain(store.backlog(as_sent), max_bytes=100) == [["a"], ["b" * 500], ["c"]]


async def test_what_was_kept_before_a_forwarder_was_attached_waits_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.append(numbered(0, 2))
    async with opened(tmp_path) as store:
        backlog = store.backlog(as_sent)
        events, size = backlog.waiting()

        assert events == 2
        assert size > 50
        assert await drain(backlog) == [["event 0", "event 1"]]


async def test_the_form_gets_the_original_and_the_context_of_its_request(tmp_path: Path) -> None:
    seen = []

    def form(event: bytes, context: Context) -> bytes:
        seen.append((event, context.received_ms))
        return b"{}"

    async with opened(tmp_path) as store:
        await store.append(accepted([{"timestamp": 1, "content": "a"}], Context(received_ms=5), glue=" , "))
        await store.append(accepted([{"timestamp": 2}, {"timestamp": 3}], Context(received_ms=6), glue=" , "))
        batch = await store.backlog(form).next(1_000, 10)

    assert batch is not None
    assert batch.events == b"{},{},{}"
    assert seen == [(b'{"timestamp": 1, "content": "a"}', 5), (b'{"timestamp": 2}', 6), (b'{"timestamp": 3}', 6)]


async def test_it_is_the_forwarders_backlog(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        backlog: Backlog = store.backlog()

        assert isinstance(backlog, StoreBacklog)
        assert store.backlog() is backlog
        await store.append(accepted([{"content": "no stamp"}], Context(received_ms=1_795_464_000_000)))
        batch = await backlog.next(1_000, 10)
        assert batch is not None
        assert json.loads(batch.events) == {"timestamp": "2026-11-23T20:00:00.000Z", "content": "no stamp"}
