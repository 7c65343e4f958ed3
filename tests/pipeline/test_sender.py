"""Batches: what is sent together, when, and how large it may be; against a scripted endpoint, in virtual time."""

from __future__ import annotations

import asyncio
import json

import pytest

from shipper.core.batch import BatchLimits
from tests.pipeline.delivery_scene import ACCEPTED, SMALL, Scene, answer, in_turn, play


def test_what_comes_after_a_pause_goes_at_once_and_what_follows_gathers() -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL)
        scene.offer("one")
        await asyncio.sleep(0.3)
        scene.offer("two", lineage=2)
        await asyncio.sleep(0.3)
        scene.offer("three", lineage=3)
        await asyncio.sleep(5)
        scene.offer("four")
        await asyncio.sleep(2)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.posts == [["one"], ["two", "three"], ["four"]]
    assert scene.times == pytest.approx([0.005, 1.005, 5.605])


def test_a_burst_after_a_pause_is_one_request() -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL)
        for number in range(4):
            scene.offer(f"line {number}", lineage=number)
            await asyncio.sleep(0.001)
        await asyncio.sleep(2)
        await scene.close()
        return scene

    assert [len(post) for post in play(story).posts] == [4]


@pytest.mark.parametrize("pause_seconds", [0.01, 0.05, 0.3, 0.7, 0.99, 1.01, 3.0])
def test_a_slow_stream_makes_one_request_an_interval_at_most_and_no_line_waits_longer(pause_seconds: float) -> None:
    async def story() -> tuple[Scene, float, list[float]]:
        scene, offered = Scene(limits=BatchLimits()), []
        while scene.loop.time() < 1020.0:
            offered.append(scene.loop.time() - 1000.0)
            scene.offer(f"{len(offered) - 1}")
            await asyncio.sleep(pause_seconds)
        lasted = scene.loop.time() - 1000.0
        await asyncio.sleep(2)
        await scene.close()
        return scene, lasted, offered

    scene, lasted, offered = play(story)
    sent = [time for time, post in zip(scene.times, scene.posts, strict=True) for _ in post]

    assert len(scene.posts) <= lasted + 2
    assert len(sent) == len(offered)
    assert max(left - came for left, came in zip(sent, offered, strict=True)) <= SMALL.flush_seconds + 1e-6


def test_it_is_rested_only_where_what_comes_next_would_leave_at_once() -> None:
    """The tailer asks, and gathers news for longer where it has to wait anyway: a read a line would gain nothing."""

    async def story() -> list[bool]:
        scene = Scene(in_turn(ACCEPTED, answer(503), ACCEPTED), limits=SMALL, retry=(30.0, 60.0))
        found = [scene.sender.is_rested]
        for text, pause_seconds in (("one", 0.5), (None, 1.0), ("two", 5.0), (None, 60.0)):
            if text is not None:
                scene.offer(text)
            await asyncio.sleep(pause_seconds)
            found.append(scene.sender.is_rested)
        await scene.close()
        return found

    # new; just sent; rested again; the endpoint fails; it has answered, long ago
    assert play(story) == [True, False, True, False, True]


def test_what_waited_for_the_endpoint_does_not_wait_again() -> None:
    async def story() -> Scene:
        scene = Scene(in_turn(answer(503), ACCEPTED), limits=SMALL, retry=(3.0, 60.0))
        scene.offer("one")
        await asyncio.sleep(1)
        scene.offer("two")
        await asyncio.sleep(10)
        await scene.close()
        return scene

    assert play(story).times == pytest.approx([0.005, 3.005, 3.005])


def test_a_batch_that_is_large_enough_goes_at_once() -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL)
        for number in range(5):
            scene.offer("x" * 400, lineage=number)
        await asyncio.sleep(0.5)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.times == [0.0]
    assert 2000 <= len(scene.bodies[0]) <= 3000


@pytest.mark.parametrize("text", ["x" * 300, "ä" * 150, "日" * 100, '"' * 150, "\x01" * 50, "🦉" * 75])
def test_limits_count_the_encoded_bytes_of_the_json(text: str) -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL)
        for _ in range(40):
            scene.offer(text)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert len(scene.contents) == 40
    assert max(map(len, scene.bodies)) <= SMALL.max_bytes
    assert all(json.loads(body) for body in scene.bodies)


def test_no_request_holds_more_events_than_allowed() -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL._replace(target_bytes=1 << 20, max_bytes=1 << 20))
        for _ in range(20):
            scene.offer(*["x"] * 7)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert len(scene.contents) == 140
    assert max(map(len, scene.posts)) <= SMALL.max_events


@pytest.mark.parametrize(
    "lines", [pytest.param(["x" * 300] * 30, id="bytes"), pytest.param(["x"] * 200, id="events")]
)  # fmt: skip
def test_a_portion_that_is_larger_than_a_request_is_sent_in_several(lines: list[str]) -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL._replace(max_bytes=9000))
        scene.offer(*lines)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.contents == lines
    assert max(map(len, scene.bodies)) <= 9000
    assert max(map(len, scene.posts)) <= SMALL.max_events
    assert len(scene.settled) == 1
