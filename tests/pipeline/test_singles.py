"""A batch that is refused is taken apart: exact dead letters for the bad events, the rest delivered once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import msgspec
import pytest

from shipper.core.batch import BatchLimits
from shipper.core.converter import compile_rule
from shipper.core.delivery import Response
from shipper.core.rule import EventLimits, RecordFormat, Rule, TooOld
from shipper.pipeline.accounts import settled_figures
from tests.pipeline.delivery_scene import (
    ACCEPTED,
    Answer,
    Event,
    Scene,
    Script,
    accept,
    answer,
    play,
    raw_rule,
    refuse,
    stamped,
    stamped_rule,
)

LARGE = BatchLimits(target_bytes=4 << 20, flush_seconds=1.0, max_bytes=4 << 20, max_events=20_000, concurrency=4)


def larger_than(most_bytes: int) -> Script:
    """Answer 413 to every request of more than *most_bytes*."""
    return lambda events: answer(413) if len(msgspec.json.encode(events)) > most_bytes else ACCEPTED


def too_old(mark: str) -> Script:
    """Say that events with *mark* are too old."""

    def script(events: list[Event]) -> Answer:
        old = any(mark in e["content"] and "log.original_timestamp" not in e for e in events)
        return answer(400, "One or all logs are out of correct time range.") if old else ACCEPTED

    return script


def partial(message: str, **more: object) -> Response:
    return Response(200, {}, json.dumps({"details": {"code": 200, "message": message, **more}}).encode())


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


# -- 413 -------------------------------------------------------------------------------------------


def test_a_batch_that_is_too_large_is_halved_and_the_limit_remembered() -> None:
    async def story() -> Scene:
        scene = Scene(larger_than(200_000), limits=LARGE)
        for n in range(40):
            scene.offer(*[f"{n}.{m} {'x' * 200}" for m in range(100)])
        await scene.sender.drain(None)
        refused = len(scene.posts) - sum(1 for body in scene.bodies if len(body) <= 200_000)
        for n in range(40, 60):
            scene.offer(*[f"{n}.{m} {'x' * 200}" for m in range(100)])
        await scene.sender.drain(None)
        await scene.close()
        assert len(scene.posts) - sum(1 for body in scene.bodies if len(body) <= 200_000) == refused
        return scene

    scene = play(story)

    assert scene.letters == []
    assert len(scene.contents) == len(set(scene.contents)) == 6000


def test_a_learned_limit_is_tried_again_after_many_requests() -> None:
    async def story() -> tuple[int, int]:
        scene = Scene(lambda _events: answer(413), limits=LARGE)
        scene.offer(*["x" * 1000] * 1000)
        await asyncio.sleep(100)
        learned = scene.sender.most_bytes
        scene.script = accept
        for n in range(3000):
            scene.offer(f"line {n}")
            await scene.sender.drain(None)
        await scene.close()
        assert scene.letters == []
        return learned, scene.sender.most_bytes

    learned, later = play(story)

    assert learned < LARGE.max_bytes
    assert later == LARGE.max_bytes


def test_a_single_event_that_is_too_large_keeps_as_much_of_its_content_as_fits() -> None:
    async def story() -> Scene:
        scene = Scene(larger_than(10_000), limits=LARGE)
        scene.offer("small", "ä" * 16_000, "small too")
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    trimmed = next(event for event in scene.acked if event["content"].startswith("ä"))
    assert trimmed["content"].endswith("ä[TRUNCATED]")
    assert 3_000 <= len(trimmed["content"].encode()) <= 10_000
    assert trimmed["log.trimmed"] == "content"
    assert [settled_figures(portion, settlement)["trimmed"] for portion, settlement in scene.settled] == [1]


def test_an_event_that_was_trimmed_when_it_was_read_is_counted_once_when_its_content_is_cut_too() -> None:
    rule = Rule(
        source="app", layout="", format=RecordFormat.PATTERN, patterns=(r"(?P<note>\S+) ",),
        limits=EventLimits(value_bytes=20),
    )  # fmt: skip

    async def story() -> Scene:
        scene = Scene(larger_than(10_000), limits=LARGE)
        scene.offer("n" * 50 + " " + "x" * 16_000, converter=compile_rule(rule))
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    ((portion, settlement),) = scene.settled
    assert scene.acked[0]["log.trimmed"] == "note,content"
    assert (portion.encoded.trimmed, settlement.trimmed) == (1, 0)


def test_an_event_that_is_too_large_whatever_is_cut_from_it_becomes_a_letter() -> None:
    async def story() -> Scene:
        scene = Scene(refuse("none"), limits=LARGE)
        scene.script = lambda events: answer(413) if any("huge" in e["content"] for e in events) else ACCEPTED
        scene.offer("one", "huge " + "x" * 9000, "two")
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.letters == [(1, (4, 9010), "too_large")]
    assert sorted(scene.contents) == ["one", "two"]
    assert len(scene.posts) < 20


def test_a_part_of_a_split_record_that_is_refused_names_the_record() -> None:
    async def story() -> Scene:
        scene = Scene(refuse("bad"), limits=LARGE)
        rule = raw_rule(limits=EventLimits(content_bytes=10))
        scene.offer("short", "0123456789bad_______and", converter=compile_rule(rule))
        await scene.sender.drain(None)
        await scene.close()
        return scene

    scene = play(story)

    assert scene.letters == [(1, (6, 30), "rejected")]
    assert sorted(scene.contents) == ["0123456789", "and", "short"]


# -- 200 -------------------------------------------------------------------------------------------


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
