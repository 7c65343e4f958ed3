"""What `status` says is so: figures by source and file, lag in bytes and log time, the endpoint's verdicts."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from shipper.adapters.offsets import Life, LifeState
from shipper.core.model import Carry, Chunk, Encoded
from shipper.core.rule import RecordFormat, Rule
from shipper.errors import UsageError
from shipper.pipeline.agent import Agent
from shipper.pipeline.assembly import wall_clock_ms
from shipper.pipeline.clock import Clock
from shipper.pipeline.followed import Followed
from shipper.pipeline.forecast import Forecast
from shipper.pipeline.health import Colour
from shipper.pipeline.lag import file_status, lag_bytes, lag_seconds, unread_bytes
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.status import Status
from shipper.pipeline.status_line import figures_of
from shipper.pipeline.survey import Survey
from tests.end_to_end import receiver as faults
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.agent_scene import Scene, play

NOW_MS = 1_795_464_000_000
HOUR_MS = 3_600_000


def followed(
    *, offset: int = 100, size: int = 100, stamp_ms: int | None = None, settled_ms: int = 0,
    state: LifeState = LifeState.FOLLOWING,
) -> Followed:  # fmt: skip
    life = Life(
        file_id=1, generation=2, source="app", path="/l/app.log", device=1, inode=2, offset=offset, size=size,
        state=state, carry=msgspec.json.encode(Carry(stamp_ms=stamp_ms)),
    )  # fmt: skip
    file = Followed(life, SourceReading(Rule(source="app", layout="raw", format=RecordFormat.RAW)), {}, lineage=1)
    file.settled_ms = settled_ms
    return file


@pytest.mark.parametrize(
    ("file", "behind", "seconds"),
    [
        pytest.param(followed(), 0, 0.0, id="delivered"),
        pytest.param(followed(stamp_ms=NOW_MS - 72 * HOUR_MS), 0, 0.0, id="delivered_long_ago"),
        pytest.param(followed(size=350, stamp_ms=NOW_MS - HOUR_MS), 250, 3600.0, id="more_since_the_newest_safe_stamp"),
        pytest.param(
            followed(size=350, stamp_ms=NOW_MS - 72 * HOUR_MS, settled_ms=NOW_MS - 2_000), 250, 2.0,
            id="quiet_for_days_then_a_line",
        ),
        pytest.param(
            followed(size=350, stamp_ms=NOW_MS - 1_000, settled_ms=NOW_MS - HOUR_MS), 250, 1.0, id="busy_and_close"
        ),
        pytest.param(followed(size=350), 250, None, id="no_stamp_and_never_delivered"),
        pytest.param(followed(size=350, settled_ms=NOW_MS - 5_000), 250, 5.0, id="no_stamp_but_delivered_before"),
        pytest.param(followed(size=350, stamp_ms=NOW_MS + HOUR_MS), 250, 0.0, id="stamp_from_the_future"),
        pytest.param(followed(size=350, state=LifeState.ORPHAN), 0, 0.0, id="its_bytes_are_gone"),
    ],
)  # fmt: skip
def test_lag_is_the_age_of_the_newest_safe_record_while_there_is_more(
    file: Followed, behind: int, seconds: float | None
) -> None:
    assert (lag_bytes(file), lag_seconds(file, NOW_MS)) == (behind, seconds)


def test_what_is_read_and_on_its_way_is_not_acknowledged_but_not_unread() -> None:
    file = followed(offset=100, size=350)
    file.track(Chunk(100, 300, b"x" * 200), Encoded(json=b"{}", events=1, records=1, carry=Carry()))

    shown = file_status(file, NOW_MS)

    assert (unread_bytes(file), lag_bytes(file)) == (50, 250)
    assert (shown.id, shown.generation, shown.offset, shown.size) == ("1.2", 2, 100, 350)


async def asked(agent: Agent, **args: object) -> Status:
    """Return what a fresh look says."""
    survey = Survey(agent.parts, Clock(wall_clock_ms, time.monotonic))
    return msgspec.convert(await survey.answer(args), Status)


def test_a_delivered_source_is_green_and_adds_up(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.source["drop"] = ["noise"]
        path = scene.append("app.log", *(f"line {number}" for number in range(20)), "noise")
        agent = await scene.start()
        await scene.arrived(20)
        await agent.parts.sender.drain(PATIENCE_SECONDS)
        await agent.scanned(2)

        status = await asked(agent, files=-1)

        source, file = status.sources[0], status.files[0]
        assert (status.agent, status.ready, status.health.colour, status.endpoint.state) == (
            "running", True, "green", "answering")  # fmt: skip
        assert (status.totals.read, status.totals.acked, status.totals.filtered) == (21, 20, {"drop": 1})
        assert (source.name, source.files, source.lag_bytes, source.lag_seconds) == ("app", {"following": 1}, 0, 0.0)
        assert (source.counts["acked"], source.counts["filtered_drop"]) == (20, 1)
        assert source.counts["bytes_read"] == path.stat().st_size
        assert (file.path, file.offset, file.size) == (str(path), path.stat().st_size, path.stat().st_size)
        assert [(answer.status, answer.count) for answer in status.endpoint.answers] == [
            ("204", status.endpoint.requests)]  # fmt: skip
        assert status.append_to_ack.count == 20

    play(Scene(tmp_path), story)


def test_an_endpoint_that_refuses_is_said_with_its_word_and_remembered_when_it_is_over(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.receiver.script = faults.always(503, b'{"error":{"message":"busy"}}')
        scene.append("app.log", "one", "two")
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: len(scene.receiver.seen) >= 2)

        while_it_lasts = await asked(agent)
        scene.receiver.script = faults.accept
        await scene.arrived(2)
        await agent.parts.sender.drain(PATIENCE_SECONDS)
        afterwards = await asked(agent)

        endpoint = while_it_lasts.endpoint
        assert (endpoint.state, endpoint.status, endpoint.message) == ("refusing", 503, "busy")
        assert while_it_lasts.backlog.lag_bytes == 8
        assert while_it_lasts.backlog.pending_records == 2
        assert afterwards.endpoint.state == "answering"
        assert afterwards.endpoint.last_error is not None
        assert afterwards.endpoint.last_error.text == "busy"
        assert {answer.status for answer in afterwards.endpoint.answers} == {"204", "503"}

    play(Scene(tmp_path), story)


def test_files_of_one_source_are_listed_the_furthest_behind_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.receiver.script = faults.always(503)
        for number in range(5):
            scene.append(f"{number}.log", *["line"] * (number + 1))
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: len(scene.receiver.seen) >= 2)
        await scene.receiver.wait_for(lambda: sum(one.at_end for one in agent.parts.tailer.followed.values()) == 5)

        status = await asked(agent, source="app", files=2)

        assert [file.lag_bytes for file in status.files] == [25, 20]
        assert status.files_left_out == 3
        assert [file.lag_bytes for file in (await asked(agent, files=1)).files] == [25]
        assert [file.lag_bytes for file in (await asked(agent, files=-1)).files] == [25, 20, 15, 10, 5]
        with pytest.raises(UsageError, match="other: no such source; there are: app"):
            await asked(agent, source="other")

    play(Scene(tmp_path), story)


def test_the_line_for_systemd_and_the_status_say_the_same_lag_also_where_bytes_are_gone(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.receiver.script = faults.always(503)
        path = scene.append("app.log", "of a generation that will be cut away")
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: bool(scene.receiver.seen))
        path.write_text("new\n", encoding="utf-8")
        await scene.receiver.wait_for(lambda: "file_truncated" in scene.events_said())
        followed = agent.parts.tailer.followed
        await scene.receiver.wait_for(lambda: any(one.live and one.at_end for one in followed.values()))

        assert len(agent.parts.tailer.followed) == 2
        assert (await asked(agent)).backlog.lag_bytes == 4
        assert figures_of(agent.parts, time.monotonic()).lag_bytes == 4

    play(Scene(tmp_path), story)


def test_those_who_ask_soon_after_another_get_the_same_look(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        agent = await scene.start()
        now = [0.0]
        survey = Survey(agent.parts, Clock(wall_clock_ms, lambda: now[0]))

        first, second = await asyncio.gather(survey.status(), survey.status())
        now[0] += 0.3
        third = await survey.status()

        assert second is first
        assert third is not first

    play(Scene(tmp_path), story)


def test_files_that_cannot_be_read_and_losses_to_come_make_the_agent_yellow_until_they_are_over(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "one")
        agent = await scene.start()
        await scene.arrived(1)
        survey = Survey(agent.parts, Clock(wall_clock_ms, time.monotonic))
        file = next(iter(agent.parts.tailer.followed.values()))
        coming = Forecast(kind="deletion", unread_bytes=7, in_seconds=60.0, text="app.log.1 is deleted in about 1 min")

        file.last_error = "app.log: permission denied"
        agent.parts.tailer.forecasts.current = (coming,)
        survey.note_health()
        while_it_lasts = agent.parts.health.view()
        file.last_error = None
        agent.parts.tailer.forecasts.current = ()
        survey.note_health()

        assert while_it_lasts.colour is Colour.YELLOW
        assert {(reason.code, reason.source, reason.text) for reason in while_it_lasts.reasons} == {
            ("files_unreadable", "app", "app: 1 file cannot be read: app.log: permission denied"),
            ("loss_forecast", None, "app.log.1 is deleted in about 1 min"),
        }
        assert agent.parts.health.view().colour is Colour.GREEN

    play(Scene(tmp_path), story)


def test_a_file_that_matches_and_cannot_be_opened_makes_the_agent_yellow_until_it_can(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "one")
        loop = scene.logs / "loop.log"
        loop.symlink_to(loop)
        agent = await scene.start()
        await scene.arrived(1)
        survey = Survey(agent.parts, Clock(wall_clock_ms, time.monotonic))

        survey.note_health()
        while_it_lasts = agent.parts.health.view()
        loop.unlink()
        await scene.receiver.wait_for(lambda: not agent.parts.census.last.skipped)
        survey.note_health()

        (reason,) = while_it_lasts.reasons
        assert (while_it_lasts.colour, reason.code, reason.source) == (Colour.YELLOW, "files_unreadable", None)
        assert reason.text == (
            f"1 file that matches is not read: {loop}: too many levels of symbolic links; "
            "'shipper doctor' says what mends it"
        )
        assert agent.parts.health.view().colour is Colour.GREEN

    play(Scene(tmp_path), story)
