"""A tap shows what leaves, and never holds it up: bounded in time, in events a second, in what it keeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from shipper.errors import ShipperError, UsageError
from shipper.pipeline.tapping import MOST_TAPS, QUEUED_EVENTS, Sent, Tapping
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.agent_scene import Scene, play


class Clock:
    """Moves on by *step* each time it is asked: looking takes that long."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def sent(source: str, *contents: str, severity: str = "info") -> Sent:
    events = [{"content": text, "severity": severity, "log.source": source} for text in contents]
    return Sent(source, msgspec.json.encode(events)[1:-1], len(events))


def tapping(clock: Callable[[], float]) -> Tapping:
    return Tapping(clock, lambda: ["shop", "web"], lambda: "answering")


def line_of(tap: Tapping, args: dict[str, object], *parts: Sent) -> dict[str, object]:
    """Return the first line of a tap that is open while *parts* leave."""

    async def scenario() -> dict[str, object]:
        stream = tap.stream(args)
        first = asyncio.ensure_future(anext(stream))
        while not tap.active and not first.done():
            await asyncio.sleep(0)
        tap.sent(list(parts))
        line: dict[str, object] = json.loads(await first)
        await stream.aclose()
        assert not tap.active
        return line

    return asyncio.run(scenario())


def contents(line: dict[str, object]) -> list[str]:
    events = line["events"]
    assert isinstance(events, list)
    return [event["content"] for event in events]


EVERYTHING = (
    sent("shop", "order 1", 'order "2"\n\tat Shop.java', "Größe 3", severity="error"),
    sent("web", "GET /order", "GET /", severity="warn"),
)


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        pytest.param({}, ["order 1", 'order "2"\n\tat Shop.java', "Größe 3", "GET /order", "GET /"], id="all"),
        pytest.param({"source": "web"}, ["GET /order", "GET /"], id="source"),
        pytest.param({"match": "order"}, ["order 1", 'order "2"\n\tat Shop.java', "GET /order"], id="text"),
        pytest.param({"match": 'r "2"\n\tat'}, ['order "2"\n\tat Shop.java'], id="text_that_json_escapes"),
        pytest.param({"match": "Größe"}, ["Größe 3"], id="text_beyond_ascii"),
        pytest.param({"severities": ["warn", "info"]}, ["GET /order", "GET /"], id="severity"),
        pytest.param({"severities": ["warn"], "match": "/order"}, ["GET /order"], id="severity_and_text"),
        pytest.param({"match": "nowhere"}, [], id="nothing_fits"),
    ],
)
def test_what_fits_is_shown_as_it_was_sent(args: dict[str, object], shown: list[str]) -> None:
    line = line_of(tapping(Clock()), args, *EVERYTHING)

    assert contents(line) == shown
    assert (line["not_shown"], line["not_looked_at"]) == (0, 0)
    assert line["passed"] == (2 if "source" in args else 5)


def test_more_than_is_wanted_a_second_is_counted_and_what_is_shown_is_spread_over_it() -> None:
    many = sent("shop", *map(str, range(1000)))

    line = line_of(tapping(Clock()), {"per_second": 50}, many)

    assert contents(line) == [str(number) for number in range(0, 1000, 200)]
    assert (line["passed"], line["not_shown"], line["not_looked_at"]) == (1000, 995, 0)


def test_looking_takes_a_hundredth_of_the_time_at_most() -> None:
    clock = Clock(step=0.002)  # a look takes as long as that, on a slow machine
    tap = tapping(clock)

    line = line_of(tap, {"per_second": 10_000}, *[sent("shop", "a", "b")] * 100)

    looked = 200 - int(str(line["not_looked_at"]))
    assert line["passed"] == 200
    assert 0 < looked <= 12  # 10 ms at once, at 2 ms a look of two events


def test_what_nobody_fetches_is_not_kept() -> None:
    tap = tapping(Clock())

    line = line_of(tap, {"per_second": 1 << 20}, *[sent("shop", *map(str, range(500)))] * 20)

    assert len(contents(line)) == QUEUED_EVENTS
    assert line["not_shown"] == 10_000 - QUEUED_EVENTS


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"source": "shpo"}, "shpo: no such source; there are: shop, web"),
        ({"severities": ["loud"]}, "loud: no such severity"),
        ({"per_second": 0}, "at least one event a second"),
        ({"sauce": "shop"}, "wrong arguments"),
    ],
)
def test_what_cannot_be_tapped_is_said(args: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        line_of(tapping(Clock()), args)


def test_there_are_only_so_many_taps() -> None:
    async def scenario() -> None:
        tap = tapping(Clock())
        streams = [tap.stream({}) for _ in range(MOST_TAPS + 1)]
        waiting = [asyncio.ensure_future(anext(stream)) for stream in streams[:-1]]
        await asyncio.sleep(0)
        with pytest.raises(ShipperError, match="8 taps are open already"):
            await anext(streams[-1])
        await asyncio.gather(*waiting)
        for stream in streams:
            await stream.aclose()
        assert not tap.active

    asyncio.run(scenario())


def test_a_tap_on_an_agent_shows_the_masked_events_that_arrived_and_nothing_is_late_for_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.source["mask"] = [{"pattern": "secret", "replace": "****"}]
        agent = await scene.start()
        tap = agent.parts.sender.tapping
        assert tap is not None
        stream = tap.stream({"source": "app"})
        first = asyncio.ensure_future(anext(stream))
        while not tap.active:
            await asyncio.sleep(0)
        scene.append("app.log", "my secret is safe", "second")

        line = json.loads(await asyncio.wait_for(first, PATIENCE_SECONDS))
        while not line["events"]:
            line = json.loads(await asyncio.wait_for(anext(stream), PATIENCE_SECONDS))
        await stream.aclose()

        assert line["events"] == scene.receiver.acked
        assert [event["content"] for event in line["events"]] == ["my **** is safe", "second"]

    play(Scene(tmp_path), story)
