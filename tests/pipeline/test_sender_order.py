"""Requests overlap and a lineage keeps its order, whatever fails; against a scripted endpoint, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from shipper.core.delivery import Response
from shipper.errors import EndpointUnreachable
from tests.pipeline.delivery_scene import ACCEPTED, SMALL, Answer, Scene, answer, in_turn, play, refuse


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
