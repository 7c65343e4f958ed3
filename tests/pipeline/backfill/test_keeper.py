"""What is to be saved is saved, also when whoever waits for it is told to go; letters before the bytes they are of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from shipper.adapters.backfill_store import FIRST_FILE_ID, BackfillStore
from shipper.adapters.dead_letters import DeadLetters
from shipper.core.identity import guard_of, head_of
from shipper.core.letters import DeadLetter
from shipper.core.restart import RestartPoint
from shipper.core.shipped import Settled, Shipped
from shipper.errors import StateDamaged, StateError, StateLocked
from shipper.pipeline.backfill.keeper import Keeper
from tests.patience import PATIENCE_SECONDS


def shipped() -> Shipped:
    """Return a file of which nothing was sent."""
    return Shipped(
        file_id=0, source="app", place="/l/app.log.gz", packing="gzip", size=9, head=head_of(b"x"), seal=b"s"
    )


def letter(file_id: int) -> DeadLetter:
    """Return a letter of that file."""
    return DeadLetter(at="t", source="app", path="p", file_id=file_id, generation=0, start=1, end=2, reason="rejected")


def test_files_points_and_letters_come_back_as_they_were(tmp_path: Path) -> None:
    settled = [Settled(0, 10, b"{}", guard_of(b"abc")), Settled(20, 30)]
    points = [RestartPoint(801, 100, b"w" * 32_768, 7, 100), RestartPoint(1600, 200, stream_bit=8)]
    then: list[bool] = []

    async def act() -> tuple[list[Shipped], list[RestartPoint]]:
        keeper, before = await Keeper.open(tmp_path, 1 << 20, "stop")
        file = shipped()
        await keeper.add([file])
        file.settled = settled
        keeper.moved(file, points, [letter(file.file_id)], lambda: then.append(True))
        await keeper.save()
        await keeper.close()
        assert before == []
        again, files = await Keeper.open(tmp_path, 1 << 20, "stop")
        found = await again.points(files[0].file_id)
        again.done(files[0])
        await again.save()
        assert await again.points(files[0].file_id) == []
        await again.close()
        return files, found

    files, found = asyncio.run(act())

    assert [file.settled for file in files] == [settled]
    assert files[0].file_id == FIRST_FILE_ID
    assert files == BackfillStore.peek(tmp_path)
    assert found == points
    assert then == [True]
    assert len(list((tmp_path / "backfill" / "dead_letters").glob("*.ndjson"))) == 1


def test_a_save_whose_waiting_was_cut_short_loses_nothing(tmp_path: Path) -> None:
    async def act() -> list[Shipped]:
        keeper, _ = await Keeper.open(tmp_path, 1 << 20, "stop")
        file = shipped()
        await keeper.add([file])
        file.settled = [Settled(0, 10)]
        keeper.moved(file, [], [letter(file.file_id)])
        saving = asyncio.create_task(keeper.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)
        await keeper.save()
        await keeper.close()
        return BackfillStore.peek(tmp_path)

    assert asyncio.run(act())[0].settled == [Settled(0, 10)]
    assert len(list((tmp_path / "backfill" / "dead_letters").glob("*.ndjson"))) == 1


def test_what_is_settled_while_a_round_is_written_waits_for_its_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    append = DeadLetters.append

    def slowly(letters: DeadLetters, fresh: Sequence[DeadLetter]) -> int:
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        return append(letters, fresh)

    monkeypatch.setattr(DeadLetters, "append", slowly)

    async def act() -> list[Shipped]:
        keeper, _ = await Keeper.open(tmp_path, 1 << 20, "stop")
        file = shipped()
        await keeper.add([file])
        file.settled = [Settled(0, 10)]
        keeper.moved(file, [], [letter(file.file_id)])
        saving = asyncio.create_task(keeper.save())
        await asyncio.to_thread(begun.wait, 10)
        file.settled = [Settled(0, 20)]
        keeper.moved(file, [], [letter(file.file_id)])
        go_on.set()
        await saving
        first = BackfillStore.peek(tmp_path)  # a kill here must find no byte settled whose letter is not written
        await keeper.save()
        await keeper.close()
        return first + BackfillStore.peek(tmp_path)

    assert [file.settled for file in asyncio.run(act())] == [[Settled(0, 10)], [Settled(0, 20)]]


def test_two_backfills_of_one_state_directory_exclude_one_another_and_a_plan_needs_no_lock(tmp_path: Path) -> None:
    store = BackfillStore.open(tmp_path)

    with pytest.raises(StateLocked, match="another backfill runs"):
        BackfillStore.open(tmp_path)
    assert BackfillStore.peek(tmp_path) == []
    store.close()
    BackfillStore.open(tmp_path).close()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + bytes(4080)])
def test_a_damaged_store_is_named_with_its_mend_and_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "backfill" / "backfill.db"
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(StateError) as caught:
        BackfillStore.open(tmp_path)

    assert isinstance(caught.value, StateDamaged) or "backfill.db" in str(caught.value)
    assert path.read_bytes() == content
    path.unlink()
    BackfillStore.open(tmp_path).close()
