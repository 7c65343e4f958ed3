"""The forwarder against a real HTTP server: nothing lost, nothing out of order, the token seen by nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shipper.endpoint.forwarder import Forwarder, Pace
from shipper.errors import ConfigError
from tests.endpoint.forwarded_events import events, numbers
from tests.endpoint.tenant_double import (
    NOW_S,
    PACE,
    TOKEN,
    Clock,
    MemoryBacklog,
    TenantDouble,
    error,
    forward,
    in_turn,
    raw_server,
    taken,
)
from tests.patience import PATIENCE_SECONDS


def test_events_arrive_in_order_and_as_they_are() -> None:
    outcome = forward(events(250))

    assert outcome.tenant.kept == events(250)
    assert [len(got.events) for got in outcome.tenant.got] == [100, 100, 50]
    assert outcome.stats["events_forwarded"] == 250
    assert (outcome.stats["events_waiting"], outcome.stats["trouble"], outcome.said) == (0, "", [])


def test_a_request_is_gzipped_json_with_the_token_in_its_header() -> None:
    got = forward(events(1)).tenant.got[0]

    assert got.path == "/api/v2/logs/ingest"
    assert got.headers["authorization"] == f"Api-Token {TOKEN}"
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert got.headers["content-encoding"] == "gzip"
    assert got.headers["user-agent"].startswith("shipper/")


def test_a_batch_is_no_larger_than_a_request_may_be() -> None:
    outcome = forward(events(100), pace=Pace(idle_seconds=PACE.idle_seconds, max_bytes=1000))

    assert outcome.tenant.kept == events(100)
    assert max(int(str(outcome.stats["bytes_forwarded"])) // len(outcome.tenant.got), 1) <= 1000
    assert len(outcome.tenant.got) > 5


@pytest.mark.parametrize("trouble", [408, 429, 500, 502, 503, 504, 599, ConnectionResetError], ids=str)
def test_passing_trouble_is_waited_out_with_full_jitter_and_nothing_is_lost(
    trouble: int | type[ConnectionError],
) -> None:
    bad = [error(trouble, "later") if isinstance(trouble, int) else trouble for _ in range(9)]

    outcome = forward(events(150), in_turn(*bad))

    assert outcome.tenant.kept == events(150)
    assert outcome.stats["events_forwarded"] == 150
    assert outcome.stats["retries"] == len(outcome.clock.waits) == 9
    assert all(
        0 <= wait <= longest
        for wait, longest in zip(outcome.clock.waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True)
    )
    assert len({*outcome.clock.waits}) == 9
    assert [line.split()[0] for line in outcome.said] == ["forward_held", "forward_resumed"]


@pytest.mark.parametrize(("retry_after", "wait"), [
    ("7", 7.0), ("0", 0.0), ("9999999", 600.0), ("Sun, 22 Feb 2026 21:29:09 GMT", 10.0),
    ("Sun, 22 Feb 2026 21:00:00 GMT", 0.0),
])  # fmt: skip
def test_retry_after_is_honoured(retry_after: str, wait: float) -> None:
    answer = error(429, "slow down", **{"Retry-After": retry_after})

    assert forward(events(1), in_turn(answer)).clock.waits == [wait]


@pytest.mark.parametrize("status", [302, 401, 402, 403, 404, 405, 409, 415, 501])
def test_what_somebody_must_mend_is_held_said_once_and_then_goes_on(status: int) -> None:
    answers = [error(status, f"no: {TOKEN}", Location="http://127.0.0.1:1/") for _ in range(3)]

    outcome = forward(events(5), in_turn(*answers))

    assert outcome.clock.waits == [60.0, 60.0, 60.0]
    assert outcome.tenant.kept == events(5)
    assert [line.split()[0] for line in outcome.said] == ["forward_held", "forward_resumed"]
    assert f"status {status}" in outcome.said[0]
    assert "'mend': '" in outcome.said[0]


def test_while_it_is_held_the_reader_sees_why_and_how_much_waits() -> None:
    outcome = forward(events(5), lambda sent, number: error(403, "no"), until_waits=2)

    assert outcome.backlog.position == 0
    assert (outcome.stats["trouble"], outcome.stats["events_waiting"]) == ("status 403", 5)
    assert int(str(outcome.stats["bytes_waiting"])) > 100


def test_no_word_of_ours_has_the_token() -> None:
    """Not even when the tenant repeats it."""
    answers = [error(status, f"bad token {TOKEN}") for status in (401, 503, 403)]

    outcome = forward(events(3), in_turn(*answers, ConnectionResetError))

    assert len(outcome.said) == 5
    assert TOKEN not in repr((outcome.said, outcome.stats))
    assert "bad token ***" in outcome.said[0]


def test_a_renewed_token_is_used_without_a_restart() -> None:
    tokens = iter(["old", "new"])

    outcome = forward(events(1), in_turn(error(401, "expired")), token=lambda: next(tokens))

    assert [got.headers["authorization"] for got in outcome.tenant.got] == ["Api-Token old", "Api-Token new"]


def test_a_token_that_cannot_be_read_holds_without_a_request() -> None:
    tokens = iter(["", "new"])

    outcome = forward(events(1), token=lambda: next(tokens))

    assert (outcome.clock.waits, len(outcome.tenant.got)) == ([60.0], 1)


def test_what_was_under_way_at_the_end_is_sent_again_and_nothing_before_it() -> None:
    first = forward(events(250), lambda sent, n: taken(sent, n) if n < 2 else error(503, ""), until_waits=1)

    assert first.backlog.position == 200
    assert numbers(first.tenant.kept) == [*range(200)]


def test_a_204_that_announces_a_body_does_not_poison_the_next_request() -> None:
    """The printed sample of the OneAgent does so: what comes of it is not waited for on that connection."""
    connections: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        while head := await reader.readuntil(b"\r\n\r\n"):
            connections[-1] += 1
            size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await reader.readexactly(size)
            writer.write(b"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\nContent-Length: 116\r\n\r\n")
            await writer.drain()

    async def scenario() -> dict[str, Any]:
        backlog, clock = MemoryBacklog(events(5)), Clock()
        pace = Pace(idle_seconds=PACE.idle_seconds, max_events=1)
        async with raw_server(talk) as url:
            forwarder = Forwarder(backlog, url, TOKEN, pace=pace, now_s=lambda: NOW_S, sleep=clock.sleep)
            task = asyncio.create_task(forwarder.run())
            await asyncio.wait_for(backlog.emptied.wait(), PATIENCE_SECONDS)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return forwarder.stats()

    stats = asyncio.run(scenario())

    assert (stats["events_forwarded"], stats["retries"], connections) == (5, 0, [1, 1, 1, 1, 1])


def test_a_backlog_that_cannot_remember_ends_the_forwarder() -> None:
    class Broken(MemoryBacklog):
        async def done(self, batch: object) -> None:
            raise ConfigError(["disk gone"])

    async def scenario() -> None:
        async with TenantDouble().serving() as tenant:
            forwarder = Forwarder(Broken(events(1)), tenant.url, TOKEN, now_s=lambda: NOW_S)
            await asyncio.wait_for(forwarder.run(), PATIENCE_SECONDS)

    with pytest.raises(ConfigError, match="disk gone"):
        asyncio.run(scenario())
