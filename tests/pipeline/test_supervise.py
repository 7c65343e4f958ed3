"""A task that ends or fails ends what waits for it; a loop that goes round no more is named."""

from __future__ import annotations

import asyncio

import pytest

from shipper.pipeline.supervise import Beats, Supervisor, TaskEnded


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise LookupError("of the task")


async def _end() -> None:
    await asyncio.sleep(0)


def test_the_first_failure_is_raised_and_said_also_of_a_task_that_was_begun_later() -> None:
    said: list[dict[str, object]] = []

    async def story() -> None:
        tasks = Supervisor(lambda event, **fields: said.append({"event": event, **fields}))
        tasks.spawn("calm", _for_ever())

        async def work() -> None:
            tasks.spawn("late", _fail())
            await asyncio.Event().wait()

        with pytest.raises(LookupError, match="of the task"):
            await tasks.until(work())
        assert tasks.names == ["calm"]
        await tasks.end()

    asyncio.run(story())
    assert said == [{"event": "task_failed", "task": "late", "error": "LookupError"}]


def test_a_task_that_merely_ends_is_a_failure_too() -> None:
    async def story() -> None:
        tasks = Supervisor(lambda *_a, **_f: None)
        tasks.spawn("brief", _end())

        with pytest.raises(TaskEnded, match="brief"):
            await tasks.until(_for_ever())
        await tasks.end()

    asyncio.run(story())


def test_a_task_that_may_end_ends_nothing() -> None:
    async def story() -> str:
        tasks = Supervisor(lambda *_a, **_f: None)
        tasks.spawn("brief", _end(), may_end=True)

        async def work() -> str:
            while tasks.names:
                await asyncio.sleep(0)
            return "done"

        return await tasks.until(work())

    assert asyncio.run(story()) == "done"


def test_the_end_leaves_no_task_behind() -> None:
    async def story() -> int:
        tasks = Supervisor(lambda *_a, **_f: None)
        for name in ("one", "two"):
            tasks.spawn(name, _for_ever())
        await tasks.end()
        await tasks.end()
        return len(asyncio.all_tasks())

    assert asyncio.run(story()) == 1


@pytest.mark.parametrize(
    ("watchdog_seconds", "every", "patience"),
    [
        pytest.param(None, 5.0, 20.0, id="nobody_watches"),
        pytest.param(30.0, 5.0, 15.0, id="half_a_minute"),
        pytest.param(2.0, 0.5, 1.0, id="two_seconds"),
    ],
)
def test_a_loop_is_silent_when_it_has_not_beaten_for_half_the_watchdogs_time(
    watchdog_seconds: float | None, every: float, patience: float
) -> None:
    now = [100.0]
    beats = Beats(lambda: now[0], watchdog_seconds)
    beat = beats.of("following")
    beats.of("sender")
    now[0] += patience
    assert beats.silent() == []
    beat()
    now[0] += 0.001

    assert (beats.every_seconds, beats.silent()) == (every, ["sender"])
