"""A partial success is never sent again: what it refused is a letter where it is named, a count where it is not."""

from __future__ import annotations

import json

from shipper.core.delivery import Response
from tests.pipeline.delivery_scene import ACCEPTED, LARGE, Answer, Event, Scene, answer, play


def partial(message: str, **more: object) -> Response:
    return Response(200, {}, json.dumps({"details": {"code": 200, "message": message, **more}}).encode())


def test_a_partial_success_is_never_sent_again_and_counted_once() -> None:
    async def story() -> Scene:
        scene = Scene(lambda _events: partial("2 events were not ingested"), limits=LARGE)
        scene.offer("one", "two", lineage=1)
        scene.offer("three", lineage=2)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert len(scene.posts) == 1
    assert [settlement.refused_unnamed for _, settlement in scene.settled] == [2, 0]
    assert scene.letters == []
    assert scene.said == ["delivery_partial"]


def test_what_is_refused_without_a_name_is_charged_to_no_file_beyond_what_it_has() -> None:
    async def story() -> Scene:
        scene = Scene(lambda _events: partial("3 events were not ingested"), limits=LARGE)
        scene.offer("one", lineage=1)
        scene.offer("two", "three", "four", lineage=2)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert [settlement.refused_unnamed for _, settlement in scene.settled] == [1, 2]
    assert [settlement.unnamed_in_batch for _, settlement in scene.settled] == [3, 0]


def test_an_endpoint_that_names_the_refused_events_gives_letters_with_their_spans() -> None:
    async def story() -> Scene:
        scene = Scene(lambda _events: partial("2 events were not ingested", rejected=[1, 2]), limits=LARGE)
        scene.offer("one", "two", lineage=1)
        scene.offer("three", "four", lineage=2)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.letters == [(1, (4, 8), "rejected"), (2, (0, 6), "rejected")]
    assert [settlement.refused_unnamed for _, settlement in scene.settled] == [0, 0]


def test_a_partial_success_of_a_part_of_a_batch_is_counted_too() -> None:
    def script(events: list[Event]) -> Answer:
        if any("bad" in event["content"] for event in events):
            return answer(400)
        return partial("1 event was not ingested") if len(events) > 1 else ACCEPTED

    async def story() -> Scene:
        scene = Scene(script, limits=LARGE)
        scene.offer("one", "two", "three", "bad")
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.letters == [(1, (14, 18), "rejected")]
    assert [settlement.refused_unnamed for _, settlement in scene.settled] == [1]


def test_a_single_event_that_a_partial_success_refuses_is_known() -> None:
    async def story() -> Scene:
        scene = Scene(lambda _events: partial("1 event was not ingested"), limits=LARGE)
        scene.offer("one")
        await scene.sender.drain(None)
        await scene.close()
        return scene

    assert play(story).letters == [(1, (0, 4), "rejected")]
