"""An endpoint that is away, slow, confused or somebody else: nothing is lost, and little is sent twice.

One agent lives through all of it: each trouble is put in, met, and healed, and what was written meanwhile is counted.
Outages of minutes and of a day are the model's and tests/pipeline/test_window.py's, where time can be made to pass.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import cast

import pytest

from tests.faults.endpoint_troubles import TROUBLES, always, answer_lost, one_of_them_refused, partly, refused_beyond
from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play
from tests.faults.troubled import Trouble, Troubled, well

LINES = 60
LONG_CHARACTERS = 20_000


def lines(name: str, count: int = LINES) -> list[str]:
    return [f"{name} {number:04d} {'x' * 60}" for number in range(count)]


def troubled(scene: Scene) -> Troubled:
    return cast("Troubled", scene.receiver)


def scene_of(folder: Path, **endpoint: object) -> Scene:
    scene = Scene(folder, **endpoint)
    scene.receiver = Troubled()
    return scene


def test_whatever_the_endpoint_does_everything_arrives_once_it_is_well(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        endpoint = troubled(scene)
        await endpoint.stop()
        scene.append("app.log", *lines("down at start"))
        await scene.start()
        await scene.until(lambda: "event=delivery_retry" in scene.said())
        await endpoint.start()
        await scene.arrived()
        told(scene, "endpoint: down at start", lines("down at start"))

        await endpoint.stop()  # a connection that was kept would not notice
        endpoint.closes_at_once = True
        await endpoint.start()
        await meet(scene, "accept, then close", well)
        endpoint.closes_at_once = False
        await scene.arrived()
        told(scene, "endpoint: accept, then close", lines("accept, then close"))

        for name, (trouble, said) in TROUBLES.items():
            before = scene.said().count(f"event={said}")
            await meet(scene, name, trouble)
            if said is not None:
                await scene.until(lambda said=said, before=before: scene.said().count(f"event={said}") > before)  # type: ignore[misc]
            endpoint.trouble = well
            await scene.arrived()
            told(scene, f"endpoint: {name}", lines(name))

        await scene.turns("green")
        assert await scene.stop() == 0
        assert letters(scene) == []

    play(scene_of(tmp_path), story)


async def meet(scene: Scene, name: str, trouble: Trouble) -> None:
    endpoint = troubled(scene)
    endpoint.trouble, met = trouble, endpoint.met
    scene.append("app.log", *lines(name))
    await scene.until(lambda: endpoint.met > met)


def told(scene: Scene, fault: str, written: list[str], *, twice: int = 0, declared_lost: int = 0) -> None:
    """Hold what was *written* under a trouble against what arrived of it."""
    wanted = set(written)
    found = outcome(
        fault, written, (text for text in scene.receiver.contents() if text in wanted), declared_lost=declared_lost
    )
    assert found.kept
    assert found.duplicated <= twice


def letters(scene: Scene) -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in (scene.folder / "state/dead_letters").glob("*.ndjson")]
    return [json.loads(text)["event"]["content"] for text in "".join(texts).splitlines()]


def trimmed(scene: Scene) -> list[dict[str, object]]:
    return [event for event in scene.receiver.acked if str(event["content"]).startswith("413 one yyy")]


def test_what_an_endpoint_refuses_is_kept_and_counted_and_the_rest_arrives(tmp_path: Path) -> None:
    """One bad event, one too large, some of a batch, named or not; and an answer that was lost."""

    async def story(scene: Scene) -> None:
        endpoint = troubled(scene)
        await scene.start()

        await meet(scene, "400 one", one_of_them_refused)
        bad = [line for line in lines("400 one") if "0013" in line]
        await scene.arrived(*(set(lines("400 one")) - set(bad)))
        await scene.until(lambda: letters(scene) == bad)
        told(scene, "endpoint: 400, one bad record", lines("400 one"), declared_lost=1)

        endpoint.trouble = refused_beyond(1000, LONG_CHARACTERS)
        large = f"413 one {'y' * LONG_CHARACTERS}"
        written = [*lines("413 one"), large, *lines("413 more")]
        scene.append("app.log", *written)
        await scene.arrived(*lines("413 one"), *lines("413 more"))
        await scene.until(lambda: bool(trimmed(scene)))
        (event,) = trimmed(scene)
        assert event["log.trimmed"] == "content"
        scene.receiver.acked.remove(event)  # the rest of it is lost, and it says so
        told(scene, "endpoint: 413 on one record", written, declared_lost=1)

        for named in (True, False):
            name = f"200 partial, {'named' if named else 'counted'}"
            await meet(scene, name, partly(named=named))
            await scene.until(lambda: endpoint.seen[-1][-1]["content"] == lines(name)[-1])  # noqa: B023 -- awaited here
            endpoint.trouble = well
            scene.append("app.log", f"after {name}")
            await scene.arrived(f"after {name}")
            refused = sum(1 for request in endpoint.seen if str(request[0]["content"]).startswith(name))
            told(scene, f"endpoint: {name}", lines(name), declared_lost=refused)

        await meet(scene, "answer lost", answer_lost)
        endpoint.trouble = well
        await scene.arrived(*lines("answer lost"))
        scene.append("app.log", "the last")
        await scene.arrived("the last")
        told(scene, "endpoint: 204 lost after it was stored", lines("answer lost"), twice=LINES)

        assert await scene.stop() == 0
        stopped = scene.said().rpartition("event=agent_stopped")[2].split("\n", 1)[0]
        assert "refused_unnamed=1" in stopped
        assert "dead_lettered=2" in stopped

    play(scene_of(tmp_path), story)


def test_a_retry_after_of_years_is_taken_for_ten_minutes_and_a_restart_does_not_wait_for_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        await meet(scene, "429, Retry-After of years", always(429, Retry_After="999999999"))
        await scene.until(lambda: "wait_seconds=600" in scene.said())
        troubled(scene).trouble = well
        assert await scene.stop(9) == -9
        await scene.start()
        await scene.arrived()
        told(scene, "endpoint: 429, Retry-After of years", scene.written)
        assert await scene.stop() == 0

    play(scene_of(tmp_path), story)


def test_an_endpoint_that_flaps_once_a_second_gets_everything(tmp_path: Path) -> None:
    """Half a second up, half a second down: ten minutes of it are tests/benchmarks/rotation_storm.py's."""

    async def story(scene: Scene) -> None:
        endpoint = troubled(scene)
        await scene.start()
        for turn in range(3):
            scene.append("app.log", *lines(f"up {turn}", 500))
            await asyncio.sleep(0.5)
            await endpoint.stop()
            scene.append("app.log", *lines(f"down {turn}", 500))
            await asyncio.sleep(0.5)
            await endpoint.start()
        await scene.arrived()
        told(scene, "endpoint: flaps at 1 Hz for 3 s", scene.written, twice=3 * 1000)
        assert await scene.stop() == 0

    play(scene_of(tmp_path), story)


def test_localhost_on_ipv6_only_is_found_whatever_the_proxy_variables_say(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("ipv6"))
        await scene.start()
        await scene.arrived()
        told(scene, "endpoint: localhost on ::1 only, proxy variables set", scene.written)
        assert await scene.stop() == 0

    scene = Scene(tmp_path)
    scene.receiver = OnIpv6("::1")
    nobody = "http://127.0.0.1:9"
    scene.environ = {"HTTP_PROXY": nobody, "http_proxy": nobody, "ALL_PROXY": nobody, "NO_PROXY": "", "no_proxy": ""}
    play(scene, story)


class OnIpv6(Troubled):
    """Has the name localhost and listens on ::1 only."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/v2/logs/ingest"

    async def start(self) -> None:
        try:
            await super().start()
        except OSError as error:
            pytest.skip(f"there is no ::1 here: {error}")
