"""A byte, a row, an ack that is not as it was: `verify` names exactly that span, and nothing else."""

from __future__ import annotations

import asyncio
import gzip
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shipper.adapters.offsets_snapshot import Snapshot
from shipper.cli.verify import readings_by_name
from shipper.config import load
from shipper.core.ledger_audit import Fault
from shipper.pipeline import partings
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.verify import Verified, verify
from tests.end_to_end import receiver
from tests.pipeline.agent_scene import Scene, play

Spans = list[tuple[int, int]]
Damage = Callable[["Shipped", Spans], None]


class Shipped:
    """What an agent has left: three rows for app.log, one a run, and one for other.log."""

    def __init__(self, folder: Path) -> None:
        self.scene = Scene(folder, drop=["^drop"], multiline={"start": r"\S", "timeout": "100ms"})
        self.log = self.scene.logs / "app.log"
        self.state = folder / "state"
        play(self.scene, self._ship)

    async def _ship(self, scene: Scene) -> None:
        scene.append("other.log", "one", "two")
        for run in range(3):
            scene.append("app.log", "drop this", *(f"line {run} {n}\n  goes on" for n in range(20)))
            await scene.start()
            await scene.arrived(2 + 20 * (run + 1))
            await scene.stop()

    def spans(self) -> Spans:
        with closing(self.database()) as database:
            query = (
                """SELECT start, "end" FROM spans JOIN lives USING (file_id) WHERE path LIKE '%app.log' ORDER BY 1"""
            )
            return [(row[0], row[1]) for row in database.execute(query)]

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.state / "offsets.db")

    def change(self, statement: str, span: tuple[int, int]) -> None:
        of = "(SELECT file_id FROM lives WHERE path LIKE '%app.log')"
        with closing(self.database()) as database:
            changed = database.execute(f"{statement} WHERE start = ? AND file_id = {of}", span[:1])
            assert changed.rowcount == 1
            database.commit()

    def verify(self) -> list[Verified]:
        readings = readings_by_name(load(self.scene.folder / "agent.yaml", os.environ))
        with closing(MatchGuard()) as guard:
            return list(verify(Snapshot.open(self.state), readings, guard, lambda _: True))

    def faults(self) -> list[tuple[str, int, int]]:
        return [(wrong.fault.value, wrong.start, wrong.end) for one in self.verify() for wrong in one.disagreements]


@pytest.fixture
def shipped(tmp_path: Path) -> Shipped:
    return Shipped(tmp_path)


def test_what_was_shipped_agrees_to_the_last_byte_and_record(shipped: Shipped) -> None:
    app, other = sorted(shipped.verify(), key=lambda one: one.path)

    assert (app.verdict, app.spans, app.checked_bytes) == ("agrees", 3, shipped.log.stat().st_size)
    assert app.recounted == app.figures["read"] == 63
    assert app.figures == {"read": 63, "acked": 60, "filtered_drop": 3}
    assert (other.verdict, other.recounted) == ("agrees", 2)


def flip_a_byte(shipped: Shipped, spans: Spans) -> None:
    content = bytearray(shipped.log.read_bytes())
    content[spans[1][0] + 30] ^= 1
    with shipped.log.open("r+b") as file:
        file.write(content)


def cut_the_file(shipped: Shipped, spans: Spans) -> None:
    os.truncate(shipped.log, spans[1][0])


