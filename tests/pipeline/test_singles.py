"""A batch that is refused is taken apart: exact dead letters for the bad events, the rest delivered once."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from shipper.core.converter import compile_rule
from shipper.core.rule import TooOld
from tests.pipeline.delivery_scene import (
    ACCEPTED,
    LARGE,
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


def too_old(mark: str) -> Script:
    """Say that events with *mark* are too old."""

    def script(events: list[Event]) -> Answer:
        old = any(mark in e["content"] and "log.original_timestamp" not in e for e in events)
        return answer(400, "One or all logs are out of correct time range.") if old else ACCEPTED

    return script


# -- 400 -------------------------------------------------------------------------------------------


def test_three_bad_events_of_5_000_over_40_files_become_three_letters_with_exact_spans() -> None:
    async def story() -> Scene:
        scene = Scene(refuse("bad"), limits=LARGE)
        for lineage in range(40):
            lines = [f"{lineage:02d}.{n:03d} good" for n in range(125)]
            lines[60] = "bad" if lineage in (0, 17, 39) else lines[60]
            scene.offer(*lines, lineage=lineage)
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert sorted(scene.letters) == [(n, (60 * 12, 60 * 12 + 4), "rejected") for n in (0, 17, 39)]
    assert len(scene.contents) == len(set(scene.contents)) == 4997
    assert len(scene.posts) <= 65
    assert len(scene.settled) == 40


def test_more_bad_events_than_the_requests_find_are_found_in_further_rounds() -> None:
    async def story() -> Scene:
        scene = Scene(refuse("bad"), limits=LARGE)
        scene.offer(*[f"bad {n}" if n % 20 == 7 else f"good {n}" for n in range(1000)])
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert len(scene.letters) == len(set(scene.letters)) == 50
    assert len(scene.contents) == len(set(scene.contents)) == 950
    assert "delivery_held" not in scene.said


def test_an_endpoint_that_refuses_everything_is_held_and_nothing_is_dead_lettered() -> None:
    async def story() -> Scene:
        scene = Scene(lambda _events: answer(400, "go away"), limits=LARGE)
        for lineage in range(6):
            scene.offer(*[f"{lineage} line {n}" for n in range(100)], lineage=lineage)
        await asyncio.sleep(3600)
        assert scene.sender.health.state == "refusing"
        assert len(scene.posts) < 60 * 16
        scene.script = accept
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.letters == []
    assert len(scene.contents) == len(set(scene.contents)) == 600
    assert scene.said.count("delivery_held") == 1
    assert scene.said.count("delivery_resumed") == 1


@pytest.mark.parametrize("at", [0, 50, 97], ids=["head", "middle", "tail"])
def test_three_bad_events_in_a_row_are_the_events(at: int) -> None:
    async def story() -> Scene:
        scene = Scene(refuse("bad"), limits=LARGE)
        scene.offer(*[f"bad {n}" if at <= n < at + 3 else f"good {n}" for n in range(100)])
        assert await scene.sender.drain(10)
        await scene.close()
        return scene

    scene = play(story)

    assert len(scene.letters) == 3
    assert len(scene.contents) == 97


def test_bad_events_that_fill_a_batch_are_known_by_what_other_batches_meet() -> None:
    """A file of nothing but bad lines is held first; once another file's lines pass, it is these lines."""

    async def story() -> Scene:
        scene = Scene(refuse("bad"), limits=LARGE, latency=0.01)
        scene.offer(*[f"bad {n}" for n in range(5)], lineage=1)
        await asyncio.sleep(2)
        assert scene.letters == []
        for n in range(200):
            scene.offer(f"good {n}", lineage=2)
            await asyncio.sleep(1)
        assert await scene.sender.drain(10)
        await scene.close()
        return scene

    scene = play(story)

    assert len(scene.letters) == 5
    assert len(scene.contents) == 200


def test_single_bad_events_in_batches_of_their_own_do_not_make_the_endpoint_look_guilty() -> None:
    async def story() -> Scene:
        scene = Scene(refuse("bad"), limits=LARGE)
        for n in range(6):
            scene.offer(f"{'good' if n % 2 else 'bad'} {n}")
            await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert len(scene.letters) == 3
    assert scene.contents == ["good 1", "good 3", "good 5"]
    assert scene.said == []


def test_while_it_is_taken_apart_an_outage_changes_nothing() -> None:
    async def story() -> Scene:
        answers = iter([answer(400), answer(503), answer(403), answer(500)])

        def script(events: list[Event]) -> Answer:
            return next(answers, None) or refuse("bad")(events)

        scene = Scene(script, limits=LARGE)
        scene.offer(*["bad" if n == 33 else f"good {n}" for n in range(100)])
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert len(scene.letters) == 1
    assert Counter(scene.contents) == Counter(f"good {n}" for n in range(100) if n != 33)


# -- 400 that names the time range --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "arrived", "filtered", "letters"),
    [
        pytest.param(TooOld.RESTAMP, ["old", "new", "newer"], {}, [], id="restamp"),
        pytest.param(TooOld.DROP, ["new", "newer"], {"too_old": 1}, [], id="drop"),
        pytest.param(TooOld.DEAD_LETTER, ["new", "newer"], {}, [(1, (0, 29), "too_old")], id="dead_letter"),
    ],
)
def test_what_the_endpoint_finds_too_old_meets_the_policy(
    policy: TooOld, arrived: list[str], filtered: dict[str, int], letters: list[tuple[int, tuple[int, int], str]]
) -> None:
    async def story() -> Scene:
        scene = Scene(too_old("old"), limits=LARGE)
        lines = [stamped(12, "old"), stamped(2, "new"), stamped(1, "newer")]
        scene.offer(*lines, converter=compile_rule(stamped_rule(policy)))
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert sorted(text.split()[1] for text in scene.contents) == sorted(arrived)
    assert scene.settled[0][1].filtered == filtered
    assert scene.letters == letters


def test_an_event_grows_too_old_while_its_batch_is_taken_apart() -> None:
    """The endpoint goes away for hours in the middle of a bisection; the next attempt carries a stamp it can take."""

    async def story() -> Scene:
        answers = iter([answer(400), *[answer(503)] * 200])
        scene = Scene(lambda events: next(answers, None) or refuse("bad")(events), limits=LARGE)
        lines = [stamped(22, "old"), stamped(1, "bad"), stamped(1, "new"), stamped(1, "newer")]
        scene.offer(*lines, converter=compile_rule(stamped_rule(TooOld.RESTAMP)))
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    old = next(event for event in scene.acked if event["content"].endswith("old"))
    assert old["log.original_timestamp"] == "2026-11-22T22:00:00.000Z"
    assert "2026-11-23T21:58" < old["timestamp"] < "2026-11-23T22:01"
    assert scene.letters == [(1, (29, 58), "rejected")]
