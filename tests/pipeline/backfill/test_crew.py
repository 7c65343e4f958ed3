"""A worker that is gone."""

from __future__ import annotations

import asyncio

import pytest

from shipper.pipeline.backfill.crew import start
from shipper.pipeline.backfill.protocol import Stop


def test_what_a_worker_that_is_gone_would_be_told_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def act() -> None:
        hand = await start()
        await hand.dismiss(0)
        await hand.listen(lambda _hand, _message: None)
        hand.close()
        for _ in range(10):
            hand.tell(Stop(0))

    asyncio.run(act())

    assert [record.getMessage() for record in caplog.records] == []
