"""--since and --until: exactly the records of that time, however the file is packed and whatever is read of it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from shipper.core.chunk_stamps import ms_of
from shipper.core.plan import OPEN_END
from shipper.pipeline.backfill import deals
from tests.pipeline.backfill.scene import PACKINGS, Scene, contents, log, with_scene

SINCE, UNTIL = "2026-11-01T00:05:00.000Z", "2026-11-01T00:10:00.300Z"
BOUNDS: dict[str, object] = {"since_ms": ms_of(SINCE), "until_ms": ms_of(UNTIL), "disorder_ms": 30_000}


def disordered(lines: int) -> bytes:
    """Return a log whose stamps are out of order by up to 20 seconds, with a record without a time here and there."""
    chance = random.Random(4)
    numbered = list(enumerate(log(lines).splitlines(keepends=True)))
    numbered.sort(key=lambda pair: pair[0] + chance.randrange(200))
    return b"".join(line for _, line in numbered)


def asked_for(text: bytes) -> list[str]:
    """Return the lines of that time, as a scan of all of them finds them."""
    return [line for line in contents(text) if SINCE <= line[:24] < UNTIL]


@pytest.mark.parametrize("policy", ["restamp", "drop"])
@pytest.mark.parametrize("packing", ["", ".gz"])
def test_exactly_the_records_of_that_time_are_sent_and_a_wider_run_later_sends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: str, policy: str
) -> None:
    monkeypatch.setattr(deals, "ORDERED_BYTES", 150_000)
    text = disordered(9000)
    wanted = asked_for(text)

    async def act(scene: Scene) -> None:
        path = scene.write(f"app.log.1{packing}", text)

        outcome = await scene.run(path, during=None, workers=2, too_old=policy, **BOUNDS)

        assert outcome.delivered
        assert outcome.totals.balanced
        if policy == "drop":  # all of it is too old, and of nothing else it is said
            assert scene.arrived() == []
            assert outcome.totals.filtered["too_old"] == len(wanted)
            return
        assert scene.arrived() == wanted
        # Little else was read: half a minute on either side, and what bisection leaves open.
        assert packing or outcome.totals.read < len(wanted) + 2 * 300 + 2000
        assert (await scene.run(path, during=None, **BOUNDS)).totals.acked == 0
        assert (await scene.run(path)).totals.acked == 9000 - len(wanted)
        assert not scene.missing(text)
        assert not scene.surplus(text)

    assert len(wanted) > 2900
    asyncio.run(with_scene(tmp_path, act))


def test_the_plan_is_found_by_some_looks_at_the_file_and_its_count_is_near(tmp_path: Path) -> None:
    text = disordered(30_000)

    async def act(scene: Scene) -> None:
        paths = [scene.write("app.log.1", text), scene.write("app.log.2.gz", text)]

        plan = scene.plan(*paths, **BOUNDS)

        plain = next(file for file in plan.files if not file.packing)
        assert plain.last_exact
        assert abs(plain.events - len(asked_for(text))) < 3000
        assert plain.todo_bytes + plain.outside_bytes == len(text)
        assert plain.too_old == plain.events
        packed = next(file for file in plan.files if file.packing)
        assert packed.packing == "gzip"
        assert not packed.plain_exact
        assert abs(packed.plain_bytes - len(text)) < len(text) // 50

    asyncio.run(with_scene(tmp_path, act))


def test_the_plan_says_what_the_age_limit_would_refuse(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        now = b"%s INFO new\n" % b"2999-01-01T00:00:00.000Z"
        old = log(3000)
        path = scene.write("app.log.1", old + now * 1500)

        plan = scene.plan(path)

        assert abs(plan.too_old - 3000) < 900
        assert plan.events > plan.too_old

    asyncio.run(with_scene(tmp_path, act))


def test_every_packing_is_planned_with_its_first_time_and_about_its_length(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        texts = {f"app.log.{9 - n}{ending}": log(9000, begin=n * 9000) for n, ending in enumerate(PACKINGS)}
        for name, text in texts.items():
            scene.write(name, text)

        plan = scene.plan(scene.folder / "logs")

        assert [file.file.rpartition("/")[2] for file in plan.files] == list(texts)
        for file, text in zip(plan.files, texts.values(), strict=True):
            assert file.first_ms == ms_of(contents(text)[0][:24])
            assert abs(file.plain_bytes - len(text)) < len(text) // 4
            assert abs(file.events - 9000) < 9000 // 4
            assert file.todo_bytes < OPEN_END
        assert not (scene.state_dir / "backfill").exists()

    asyncio.run(with_scene(tmp_path, act))
