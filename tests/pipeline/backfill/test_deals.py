"""What is left of a piece whose worker is gone is dealt again, with all that was found out meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shipper.core.restart import RestartPoint
from shipper.core.shipped import Settled
from shipper.pipeline.backfill.keeper import Keeper
from shipper.pipeline.backfill.preparation import dealt, now_ms, prepare
from shipper.pipeline.backfill.protocol import Moved
from shipper.pipeline.guard import MatchGuard
from tests.pipeline.backfill.scene import Scene, log, with_scene


def test_a_compressed_file_is_dealt_again_with_the_restart_points_of_this_run(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        asked = scene.asked(scene.write("app.log.1.gz", log(900)))
        guard = MatchGuard()
        keeper, shipped = await Keeper.open(scene.state_dir, 1 << 20, "stop")
        try:
            deals = await dealt(asked, prepare(asked, shipped, guard, now_ms()), keeper, guard, cut=False)
            piece = deals.next()
            assert piece is not None
            run = deals.run_of(piece.number)
            assert run is not None
            point = RestartPoint(80, 400, b"window")
            run.moved(Moved(piece.number, [Settled(0, 500)], 500, points=[point]))

            deals.again(piece.number)
            again = deals.next()

            assert again is not None
            assert again.begin == 500
            assert again.points == [point]
            assert deals.next() is None
        finally:
            await keeper.close()
            guard.close()

    asyncio.run(with_scene(tmp_path, act))
