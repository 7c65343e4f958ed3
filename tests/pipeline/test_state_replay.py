"""Letters are sent to a real server; what it does not clearly take stays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest
from aiohttp import web

from shipper.core.letters import DeadLetter
from shipper.errors import EndpointUnreachable
from shipper.pipeline.state_replay import Replayer

NOW_MS = 1_795_464_000_000  # 2026-11-23T20:00:00Z
Content = list[str]


def letter(start: int, content: str | None = None, at: str = "2026-11-23T19:00:00.000Z") -> DeadLetter:
    return DeadLetter(
        at=at, source="shop", path="/a", file_id=1, generation=0, start=start, end=start + 1,
        reason="rejected", event={"content": content or f"{start}", "timestamp": at},
    )  # fmt: skip


def replayed(
    letters: Sequence[DeadLetter], answer: Callable[[Content], int], token: str | None = None
) -> tuple[list[str], list[web.Request], list[list[dict[str, str]]]]:
    """Return what was delivered, and the requests that the server got with their events."""

    async def scenario() -> tuple[list[str], list[web.Request], list[list[dict[str, str]]]]:
        requests, bodies = list[web.Request](), list[list[dict[str, str]]]()

        async def ingest(request: web.Request) -> web.Response:
            requests.append(request)
            bodies.append(json.loads(await request.read()))
            return web.Response(status=answer([event["content"] for event in bodies[-1]]))

        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/v2/logs/ingest", ingest)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            replayer = Replayer(f"http://{host}:{port}/v2/logs/ingest", token, 10.0, lambda: NOW_MS)
            return list(await replayer(letters)), requests, bodies
        finally:
            await runner.cleanup()

    return asyncio.run(scenario())


def refusing(bad: set[str], status: int) -> Callable[[Content], int]:
    return lambda contents: status if bad & set(contents) else 204


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        pytest.param(lambda _: 204, set(), id="all_taken"),
        pytest.param(refusing({"3", "11"}, 400), {"1.0.3", "1.0.11"}, id="two_refused"),
        pytest.param(lambda contents: 413 if len(contents) > 3 else 204, set(), id="too_large_together"),
        pytest.param(lambda _: 200, {f"1.0.{start}" for start in range(16)}, id="some_refused_which_is_not_said"),
    ],
)
def test_what_the_endpoint_takes_is_delivered_and_nothing_else(
    answer: Callable[[Content], int], left: set[str]
) -> None:
    letters = [letter(start) for start in range(16)]

    delivered, _, _ = replayed(letters, answer)

    assert set(delivered) == {found.id for found in letters} - left
    assert len(delivered) == len(set(delivered))


def test_an_answer_that_is_not_about_the_events_is_an_error() -> None:
    with pytest.raises(EndpointUnreachable, match="status 503"):
        replayed([letter(1)], lambda _: 503)


def test_what_was_taken_before_the_endpoint_went_away_is_delivered() -> None:
    letters = [letter(start, content=f"{start}" + "x" * 700_000) for start in range(3)]

    delivered, requests, _ = replayed(letters, lambda contents: 503 if contents[0][0] == "1" else 204)

    assert (delivered, len(requests)) == (["1.0.0"], 2)


def test_an_event_that_is_too_old_by_now_is_stamped_anew() -> None:
    _, _, (events,) = replayed([letter(1, at="2026-11-20T09:00:00.000Z")], lambda _: 204)

    assert events == [
        {
            "content": "1",
            "timestamp": "2026-11-23T20:00:00.000Z",
            "log.original_timestamp": "2026-11-20T09:00:00.000Z",
        }
    ]


def test_a_token_stays_on_this_side_of_a_clear_connection() -> None:
    _, (request,), _ = replayed([letter(1)], lambda _: 204, token="dt0c01.secret")

    assert "Authorization" not in request.headers
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"


def test_an_endpoint_that_is_not_there_is_named() -> None:
    replayer = Replayer("http://127.0.0.1:1/v2/logs/ingest", None, 10.0, lambda: NOW_MS)

    with pytest.raises(EndpointUnreachable, match=r"http://127\.0\.0\.1:1/v2/logs/ingest"):
        asyncio.run(replayer([letter(1)]))
