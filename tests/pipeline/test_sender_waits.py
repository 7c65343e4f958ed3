"""Waits between attempts, and what is left at the end; against a scripted endpoint, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from shipper.errors import EndpointUnreachable
from tests.pipeline.delivery_scene import (
    ACCEPTED,
    SMALL,
    Answer,
    Event,
    Scene,
    accept,
    always,
    answer,
    in_turn,
    play,
    refuse,
)

# -- waiting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        pytest.param([answer(503)] * 8, [0, 1, 3, 7, 15, 31, 63, 123, 183], id="doubles_up_to_the_limit"),
        pytest.param([EndpointUnreachable] * 3, [0, 1, 3, 7], id="unreachable"),
        pytest.param([answer(429, **{"retry-after": "10"})] * 2, [0, 10, 20], id="retry_after"),
        pytest.param([answer(429, **{"retry-after": "0.1"})] * 2, [0, 1, 3], id="retry_after_is_a_minimum"),
        pytest.param([answer(503, **{"retry-after": "Mon, 23 Nov 2026 20:00:30 GMT"})], [0, 30], id="retry_after_date"),
        pytest.param([answer(403)] * 2, [0, 60, 120], id="held_is_asked_slowly"),
        pytest.param([answer(302)], [0, 60], id="redirect_is_held"),
    ],
)
def test_the_waits_between_attempts(failures: list[Answer], expected: list[float]) -> None:
    async def story() -> Scene:
        scene = Scene(in_turn(*failures, ACCEPTED), limits=SMALL._replace(flush_seconds=0.0))
        scene.offer("one")
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert [round(time) for time in scene.times] == expected
    assert scene.contents == ["one"]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 415, 501])
def test_what_is_held_is_said_once_and_goes_on_by_itself(status: int) -> None:
    async def story() -> Scene:
        scene = Scene(always(answer(status)), limits=SMALL, latency=0.01)
        for number in range(10):
            scene.offer("x" * 1000, lineage=number)
        await asyncio.sleep(3600)
        assert scene.sender.health.state == "refusing"
        scene.script = accept
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.said.count("delivery_held") == 1
    assert scene.said.count("delivery_resumed") == 1
    assert len(scene.contents) == 10
    assert scene.letters == []
    assert scene.sender.health.state == "answering"


def test_one_batch_at_a_time_asks_whether_the_endpoint_is_back() -> None:
    async def story() -> Scene:
        scene = Scene(always(EndpointUnreachable), limits=SMALL, latency=0.01)
        for number in range(20):
            scene.offer("x" * 1900, lineage=number)
        await asyncio.sleep(600)
        await scene.close()
        return scene

    assert len(play(story).posts) <= SMALL.concurrency + 6 + 600 / 60


def test_a_flapping_endpoint_leaves_nothing_stuck() -> None:
    """It changes its mind 10,000 times while lines are offered; in the end each was delivered, and nothing is held."""

    async def story() -> Scene:
        moods = [accept, always(EndpointUnreachable), accept, always(answer(503)), always(answer(403)), refuse("7777")]
        scene = Scene(limits=SMALL._replace(flush_seconds=0.01), latency=0.003, retry=(0.01, 0.02))
        for turn in range(10_000):
            scene.script = moods[turn % len(moods)]
            scene.offer(f"line {turn}", lineage=turn % 7)
            await asyncio.sleep(0.002 + turn % 5 * 0.004)
        scene.script = accept
        assert await scene.sender.drain(3600)
        await scene.close()
        return scene

    scene = play(story)

    assert {f"line {turn}" for turn in range(10_000)} == set(scene.contents) | {"line 7777"}
    assert scene.sender.held_bytes == 0
    assert len(scene.settled) == 10_000
    assert scene.said.count("delivery_resumed") > 500


# -- the end ---------------------------------------------------------------------------------------


def test_draining_sends_what_is_there_without_waiting_for_its_age() -> None:
    async def story() -> tuple[Scene, bool]:
        scene = Scene(limits=SMALL._replace(flush_seconds=60.0))
        scene.offer("one")
        drained = await scene.sender.drain(10)
        await scene.close()
        return scene, drained

    scene, drained = play(story)

    assert drained
    assert scene.times == [0.0]


def test_draining_gives_up_after_its_time_and_keeps_what_is_held() -> None:
    async def story() -> tuple[Scene, bool]:
        scene = Scene(always(answer(503)), limits=SMALL)
        scene.offer("one")
        drained = await scene.sender.drain(10)
        await scene.close()
        return scene, drained

    scene, drained = play(story)

    assert not drained
    assert scene.settled == []
    assert scene.sender.held_bytes > 0


def test_an_unexpected_error_stops_the_sender() -> None:
    async def story() -> None:
        scene = Scene(limits=SMALL)

        def broken(_events: list[Event]) -> Answer:
            raise ZeroDivisionError

        scene.script = broken
        scene.offer("one")
        await scene._running

    with pytest.raises(ZeroDivisionError):
        play(story)
