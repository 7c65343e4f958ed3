"""When the agent scans and when it only reads: events choose, and a neighbour's events cost nothing."""

from __future__ import annotations

from pathlib import Path

from tests.pipeline.agent_scene import Scene, play

HOUR = "1h"


def watched(folder: Path) -> Scene:
    """Return a scene in which only events, or what they cause, can show a change within the test."""
    scene = Scene(folder, watching=True)
    scene.limits = {"scan": HOUR}
    return scene


def test_a_busy_neighbour_that_no_source_wants_causes_no_scans(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "line 0")
        agent = await scene.start()
        await scene.arrived(1)
        begun = agent.scans
        scene.append("noise.txt", "new")  # a name that comes is a reason to scan
        scene.append("app.log", "line 1")
        await scene.arrived(2)
        for number in range(2, 8):
            scene.append("noise.txt", "more")
            scene.append("app.log", f"line {number}")
            await scene.arrived(number + 1)
        await scene.receiver.wait_for(lambda: agent.scans > begun)  # it may be late where the first one took long
        before = agent.scans

        for number in range(8, 30):
            scene.append("noise.txt", "more")
            scene.append("app.log", f"line {number}")
            await scene.arrived(number + 1)

        assert agent.scans == before

    play(watched(tmp_path), story)


def test_a_file_whose_events_come_under_another_name_is_read_at_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        target = scene.append("target.data", "line 0")
        (scene.logs / "link.log").symlink_to(target)
        agent = await scene.start()
        await scene.arrived(1)
        for number in range(1, 5):
            scene.append("target.data", f"line {number}")
            await scene.arrived(number + 1)
        before = agent.scans

        for number in range(5, 20):
            scene.append("target.data", f"line {number}")
            await scene.arrived(number + 1)

        assert agent.scans == before
        assert scene.receiver.contents() == [f"line {number}" for number in range(20)]

    play(watched(tmp_path), story)


def test_a_file_that_is_born_under_a_known_name_is_met_at_once(tmp_path: Path) -> None:
    """What was nobody's may become somebody's: names that come clear what was known of strangers."""

    async def story(scene: Scene) -> None:
        await scene.start()
        scene.append("app.tmp", "line 0")
        scene.append("other.log", "first")
        await scene.arrived(1)

        (scene.logs / "app.tmp").rename(scene.logs / "app.log")
        await scene.arrived(2)
        scene.append("app.log", "line 1")

        assert sorted(await scene.arrived(3)) == ["first", "line 0", "line 1"]

    play(watched(tmp_path), story)


def test_a_polled_source_is_looked_at_whatever_events_say(tmp_path: Path) -> None:
    """No events come here and no scan is due for an hour: only the source's own interval finds the lines."""

    async def story(scene: Scene) -> None:
        scene.append("app.log", "line 0")
        await scene.start()
        await scene.arrived(1)

        scene.append("app.log", "line 1")

        assert await scene.arrived(2) == ["line 0", "line 1"]

    scene = Scene(tmp_path, watching=False, poll="50ms")
    scene.limits = {"scan": HOUR}
    play(scene, story)
