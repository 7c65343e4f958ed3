"""What is too large is halved, cut or a letter: a batch that is answered 413 is taken apart."""

from __future__ import annotations

import asyncio

import msgspec

from shipper.core.converter import compile_rule
from shipper.core.rule import EventLimits, RecordFormat, Rule
from shipper.pipeline.accounts import settled_figures
from tests.pipeline.delivery_scene import ACCEPTED, LARGE, Scene, Script, accept, answer, play, raw_rule, refuse


def larger_than(most_bytes: int) -> Script:
    """Answer 413 to every request of more than *most_bytes*."""
    return lambda events: answer(413) if len(msgspec.json.encode(events)) > most_bytes else ACCEPTED


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
