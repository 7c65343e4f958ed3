"""What an endpoint can do to a request: break the connection, answer in part, refuse, or be somebody else."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time

from tests.faults.troubled import Exchange, Trouble, well

# -- troubles of a connection --------------------------------------------------------------------------


async def half_closed_after_headers(exchange: Exchange) -> bool:
    await exchange.say("HTTP/1.1 200 OK\nContent-Length: 100\n\n")
    exchange.writer.write_eof()
    return False


async def answer_cut_short(exchange: Exchange) -> bool:
    await exchange.say('HTTP/1.1 200 OK\nContent-Length: 100\n\n{"details":')
    return False


async def answer_lost(exchange: Exchange) -> bool:
    """It is stored; the word of it never arrives."""
    exchange.take()
    exchange.writer.transport.abort()
    return False


async def reset_after_each_answer(exchange: Exchange) -> bool:
    """A connection that was to be kept is not there for the next request."""
    await well(exchange)
    exchange.writer.transport.abort()
    return False


async def another_service(exchange: Exchange) -> bool:
    exchange.writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n\0\0\1\x9c")
    await exchange.writer.drain()
    return False


# -- troubles of an answer -----------------------------------------------------------------------------


def always(status: int, body: str = "", **headers: str) -> Trouble:
    async def trouble(exchange: Exchange) -> bool:
        await exchange.answer(status, body, **headers)
        return True

    return trouble


def slow(seconds: float) -> Trouble:
    async def trouble(exchange: Exchange) -> bool:
        await asyncio.sleep(seconds)
        return await well(exchange)

    return trouble


def in_a_while(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def refused_beyond(limit_events: int, limit_bytes: int) -> Trouble:
    """Answer 413 to requests of more than that."""

    async def trouble(exchange: Exchange) -> bool:
        size = len(json.dumps(exchange.events))
        if len(exchange.events) > limit_events or size > limit_bytes:
            await exchange.answer(413, '{"error":{"code":413,"message":"Payload Too Large"}}')
            return True
        return await well(exchange)

    return trouble


async def one_of_them_refused(exchange: Exchange) -> bool:
    """400 to every request that holds it, as the ingest API does with an event it cannot read."""
    if any("0013" in str(event["content"]) for event in exchange.events):
        await exchange.answer(400, '{"error":{"code":400,"message":"bad event"}}')
        return True
    return await well(exchange)


def partly(*, named: bool) -> Trouble:
    """Take all events but each request's first."""

    async def trouble(exchange: Exchange) -> bool:
        exchange.take(exchange.events[1:])
        details: dict[str, object] = {"message": "1 events were not ingested"}
        if named:
            details["rejected"] = [0]
        await exchange.answer(200, json.dumps({"details": details}))
        return True

    return trouble


# -- by name -------------------------------------------------------------------------------------------

Telling = str | None
TROUBLES: dict[str, tuple[Trouble, Telling]] = {
    "half-closed after headers": (half_closed_after_headers, "delivery_retry"),
    "answer truncated": (answer_cut_short, "delivery_retry"),
    "keep-alive reset": (reset_after_each_answer, None),
    "another service on the port": (another_service, "delivery_retry"),
    "a web page on the port": (always(200, "<html><body>It works!</body></html>"), "delivery_held"),
    "400 always": (always(400, '{"error":{"message":"no"}}'), None),
    "402": (always(402), "delivery_held"),
    "403": (always(403), "delivery_held"),
    "404": (always(404), "delivery_held"),
    "redirect": (always(302, Location="http://127.0.0.1:9/elsewhere"), "delivery_held"),
    "413 always": (always(413), None),
    "413 by count": (refused_beyond(20, 1 << 20), None),
    "413 by bytes": (refused_beyond(1000, 4096), None),
    "429, Retry-After in seconds": (always(429, Retry_After="1"), "delivery_retry"),
    "429, Retry-After as a date": (always(429, Retry_After=in_a_while(1.0)), "delivery_retry"),
    "429, Retry-After that is no time": (always(429, Retry_After="never"), "delivery_retry"),
    "429, Retry-After negative": (always(429, Retry_After="-5"), "delivery_retry"),
    "429, Retry-After long ago": (always(429, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"), "delivery_retry"),
    "500 with a page": (always(500, "<html>oops</html>"), "delivery_retry"),
    "502": (always(502), "delivery_retry"),
    "503": (always(503), "delivery_retry"),
    "504": (always(504), "delivery_retry"),
    "slow: 100 ms": (slow(0.1), None),
    "slow: 500 ms": (slow(0.5), None),
    "slow: 1000 ms": (slow(1.0), None),
}
