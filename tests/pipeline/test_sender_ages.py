"""What grows too old while it waits for the endpoint meets its policy; in virtual time."""

from __future__ import annotations

import asyncio
import json

import pytest

from shipper.core.converter import compile_rule
from shipper.core.rule import TooOld
from shipper.errors import EndpointUnreachable
from tests.pipeline.delivery_scene import SMALL, Scene, accept, always, play, stamped, stamped_rule


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
