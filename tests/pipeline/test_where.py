"""One line, asked for: delivered, left out and by which rule, a dead letter, waiting, not read, or not followed."""

from __future__ import annotations

import bz2
import gzip
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.adapters.dead_letters_reading import briefs
from shipper.adapters.offsets_snapshot import Snapshot
from shipper.adapters.spill import Origin, Spill
from shipper.cli.verify import readings_by_name
from shipper.config import load
from shipper.core.ledger import HOLE, UNREACHABLE, Entry, without_delivery
from shipper.core.whereabouts import Fate, entry_at, whereabouts
from shipper.pipeline.guard import MatchGuard
from shipper.pipeline.remains import Remains
from shipper.pipeline.where import Search
from shipper.pipeline.where_files import Homes
from shipper.pipeline.where_found import Found, Live, Match
from shipper.pipeline.where_text import BLOCK_BYTES, lines_with
from tests.end_to_end import receiver as faults
from tests.pipeline.agent_scene import Scene, play


class Asking:
    """Answers as the command does, on what stands in the folder of *scene*."""

    def __init__(self, scene: Scene, live: Live | None = None) -> None:
        self.config = load(scene.folder / "agent.yaml", os.environ)
        self.live = live

    def ask(self, question: Callable[[Search], Found | Match | None], text: str = "") -> Found | Match | None:
        state = self.config.state_dir
        spill = Spill(state, 0, owned=False)
        homes = Homes(self.config, Snapshot.open(state), None, 1_795_464_000_000_000_000, spill)
        with closing(MatchGuard()) as guard:
            letters = list(briefs(state, text))
            return question(
                Search(homes, Snapshot.open(state), readings_by_name(self.config), letters, self.live, guard)
            )

    def text(self, text: str, limit: int = 10) -> Found:
        found = self.ask(lambda search: search.text(text, limit), text)
        assert isinstance(found, Found)
        return found

    def one(self, text: str) -> Match:
        (match,) = self.text(text).matches
        return match

    def line(self, path: Path, number: int) -> Match | None:
        found = self.ask(lambda search: search.line(str(path), number))
        assert not isinstance(found, Found)
        return found


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    """A log that an agent has shipped, with everything in it that can become of a line."""
    scene = Scene(
        tmp_path_factory.mktemp("where"), drop=["^drop", "GET /healthz"], ignore_older="7d",
        multiline={"start": r"\S", "timeout": "100ms"},
    )  # fmt: skip

    async def ship(scene: Scene) -> None:
        scene.receiver.script = faults.refuse_content("poison")
        scene.append("app.log", *(f"plain {n}" for n in range(50)), "drop me", "a trace", "  at its end", "poison pill")
        scene.append("app.log", "GET /healthz", "after all of it")
        scene.append("gone.log", "will be gone")
        os.utime(scene.append("old.log", "long ago"), (0, 0))
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: agent.totals().read >= 56 and not agent.totals().pending)
        await scene.stop()

    play(scene, ship)
    (scene.logs / "gone.log").unlink()
    (scene.folder / "elsewhere.log").write_text("nobody reads this\n")
    return Asking(scene)


@pytest.mark.parametrize(
    ("text", "fate", "line", "why"),
    [
        ("plain 49", Fate.DELIVERED, 50, ""),
        ("at its end", Fate.DELIVERED, 53, ""),
        ("drop me", Fate.FILTERED, 51, "sources.app.drop[0]: '^drop' matches"),
        ("GET /healthz", Fate.FILTERED, 55, "sources.app.drop[1]: 'GET /healthz' matches"),
        ("poison pill", Fate.DEAD_LETTER, 54, "rejected"),
        ("long ago", Fate.NOT_FOLLOWED, 1, "the agent does not read this file: older than ignore_older"),
    ],
)
def test_what_became_of_a_line_is_said(text: str, fate: Fate, line: int, why: str, asking: Asking) -> None:
    match = asking.one(text)

    assert (match.fate, match.line) == (fate, line)
    assert match.why.startswith(why)


def test_a_delivered_line_names_when_by_which_rule_in_which_batch_and_with_which_answer(asking: Asking) -> None:
    match = asking.one("plain 49")

    assert (match.source, match.rule, match.id) == ("app", "raw", match.id)
    assert match.status in (204, 400)
    assert match.batch_last >= match.batch >= 1
    assert match.read_at <= match.acked_at


def test_a_dead_letter_is_named_so_that_it_can_be_looked_at(asking: Asking) -> None:
    match = asking.one("poison pill")

    assert match.letter == f"{match.id}.{match.offset}"
    assert match.status == 400


def test_a_line_is_found_by_its_number_too(asking: Asking) -> None:
    log = Path(asking.one("plain 7").file)

    match = asking.line(log, 8)

    assert match is not None
    assert (match.text, match.fate) == ("plain 7", Fate.DELIVERED)
    assert asking.line(log, 5000) is None


def test_of_many_matches_the_first_are_shown_and_all_are_counted(asking: Asking) -> None:
    found = asking.text("plain", limit=3)

    assert (len(found.matches), found.count) == (3, 50)
    assert found.gone == 1


