"""Files that vanish before they are read: what we still have of them is read, what is lost is said, once and truly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shipper.pipeline.agent import Agent
from tests.end_to_end import receiver as faults
from tests.pipeline.agent_scene import Scene, play
from tests.pipeline.reload_scene import reload, source

LINES = [f"line {number:05d} {'x' * 80}" for number in range(20_000)]


def said(scene: Scene, event: str) -> list[str]:
    return [line for line in scene.said if line.startswith(f"event={event} ")]


async def looked(agent: Agent) -> None:
    agent.parts.following.scan_soon()
    await agent.scanned(1)


# -- truncated, and then deleted -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 50], ids=["shorter", "as_long", "beyond_the_offset"])
def test_what_was_written_after_a_truncation_is_read_behind_the_name_that_is_gone(tmp_path: Path, count: int) -> None:
    """Nobody has looked between: only our descriptor tells that the file began anew."""
    old = [f"old {number}" for number in range(3)]
    new = [f"new {number}" for number in range(count)]

    async def story(scene: Scene) -> None:
        log = scene.append("app.log", *old)
        agent = await scene.start()
        await scene.arrived(3)
        with log.open("w", encoding="utf-8") as writer:
            writer.writelines(line + "\n" for line in new[:-1])
            writer.flush()
            log.unlink()
            writer.write(new[-1] + "\n")
        await looked(agent)
        await scene.arrived(3 + count)
        scene.append("app.log", "the next file")
        await looked(agent)
        await scene.arrived(4 + count)

        assert scene.receiver.contents() == [*old, *new, "the next file"]
        assert said(scene, "bytes_lost") == []

    scene = Scene(tmp_path)
    scene.limits = {"scan": "1h"}
    play(scene, story)


def test_the_generation_behind_a_deleted_name_is_spilled_while_the_endpoint_is_down(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        log = scene.append("app.log", "old")
        await scene.start()
        await scene.arrived(1)
        scene.receiver.script = faults.always(503)
        log.write_text("".join(line + "\n" for line in LINES), encoding="utf-8")
        log.unlink()
        await scene.receiver.wait_for(lambda: bool(said(scene, "file_spilled")))
        await scene.stop(0)
        scene.receiver.script = faults.accept
        await scene.start()

        assert set(await scene.arrived(1 + len(LINES))) == {"old", *LINES}

    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB"}
    play(scene, story)


# -- deleted before anything of it was read ------------------------------------------------------------


def test_a_live_file_that_no_budget_was_left_for_is_not_lost_with_its_name(tmp_path: Path) -> None:
    """The endpoint is down and memory is full of another file: a descriptor is held for it, and so it is spilled."""

    async def story(scene: Scene) -> None:
        scene.receiver.script = faults.always(503)
        scene.append("large.log", *LINES)
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: not agent.parts.tailer.has_room)
        waiting = scene.append("waiting.log", "never read", "before it was deleted")
        await agent.scanned(2)
        waiting.unlink()
        await agent.scanned(3)
        scene.receiver.script = faults.accept

        assert set(await scene.arrived(2 + len(LINES))) == {"never read", "before it was deleted", *LINES}
        assert said(scene, "bytes_lost") == []

    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB"}
    play(scene, story)


# -- its source removed by a reload --------------------------------------------------------------------


async def deleted_and_unread(scene: Scene) -> Agent:
    """Start with a file of a source `web` that only our descriptor has, and of which most is not read."""
    scene.append("app.log", "app 0")
    log = scene.append("web.log", *LINES)
    agent = await scene.start()
    scene.receiver.script = faults.always(503)
    await reload(scene, [source(scene, "app"), source(scene, "web")])
    await scene.receiver.wait_for(lambda: not agent.parts.tailer.has_room)
    agent.parts.spilling.stalled = lambda: False  # it would be spilled at once, and is not yet
    log.unlink()
    return agent


@pytest.mark.parametrize("looked_at", [False, True], ids=["unseen", "seen_to_be_gone"])
def test_a_deleted_file_whose_source_is_removed_is_kept_in_the_spill_for_its_return(
    tmp_path: Path, looked_at: bool
) -> None:
    async def story(scene: Scene) -> None:
        await deleted_and_unread(scene)
        if looked_at:
            await scene.receiver.wait_for(lambda: bool(said(scene, "file_drain")))

        await reload(scene, [source(scene, "app")])
        scene.receiver.script = faults.accept
        await reload(scene, [source(scene, "app"), source(scene, "web")])

        await scene.receiver.wait_for(lambda: scene.receiver.distinct >= {"app 0", *LINES})
        assert said(scene, "bytes_lost") == []

    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB"}
    scene.source = source(scene, "app")
    play(scene, story)


def test_what_cannot_be_spilled_of_a_deleted_file_whose_source_is_removed_is_said_to_be_lost(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        agent = await deleted_and_unread(scene)
        (followed,) = [one for one in agent.parts.tailer.followed.values() if one.source == "web"]

        await reload(scene, [source(scene, "app")])
        lost = sum(len(line) + 1 for line in LINES) - followed.chunk_end

        assert lost > 0
        assert agent.totals().lost_bytes == lost
        assert [f"unread_bytes={lost}" in line for line in said(scene, "bytes_lost")] == [True]

    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB", "spill": "0"}
    scene.source = source(scene, "app")
    play(scene, story)


# -- said to be lost, and found ------------------------------------------------------------------------


def test_bytes_that_were_said_to_be_lost_are_taken_back_with_a_word_when_a_copy_turns_up(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.receiver.script = faults.always(503)
        log = scene.append("app.log", *LINES)
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: not agent.parts.tailer.has_room)
        copy = scene.folder / "copy"
        copy.write_bytes(log.read_bytes())
        log.write_text("", encoding="utf-8")
        await scene.receiver.wait_for(lambda: bool(said(scene, "bytes_lost")))
        assert agent.totals().lost_bytes > 0

        copy.rename(scene.logs / "app.log.1")
        await scene.receiver.wait_for(lambda: bool(said(scene, "bytes_found")))
        scene.receiver.script = faults.accept

        assert await scene.arrived(len(LINES)) == LINES
        assert agent.totals().lost_bytes == 0
        (lost,), (found,) = said(scene, "bytes_lost"), said(scene, "bytes_found")
        figure = next(word for word in lost.split() if word.startswith("unread_bytes="))
        assert figure in found.split()
        await scene.stop()
        await scene.start()
        assert scene.agent is not None
        shown = json.dumps([dict(one.counters) for one in scene.agent.parts.tailer.followed.values()])
        assert "lost_bytes" not in shown

    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB"}
    scene.endpoint = {"concurrency": 1}
    play(scene, story)