DAMAGES: dict[str, tuple[Damage, Callable[[Spans], list[tuple[Fault, int, int]]]]] = {
    "a_byte_is_flipped": (flip_a_byte, lambda s: [(Fault.BYTES_CHANGED, *s[1])]),
    "a_row_is_deleted": (
        lambda shipped, s: shipped.change("DELETE FROM spans", s[1]), lambda s: [(Fault.ROW_MISSING, *s[1])],
    ),
    "the_last_row_is_deleted": (
        lambda shipped, s: shipped.change("DELETE FROM spans", s[2]), lambda s: [(Fault.OFFSET_BEYOND, *s[2])],
    ),
    "an_ack_is_dropped": (
        lambda shipped, s: shipped.change("UPDATE spans SET acked = acked - 1", s[1]),
        lambda s: [(Fault.NO_ACK, *s[1])],
    ),
    "the_batch_is_gone": (
        lambda shipped, s: shipped.change("UPDATE spans SET batch = 0, batch_last = 0", s[1]),
        lambda s: [(Fault.NO_ACK, *s[1])],
    ),
    "one_record_too_many": (
        lambda shipped, s: shipped.change('UPDATE spans SET "read" = "read" + 1, acked = acked + 1', s[0]),
        lambda s: [(Fault.RECORDS_DIFFER, *s[0])],
    ),
    "one_filtered_too_many": (
        lambda shipped, s: shipped.change("""UPDATE spans SET acked = acked - 1, rest = '{"filtered_drop":2}'""", s[2]),
        lambda s: [(Fault.RECORDS_DIFFER, *s[2])],
    ),
    "the_file_is_cut": (cut_the_file, lambda s: [(Fault.BYTES_MISSING, *s[1]), (Fault.BYTES_MISSING, *s[2])]),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_by_its_exact_span(name: str, shipped: Shipped) -> None:
    spans = shipped.spans()
    damage, expected = DAMAGES[name]

    damage(shipped, spans)

    assert shipped.faults() == [(fault.value, start, end) for fault, start, end in expected(spans)]


def test_spans_whose_file_is_no_longer_in_the_store_are_named(shipped: Shipped) -> None:
    spans = shipped.spans()
    with closing(shipped.database()) as database:
        database.execute("DELETE FROM lives WHERE path LIKE '%app.log'")
        database.commit()

    assert shipped.faults() == [("file_row_missing", spans[0][0], spans[-1][1])]


def rename(log: Path) -> None:
    log.rename(log.with_name("app.log.1"))


def compress(log: Path) -> None:
    log.with_name("app.log.2.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()


def copy_truncate(log: Path) -> None:
    log.with_name("app.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)


@pytest.mark.parametrize("rotate", [rename, compress, copy_truncate], ids=lambda way: way.__name__)
def test_a_rotated_file_is_found_by_what_it_is(rotate: Callable[[Path], None], shipped: Shipped) -> None:
    rotate(shipped.log)

    app = next(one for one in shipped.verify() if one.spans == 3)

    assert (app.verdict, app.recounted) == ("agrees", 63)
    assert app.path != str(shipped.log)


def test_a_file_that_is_gone_is_named_with_its_figures(shipped: Shipped) -> None:
    shipped.log.unlink()

    app = next(one for one in shipped.verify() if one.spans == 3)

    assert (app.verdict, app.checked_bytes, app.figures["acked"]) == ("gone", 0, 60)


def test_beside_an_agent_that_goes_on_nothing_disagrees(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        for number in range(12):
            scene.append("app.log", *(f"line {number} {n}" for n in range(300)))
            if number % 4 == 3:
                await scene.arrived(300 * (number + 1))
                (scene.logs / "app.log").rename(scene.logs / f"app.log.{number}")
            found = await asyncio.to_thread(check)
            assert found == []

    def check() -> list[object]:
        state = tmp_path / "state"
        return [wrong for one in verify(Snapshot.open(state), {}, guard, lambda _: True) for wrong in one.disagreements]

    with closing(MatchGuard()) as guard:
        play(Scene(tmp_path), story)


def test_bytes_that_went_away_unread_are_in_the_account_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partings, "ORPHAN_MS", 0)

    async def story(scene: Scene) -> None:
        scene.limits = {"memory": "4MiB"}
        scene.receiver.script = receiver.always(503)
        log = scene.append("app.log", *(f"{number:05} {'x' * 200}" for number in range(20_000)))
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: len(scene.receiver.seen) > 2)
        await agent.scanned(3)  # nothing more is read: the budget is used up
        os.truncate(log, 0)
        await scene.receiver.wait_for(lambda: "file_truncated" in scene.events_said())
        scene.receiver.script = receiver.accept
        await scene.receiver.wait_for(lambda: any(gone for _, gone in Snapshot.open(scene.folder / "state").lives()))
        await scene.stop()

    play(Scene(tmp_path), story)

    with closing(MatchGuard()) as guard:
        found = next(iter(verify(Snapshot.open(tmp_path / "state"), {}, guard, lambda _: True)))
    assert (found.verdict, found.disagreements) == ("gone", [])
    assert found.figures["read"] == found.figures["acked"] > 0
    assert found.bytes + found.figures["dropped_bytes_lost"] == 20_000 * 207


def test_where_the_rules_have_changed_bytes_are_compared_and_records_are_not(shipped: Shipped) -> None:
    config = shipped.scene.folder / "agent.yaml"
    config.write_text(config.read_text().replace("^drop", "^line"))

    app = next(one for one in shipped.verify() if one.spans == 3)

    assert (app.verdict, app.recounted, app.checked_bytes) == ("agrees", 0, shipped.log.stat().st_size)
    assert any("rules have changed" in note for note in app.notes)