def test_a_file_that_no_source_reads_names_the_nearest_pattern(asking: Asking) -> None:
    match = asking.line(asking.config.path.with_name("elsewhere.log"), 1)

    assert match is not None
    assert match.fate is Fate.NOT_FOLLOWED
    assert f"the nearest is app: {asking.config.sources[0].paths[0]}" in match.why


@pytest.mark.parametrize(("pack", "ending"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (bytes, "")])
def test_a_line_is_found_where_rotation_has_put_it(pack: Callable[[bytes], bytes], ending: str, tmp_path: Path) -> None:
    async def ship(scene: Scene) -> None:
        scene.append("app.log", *(f"line {n}" for n in range(100)))
        await scene.start()
        await scene.arrived(100)
        await scene.stop()

    scene = Scene(tmp_path)
    play(scene, ship)
    log = scene.logs / "app.log"
    log.with_name(f"app.log.1{ending}").write_bytes(pack(log.read_bytes()))
    log.unlink()

    match = Asking(scene).one("line 77")

    assert (match.fate, match.line, Path(match.file).name) == (Fate.DELIVERED, 78, f"app.log.1{ending}")


def test_while_the_endpoint_is_down_a_line_waits_or_is_not_read_yet(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", "first")
        await scene.start()
        await scene.arrived(1)
        scene.receiver.script = faults.always(503)
        scene.append("app.log", "second", "third")
        await scene.receiver.wait_for(lambda: len(scene.receiver.seen) >= 3)
        check()

    def check() -> None:
        key = Asking(scene).one("first").id
        assert Asking(scene, Live("the endpoint is refusing", {key: (0, 19)})).one("second").fate is Fate.WAITING
        unread = Asking(scene, Live("the endpoint is refusing", {key: (6, 19)})).one("third")
        assert (unread.fate, "the endpoint is refusing" in unread.why) == (Fate.UNREAD, True)
        assert Asking(scene).one("third").fate is Fate.UNREAD

    scene = Scene(tmp_path)
    play(scene, story)


def test_a_dead_letter_is_found_when_its_file_is_gone(tmp_path: Path) -> None:
    async def ship(scene: Scene) -> None:
        scene.receiver.script = faults.refuse_content("poison")
        scene.append("app.log", "fine", 'poison "pill"')
        agent = await scene.start()
        await scene.receiver.wait_for(lambda: agent.totals().read == 2 and not agent.totals().pending)
        await scene.stop()

    scene = Scene(tmp_path)
    play(scene, ship)
    (scene.logs / "app.log").unlink()

    match = Asking(scene).one('poison "pill"')

    assert (match.fate, match.offset, match.status) == (Fate.DEAD_LETTER, 5, 400)
    assert match.text == 'poison "pill"'


def test_a_line_of_a_deleted_file_is_found_in_the_spill(tmp_path: Path) -> None:
    async def ship(scene: Scene) -> None:
        scene.append("app.log", "first")
        await scene.start()
        await scene.arrived(1)
        await scene.stop()

    scene = Scene(tmp_path)
    play(scene, ship)
    ((life, _),) = Snapshot.open(tmp_path / "state").lives()
    origin = Origin(
        file_id=life.file_id, generation=0, lineage=1, source="app", path=life.path.encode(), device=life.device,
        inode=life.inode, mtime_ns=0,
    )  # fmt: skip
    Spill(tmp_path / "state", 1 << 20).write(origin, 6, b"second\nthird\n")
    Path(life.path).unlink()

    match = Asking(scene).one("third")

    assert (match.offset, match.line, match.fate) == (13, 0, Fate.UNREAD)
    assert match.file.endswith("app.log (deleted, in the spill)")


def entries() -> list[Entry]:
    return [
        without_delivery(0, 3, HOLE, 0), Entry(3, 10, read=2, acked=2), Entry(10, 20, read=2, acked=1),
        without_delivery(30, 40, UNREACHABLE, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("offset", "fate"),
    [(0, Fate.PASSED_OVER), (3, Fate.DELIVERED), (10, None), (20, Fate.UNCERTAIN), (30, Fate.LOST)],
)
def test_the_ledger_says_what_it_knows_of_a_byte(offset: int, fate: Fate | None) -> None:
    known = whereabouts(entries(), 40, offset)

    assert known is not None
    assert known.fate is fate


def test_a_byte_beyond_the_saved_offset_is_not_settled() -> None:
    assert whereabouts(entries(), 20, 25) is None
    assert entry_at([], 0) is None


class Bytes:
    """A text in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read_at(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size]

    def close(self) -> None:
        """Nothing is held."""


@given(
    lines=st.lists(st.sampled_from([b"", b"x", b"needle", b"a needle in it", b"n" * 300_000, b"needle" * 40_000])),
    ended=st.booleans(),
)
def test_lines_are_found_with_their_numbers_whatever_the_blocks(lines: list[bytes], ended: bool) -> None:
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    expected = [(at + 1, line) for at, line in enumerate(data.splitlines()) if b"needle" in line]

    found = list(lines_with(Remains("", Bytes(data), ""), b"needle"))

    assert [(line.number, line.data.rstrip(b"\n")) for line in found] == expected
    assert all(data[line.offset :].startswith(line.data) for line in found)
    assert len(data) < 50 * BLOCK_BYTES
