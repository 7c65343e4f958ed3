"""A file that takes more memory to unpack than a worker may have is named; the others are sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.adapters.test_compressed_memory import zstd_with_window
from tests.pipeline.backfill.scene import Scene, log, with_scene


def test_a_window_over_the_limit_is_refused_and_with_more_memory_it_is_sent(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        large = scene.folder / "logs/large.log"
        text = log(50)
        scene.write("app.log", text)
        large.write_bytes(zstd_with_window(27))

        await scene.run(scene.folder / "logs")

        assert scene.prepared is not None
        problems = {job.place.path: job.planned.problem for job in scene.prepared.jobs if job.planned.problem}
        assert problems.keys() == {str(large)}
        assert "a window of 128 MiB, 64 MiB are allowed" in problems[str(large)]
        assert not scene.missing(text)
        more = await scene.run(scene.folder / "logs", unpack_bytes=128 << 20)
        assert more.delivered
        assert more.totals.acked == 40

    asyncio.run(with_scene(tmp_path, act))
