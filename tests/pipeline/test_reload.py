"""agent.yaml read again while the agent runs: only what changed is touched, and nothing is lost or sent twice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end import receiver as faults
from tests.pipeline.agent_scene import Scene
from tests.pipeline.reload_scene import app_and_web_refused, play_app, reload, reloader, sent_by, source, write


def test_an_added_source_is_taken_up_and_an_unchanged_one_is_not_touched(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "app 0")
        scene.append("web.log", "web 0")
        agent = await scene.start()
        await scene.arrived(1)
        before = agent.parts.tailer.by_path[f"{scene.logs}/app.log"]

        outcome = await reload(scene, [source(scene, "app"), source(scene, "web")])
        await scene.arrived(2)
        scene.append("app.log", "app 1")
        await scene.arrived(3)

        assert (outcome.changes.added, outcome.changes.unchanged, outcome.generation) == (["web"], ["app"], 2)
        assert agent.parts.tailer.by_path[f"{scene.logs}/app.log"] is before
        assert sent_by(scene) == [("app", "app 0"), ("web", "web 0"), ("app", "app 1")]

    play_app(tmp_path, story)


def test_start_at_end_counts_for_what_an_added_source_meets_first(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "app 0")
        scene.append("web.log", "old")
        agent = await scene.start()
        await scene.arrived(1)

        await reload(scene, [source(scene, "app"), source(scene, "web", start_at="end")])
        await agent.scanned(2)
        scene.append("web.log", "new")
        scene.append("web2.log", "born later")
        await scene.arrived(3)

        assert sorted(scene.receiver.contents()) == ["app 0", "born later", "new"]

    play_app(tmp_path, story)


def test_a_removed_source_is_drained_keeps_its_rows_and_goes_on_where_it_was_when_it_is_back(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        both = await app_and_web_refused(scene)

        outcome = await reload(scene, both[:1])
        scene.append("web.log", "web 2")
        scene.receiver.script = faults.accept
        drained = await scene.arrived(3)
        back = await reload(scene, both)
        await scene.arrived(4)

        assert outcome.changes.removed == ["web"]
        assert drained[2] == "web 1"
        assert back.changes.added == ["web"]
        assert Counter(scene.receiver.contents()) == Counter(["app 0", "web 0", "web 1", "web 2"])

    play_app(tmp_path, story)


def test_a_source_that_is_back_before_it_was_drained_sends_nothing_twice(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        both = await app_and_web_refused(scene)

        await reload(scene, both[:1])
        await reload(scene, both)
        scene.append("web.log", "web 2")
        scene.receiver.script = faults.accept
        await scene.arrived(4)

        assert scene.receiver.contents("web") == ["web 0", "web 1", "web 2"]

    play_app(tmp_path, story)


def test_changed_rules_count_from_the_first_record_that_was_not_read(tmp_path: Path) -> None:
    """The record that is open is read by the new rules, from its first byte."""

    async def story(scene: Scene) -> None:
        log = scene.append("app.log", "line 0")
        agent = await scene.start()
        await scene.arrived(1)
        with log.open("a", encoding="utf-8") as file:
            file.write("half a ")
        await scene.receiver.wait_for(lambda: bool(agent.parts.tailer.by_path[str(log)].open_bytes))

        outcome = await reload(scene, [source(scene, "app", attributes={"team": "shop"})])
        scene.append("app.log", "record")
        await scene.arrived(2)

        assert outcome.changes.changed == ["app"]
        assert scene.receiver.contents() == ["line 0", "half a record"]
        assert [event.get("team") for event in scene.receiver.acked] == [None, "shop"]

    play_app(tmp_path, story)


def test_a_renamed_source_and_a_moved_pattern_take_their_files_over_with_their_offsets(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "line 0")
        await scene.start()
        await scene.arrived(1)

        renamed = await reload(scene, [source(scene, "shop", "app*.log")])
        scene.append("app.log", "line 1")
        await scene.arrived(2)
        moved = await reload(scene, [source(scene, "first", "a*.log"), source(scene, "shop", "app*.log")])
        scene.append("app.log", "line 2")
        await scene.arrived(3)

        assert (renamed.changes.added, renamed.changes.removed) == (["shop"], ["app"])
        assert moved.changes.added == ["first"]
        assert sent_by(scene) == [("app", "line 0"), ("shop", "line 1"), ("first", "line 2")]

    play_app(tmp_path, story)


def test_what_is_read_once_more_for_another_source_is_counted_once_in_each(tmp_path: Path) -> None:
    """A half line is held back when its file goes over: its bytes are the new source's, and no more the old one's."""

    async def story(scene: Scene) -> None:
        path = scene.append("app.log", "line 0")
        agent = await scene.start()
        await scene.arrived(1)
        with path.open("a", encoding="utf-8") as file:
            file.write("half ")
        await scene.receiver.wait_for(lambda: any(one.open_bytes for one in agent.parts.tailer.followed.values()))

        await reload(scene, [source(scene, "shop", "app*.log")])
        scene.append("app.log", "a line")
        await scene.arrived(2)

        counts = agent.parts.conversion.by_source
        assert {name: counts[name]["bytes_read"] for name in ("app", "shop")} == {"app": 7, "shop": 12}

    play_app(tmp_path, story)


def test_a_source_that_was_renamed_while_the_agent_was_down_sends_nothing_again(tmp_path: Path) -> None:
    """A rotated file goes along with its lineage: no pattern matches its name."""

    async def story(scene: Scene) -> None:
        log = scene.append("app.log", "line 0")
        agent = await scene.start()
        await scene.arrived(1)
        log.rename(scene.logs / "app.log.1")
        scene.append("app.log.1", "line 1")
        scene.append("app.log", "line 2")
        await scene.arrived(3)
        await agent.scanned(1)
        await scene.stop()
        scene.append("app.log.1", "line 3")
        scene.append("app.log", "line 4")

        scene.source = source(scene, "shop", "app*.log")
        await scene.start()
        await scene.arrived(5)
        assert scene.agent is not None
        await scene.agent.scanned(3)

        assert Counter(scene.receiver.contents()) == Counter(f"line {number}" for number in range(5))
        assert {name for name, content in sent_by(scene) if content in ("line 3", "line 4")} == {"shop"}

    play_app(tmp_path, story)


def test_another_url_gets_what_was_not_sent_and_what_is_under_way_ends_where_it_began(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "line 0")
        agent = await scene.start()
        await scene.arrived(1)
        config = json.loads((scene.folder / "agent.yaml").read_text(encoding="utf-8"))

        async with faults.Receiver() as other:
            endpoint = {**config["endpoint"], "url": other.url, "concurrency": 2, "target_request_bytes": "100KiB"}
            outcome = await reload(scene, config["sources"], endpoint=endpoint)
            scene.append("app.log", "line 1")
            await other.wait_for(lambda: bool(other.acked))
            await scene.stop()

        assert outcome.changes.settings == [
            "endpoint.url", "endpoint.target_request_bytes", "endpoint.concurrency",
        ]  # fmt: skip
        assert (scene.receiver.contents(), other.contents()) == (["line 0"], ["line 1"])
        assert agent.parts.sender.limits.concurrency == 2

    play_app(tmp_path, story)


@pytest.mark.parametrize(
    ("sections", "restart"),
    [
        pytest.param({"state_dir": "/somewhere/else"}, ["state_dir"], id="state_dir"),
        pytest.param({"monitoring": {"port": 1}}, ["monitoring.port"], id="monitoring"),
    ],
)
def test_what_needs_a_restart_is_refused_and_nothing_else_is_applied(
    tmp_path: Path, sections: dict[str, object], restart: list[str]
) -> None:
    async def story(scene: Scene) -> None:
        scene.append("web.log", "web 0")
        agent = await scene.start()

        outcome = await reload(scene, [source(scene, "app"), source(scene, "web")], **sections)
        await agent.scanned(2)

        assert (outcome.restart, outcome.applied, outcome.generation) == (restart, False, 1)
        assert [one.name for one in agent.parts.config.sources] == ["app"]
        assert scene.receiver.acked == []

    play_app(tmp_path, story)


def test_a_wrong_configuration_is_refused_with_its_problems_and_the_old_one_goes_on(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()

        outcome = await reload(scene, [source(scene, "app", drop=["("])])
        scene.append("app.log", "line 0")

        assert await scene.arrived(1) == ["line 0"]
        assert len(outcome.problems) == 1
        assert "sources[0].drop[0]" in outcome.problems[0]

    play_app(tmp_path, story)


def test_reloads_that_are_asked_for_together_are_one(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        write(scene, [source(scene, "app"), source(scene, "web")])
        for _ in range(20):
            reloader(scene).ask()
        await scene.receiver.wait_for(lambda: "reloaded" in scene.events_said())
        await reloader(scene).reload()

        assert scene.events_said().count("reloaded") == 2
        assert reloader(scene).generation == 2

    play_app(tmp_path, story)


def test_a_reload_waits_for_no_turn_for_ever(tmp_path: Path) -> None:
    """While the agent stops nothing is exchanged any more, and whoever asked is not left waiting."""

    async def story(scene: Scene) -> None:
        await scene.start()
        write(scene, [source(scene, "app"), source(scene, "web")])
        asked = asyncio.ensure_future(reloader(scene).reload())
        await scene.stop()
        asked.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asked

    play_app(tmp_path, story)
