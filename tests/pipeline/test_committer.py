"""Rounds of saving: everything that waits in one transaction, dead letters before the offsets that pass them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shipper.adapters.offsets import OffsetStore
from shipper.adapters.offsets_snapshot import Snapshot
from shipper.core.ledger import Entry
from shipper.core.model import FileKey
from shipper.errors import StateDamaged
from shipper.pipeline import committer as module
from tests.patience import PATIENCE_SECONDS
from tests.pipeline.committer_scene import ROOM, File, Scene, letter, play


def test_what_has_changed_is_saved_in_one_round_and_told_so(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        first, second = File(1), File(2)
        for file in (first, second, first):
            file.offset += 10
            scene.committer.changed(file)

        assert await scene.committer.save()

        assert await scene.offsets() == {1: 20, 2: 10}
        assert (first.durable, second.durable) == ([20], [10])
        assert scene.committer.rounds == 1

    play(tmp_path, story)


def test_a_round_with_nothing_to_save_writes_nothing(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        assert await scene.committer.save()
        assert scene.committer.rounds == 0

    play(tmp_path, story)


def test_what_changes_during_a_round_is_saved_with_the_next(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        file = File(1)
        file.offset = 10
        scene.committer.changed(file)
        running = asyncio.ensure_future(scene.committer.save())
        await asyncio.sleep(0)
        file.offset = 20
        scene.committer.changed(file)
        await running
        assert file.durable == [10]

        await scene.committer.save()

        assert file.durable == [10, 20]

    play(tmp_path, story)


def test_a_forgotten_row_is_gone_whatever_was_to_be_saved_of_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        file = File(1)
        scene.committer.changed(file)
        await scene.committer.save()
        scene.committer.changed(file)
        scene.committer.forget(file.key)

        await scene.committer.save()

        assert await scene.offsets() == {}

    play(tmp_path, story)


def test_a_released_row_is_left_to_somebody_else(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        file = File(1)
        scene.committer.changed(file)
        scene.committer.release(file.key)

        await scene.committer.save()

        assert await scene.offsets() == {}

    play(tmp_path, story)


def test_what_is_acknowledged_and_not_saved_is_counted_until_it_is(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        file = File(1)
        file.entries, file.offset = [Entry(0, 1, read=40, acked=40)], 1
        scene.committer.refused([letter(0, "y" * 4000)])
        scene.committer.changed(file)
        assert not await scene.committer.save()
        full = scene.committer.unsaved_acked
        await scene.thread.run(lambda _store: scene.letters.limit(ROOM, "stop"))
        saving = asyncio.ensure_future(scene.committer.save())
        await asyncio.sleep(0)
        under_way = scene.committer.unsaved_acked

        assert await saving
        assert (full, under_way, scene.committer.unsaved_acked) == (40, 40, 0)

    play(tmp_path, story, max_bytes=2000)


def test_decisions_are_in_the_files_history(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.committer.decided(FileKey(1, 0), "start", "inode 5 is new")

        await scene.committer.save()

        history = await scene.thread.run(lambda store: store.decisions(1))
        assert [(row.what, row.evidence, row.at_ms) for row in history] == [("start", "inode 5 is new", 7)]

    play(tmp_path, story)


def test_while_letters_have_no_room_no_offset_moves_and_nothing_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)

    async def story(scene: Scene) -> None:
        file = File(1)
        file.offset = 100
        saving = asyncio.ensure_future(scene.committer.run())
        scene.committer.refused([letter(0, "y" * 3000)])
        scene.committer.changed(file)
        await until(lambda: file.durable == [100])
        file.offset = 200
        scene.committer.refused([letter(100, "z" * 3000)])
        scene.committer.changed(file)
        await until(lambda: len(scene.said) == 1)
        assert "full" in str(scene.committer.failing)
        assert await scene.offsets() == {1: 100}

        await scene.thread.run(lambda _store: scene.letters.drop([letter(0).id]))
        await until(lambda: file.durable == [100, 200])

        assert scene.committer.failing is None
        assert [row.start for row in scene.letters.list()] == [100]
        assert [text.split()[0] for text in scene.said] == ["event=state_not_saved", "event=state_saved_again"]
        saving.cancel()

    play(tmp_path, story, max_bytes=5000)


@pytest.mark.parametrize("room", [ROOM, 100], ids=["it_succeeds", "it_fails"])
def test_a_round_that_is_under_way_when_its_saver_is_cancelled_is_finished_and_counted(
    tmp_path: Path, room: int
) -> None:
    async def story(scene: Scene) -> None:
        file = File(1)
        file.offset = 100
        scene.committer.refused([letter(0, "y" * 3000)])
        scene.committer.changed(file)
        begun, go_on = threading.Event(), threading.Event()

        def hold(_store: OffsetStore) -> None:
            begun.set()
            go_on.wait(PATIENCE_SECONDS)

        held = asyncio.ensure_future(scene.thread.run(hold))
        saving = asyncio.ensure_future(scene.committer.save())
        await until(begun.is_set)
        saving.cancel()
        await asyncio.sleep(0)
        file.offset = 200
        scene.committer.changed(file)
        go_on.set()
        await held
        with pytest.raises(asyncio.CancelledError):
            await saving
        assert (scene.committer.failing is None, file.durable) == (room == ROOM, [100] if room == ROOM else [])

        await scene.committer.save()

        kept = [row.start for row in scene.letters.list()]
        assert (kept, await scene.offsets()) == (([0], {1: 200}) if room == ROOM else ([], {}))

    play(tmp_path, story, max_bytes=room)


def span(start: int, end: int) -> Entry:
    return Entry(start, end, read=1, acked=1, batch=1, batch_last=1, status=204)


def test_the_ledger_goes_with_the_offset_and_a_young_row_grows(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        file = File(1)
        for turn in (1, 2, 3):
            file.offset = 10 * turn
            file.entries = [span(10 * (turn - 1), 10 * turn)]
            file.entries[0].seed, file.entries[0].digest = turn - 1, turn
            scene.committer.changed(file)
            await scene.committer.save()

        (row,) = await scene.thread.run(lambda store: store.spans(file.key))
        assert (row.start, row.end, row.read) == (0, 30, 3)

    play(tmp_path, story)


def test_what_waits_of_a_file_that_is_forgotten_is_in_its_account(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        file = File(1)
        file.offset, file.entries = 10, [span(0, 10)]
        scene.committer.changed(file)
        scene.committer.forget(file.key)

        await scene.committer.save()

        ((life, closed),) = Snapshot.open(tmp_path).lives()
        assert (life.offset, closed) == (10, True)
        assert len(Snapshot.open(tmp_path).spans(file.key)) == 1

    play(tmp_path, story)


def damage(state_dir: Path) -> None:
    """Make the database's description of itself unreadable, as a page of garbage would."""
    with closing(sqlite3.connect(state_dir / "offsets.db")) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE x(' WHERE name = 'spans'")
        database.execute("PRAGMA schema_version = 99")
        database.commit()


def test_a_database_that_is_damaged_while_it_is_used_ends_saving_and_nothing_counts_as_saved(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        file = File(1)
        file.offset = 10
        scene.committer.changed(file)
        await scene.committer.save()
        damage(tmp_path)
        file.offset = 20
        file.entries = [span(10, 20)]
        scene.committer.changed(file)

        with pytest.raises(StateDamaged, match=r"damaged: malformed .* the agent stops"):
            await scene.committer.save()

        assert file.durable == [10]
        assert file.entries != []
        assert scene.committer.failing is not None
        assert await scene.committer.save() is False

    play(tmp_path, story)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not reached():
            await asyncio.sleep(0.005)
