"""Batches, overlap, order, retries: each promise of delivery against a scripted endpoint, in virtual time."""

from __future__ import annotations

import asyncio
import json

import pytest

from shipper.core.batch import BatchLimits
from shipper.core.converter import compile_rule
from shipper.core.delivery import Response
from shipper.core.rule import TooOld
from shipper.errors import EndpointUnreachable
from tests.pipeline.delivery_scene import (
    ACCEPTED,
    Answer,
    Event,
    Scene,
    Script,
    accept,
    answer,
    play,
    refuse,
    stamped,
    stamped_rule,
)

SMALL = BatchLimits(target_bytes=2000, flush_seconds=1.0, max_bytes=3000, max_events=50, concurrency=3)


def always(given: Answer) -> Script:
    return lambda _events: given


def in_turn(*answers: Answer) -> Script:
    """Give *answers* one after the other, the last one again and again."""
    left = list(answers)
    return lambda _events: left.pop(0) if len(left) > 1 else left[0]


# -- batches ---------------------------------------------------------------------------------------


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


# -- overlap and order -----------------------------------------------------------------------------


def test_requests_overlap_up_to_the_concurrency() -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL, latency=0.1)
        for number in range(40):
            scene.offer("x" * 400, lineage=number)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.most_at_once == SMALL.concurrency
    assert scene.times[-1] < 0.1 * len(scene.posts) / 2


def test_first_transmissions_keep_the_order_of_a_lineage() -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL, latency=0.1)
        for number in range(60):
            scene.offer(f"{number:02d} {'x' * 300}", lineage=number % 2)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    first_seen = [text[:2] for post in play(story).posts for text in post]

    assert [n for n in first_seen if int(n) % 2 == 0] == [f"{n:02d}" for n in range(0, 60, 2)]
    assert [n for n in first_seen if int(n) % 2] == [f"{n:02d}" for n in range(1, 60, 2)]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(answer(503), id="503"),
        pytest.param(EndpointUnreachable, id="no_answer"),
        pytest.param(answer(403), id="403"),
    ],
)
def test_after_a_failure_no_later_batch_of_the_lineage_starts_before_it_is_settled(failure: Answer) -> None:
    """Two batches are under way when the endpoint fails; no third may pass the second."""

    async def story() -> Scene:
        answers = in_turn(failure, failure, ACCEPTED, failure, ACCEPTED)
        scene = Scene(answers, limits=SMALL._replace(concurrency=2), latency=0.1)
        for number in range(3):
            scene.offer(f"{number} {'x' * 1950}", lineage=7)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert [text[0] for text in scene.contents] == ["0", "1", "2"]
    assert [post[0][0] for post in scene.posts] == ["0", "1", "0", "1", "1", "2"]


def test_while_a_lineage_is_blocked_others_go_on() -> None:
    """The refused batch takes many requests; a free file's lines are neither held up nor waited for."""

    async def story() -> Scene:
        scene = Scene(refuse("bad"), limits=SMALL._replace(target_bytes=1 << 20, max_bytes=1 << 20), latency=1.0)
        lines = [f"line {n}" for n in range(50)]
        scene.offer(*lines[:25], "bad", *lines[25:], lineage=1)
        scene.sender.flush()
        await asyncio.sleep(1.5)
        scene.offer("later line of the same file", lineage=1)
        scene.offer("another file", lineage=2)
        await asyncio.sleep(3.0)
        seen_by_then = list(scene.contents)
        await scene.sender.drain(None)
        await scene.close()
        assert "another file" in seen_by_then
        assert "later line of the same file" not in seen_by_then
        return scene

    scene = play(story)

    assert scene.contents[-1] == "later line of the same file"
    assert scene.letters[0][0] == 1


def test_acks_come_back_in_any_order() -> None:
    async def story() -> Scene:
        scene = Scene(limits=SMALL)

        async def slow_then_quick(pieces: object) -> Response:
            scene.posts.append([])
            await asyncio.sleep(5.0 if len(scene.posts) == 1 else 0.1)
            return ACCEPTED

        scene.post = slow_then_quick  # type: ignore[method-assign]  # answers take their time by turn
        for number in range(2):
            scene.offer("x" * 2000, lineage=number)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    assert [portion.lineage for portion, _ in play(story).settled] == [1, 0]


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


# -- ages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "expected", "filtered", "letters"),
    [
        pytest.param(
            TooOld.RESTAMP,
            {"old": "2026-11-23T20:59:03.005Z", "older": "2026-11-23T20:00:00.000Z", "new": "2026-11-23T19:00:00.000Z"},
            {}, [], id="restamp",
        ),
        pytest.param(TooOld.DROP, {"new": "2026-11-23T19:00:00.000Z"}, {"too_old": 1}, [], id="drop"),
        pytest.param(
            TooOld.DEAD_LETTER, {"new": "2026-11-23T19:00:00.000Z"}, {}, [(1, (0, 29), "too_old")], id="dead_letter"
        ),
    ],
)  # fmt: skip
def test_what_grows_too_old_on_the_way_meets_its_policy(
    policy: TooOld, expected: dict[str, str], filtered: dict[str, int], letters: list[tuple[int, tuple[int, int], str]]
) -> None:
    """23 hours old when it is read, the endpoint is gone for two: the policy is applied before the next attempt."""

    async def story() -> Scene:
        scene = Scene(always(EndpointUnreachable), limits=SMALL)
        lines = [stamped(23, "old"), stamped(1, "new")]
        lines += [stamped(30, "older")] if policy is TooOld.RESTAMP else []
        scene.offer(*lines, converter=compile_rule(stamped_rule(policy)))
        await asyncio.sleep(7200)
        scene.script = accept
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert {event["content"].split()[1]: event["timestamp"] for event in scene.acked} == expected
    assert [settlement.filtered for _, settlement in scene.settled] == [filtered]
    assert scene.letters == letters


def test_an_event_keeps_its_instant_of_first_sending_over_resends() -> None:
    async def story() -> Scene:
        scene = Scene(always(EndpointUnreachable), limits=SMALL)
        scene.offer(stamped(30, "older"), stamped(23.99, "old"), converter=compile_rule(stamped_rule(TooOld.RESTAMP)))
        await asyncio.sleep(1800)
        scene.script = accept
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    older = {json.loads(body)[0]["timestamp"] for body in scene.bodies}
    assert older == {"2026-11-23T20:00:00.000Z"}


def test_a_batch_of_which_nothing_is_left_is_settled_without_a_request() -> None:
    async def story() -> Scene:
        scene = Scene(always(EndpointUnreachable), limits=SMALL)
        scene.offer(stamped(23.5, "old"), converter=compile_rule(stamped_rule(TooOld.DROP)))
        await asyncio.sleep(7200)
        requests = len(scene.posts)
        assert await scene.sender.drain(3600)
        await scene.close()
        assert len(scene.posts) == requests
        return scene

    scene = play(story)

    assert [settlement.filtered for _, settlement in scene.settled] == [{"too_old": 1}]
    assert scene.acked == []
