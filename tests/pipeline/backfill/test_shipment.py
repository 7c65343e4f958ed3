"""Pieces of one file: what is sent first is read first, so that it does not wait for what may not be sent yet."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shipper.adapters.texts import Place
from shipper.core.batch import Portion, Settlement
from shipper.core.model import Carry, FileFacts, FileKey
from shipper.core.rule import RecordFormat, Rule
from shipper.pipeline.backfill.protocol import Piece
from shipper.pipeline.backfill.shipment import Mark, Shipment, Yard
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.reading import SourceReading
from tests.pipeline.backfill.scene import log

HALF = len(log(5000))


class Sending:
    """A yard that settles at once, and in which there is room when a test says so."""

    def __init__(self, guard: MatchGuard) -> None:
        self.room = asyncio.Event()
        self.sent: list[int] = []
        self.asked = 0
        self.yard = Yard(
            guard, self._offer, self._wait_for_room, self._passed, lambda _: None, lambda: None, lambda: 0, 64 << 20
        )

    def _offer(self, portion: Portion) -> None:
        self.sent.append(portion.chunk.start)
        mark = portion.token
        assert isinstance(mark, Mark)
        mark.shipment.settled(portion, mark.chunk, Settlement(status=204))

    async def _wait_for_room(self) -> None:
        self.asked += 1
        await self.room.wait()

    async def _passed(self, events: int, size: int) -> None:
        del events, size


def test_a_later_piece_is_read_when_all_of_the_one_before_it_was(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(log(10_000))
    reading = SourceReading(Rule("app", "raw", RecordFormat.RAW))

    def piece(number: int, begin: int, end: int) -> Piece:
        facts = FileFacts(FileKey(1, 0), str(path), path.name, 0)
        return Piece(
            number=number, place=Place(str(path)), source=0, facts=facts, begin=begin, end=end, carry=Carry(),
            hold=number == 2,
        )  # fmt: skip

    async def act(guard: MatchGuard) -> None:
        sending = Sending(guard)
        first = Shipment(piece(1, 0, HALF), reading, sending.yard)
        second = Shipment(piece(2, HALF, 2 * HALF), reading, sending.yard, after=first)
        later = asyncio.create_task(second.run())
        reads_first = asyncio.create_task(first.run())
        while not sending.asked:
            await asyncio.sleep(0)
        for _ in range(20):  # time enough for the other one, would it not wait
            await asyncio.to_thread(path.stat)
        assert sending.asked == 1

        sending.room.set()
        done = await reads_first
        await second.all_read.wait()

        assert not done.error
        assert sending.sent == sorted(sending.sent)
        assert sending.sent[-1] < HALF
        assert second.pending == 5000  # converted, and held
        second.go()
        assert not (await later).error
        assert sending.sent == sorted(sending.sent)
        assert sending.sent[-1] > HALF

    guard = MatchGuard()
    try:
        asyncio.run(act(guard))
    finally:
        guard.close()
