"""What a backfill has sent of a file is not sent again by an agent that meets it later."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shipper.adapters.backfill_store import BackfillStore
from shipper.core.evidence import Seen
from shipper.core.identity import HEAD_BYTES, guard_of, head_of
from shipper.core.ledger import BACKFILLED
from shipper.core.shipped import Settled, Shipped
from shipper.pipeline.journal import Journal
from shipper.pipeline.sent_before import MOST_ALIKE, Sent, SentBefore
from tests.end_to_end.agent_process import run_once, write_config
from tests.pipeline.backfill.scene import Scene, contents, log, with_scene

ROOT = Path(__file__).parents[2]


def config_of(scene: Scene, **source: object) -> Path:
    sources: list[dict[str, object]] = [
        {"name": "app", "paths": [str(scene.folder / "logs/app.log")], "format": "raw", **source}
    ]
    return write_config(scene.folder, scene.receiver.url, sources)


async def backfilled(config: Path, *arguments: str | Path) -> None:
    command = [sys.executable, "-m", "shipper", "backfill", "-c", str(config), "--quiet", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=subprocess.PIPE)
    _, complaints = await process.communicate()
    assert process.returncode == 0, complaints


async def agent_once(config: Path) -> None:
    status, totals = await asyncio.to_thread(run_once, config)
    assert status == 0, totals
    assert totals["balanced"]


async def asked(config: Path, *words: str) -> tuple[int, dict[str, object]]:
    """Run a command that answers with JSON."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shipper", *words, "-c", str(config), "--json", cwd=ROOT, stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    answer: dict[str, object] = json.loads(said)
    return process.returncode, answer


def dropped(scene: Scene) -> dict[str, tuple[int, int]]:
    """Return the spans of the agent's ledger that were passed over, by why."""
    with closing(sqlite3.connect(scene.folder / "state/offsets.db")) as store:
        rows = store.execute("SELECT dropped, min(start), max(\"end\") FROM spans WHERE dropped != '' GROUP BY dropped")
        return {str(why): (int(start), int(end)) for why, start, end in rows}


def test_the_agent_takes_up_a_file_where_a_backfill_has_left_it_and_the_books_agree(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        before, after = log(600), log(50, begin=600)
        live = scene.write("app.log", before)
        config = config_of(scene)
        await backfilled(config, live)
        with live.open("ab") as file:
            file.write(after)

        await agent_once(config)

        assert scene.arrived() == contents(before + after)
        assert dropped(scene) == {BACKFILLED: (0, len(before))}
        assert (await asked(config, "verify"))[0] == 0
        _, found = await asked(config, "where", contents(before)[7])
        assert "backfilled" in json.dumps(found)
        _, found = await asked(config, "where", contents(after)[7])
        assert "delivered" in json.dumps(found)
        await agent_once(config)
        await backfilled(config, live)
        assert scene.arrived() == contents(before + after)

    asyncio.run(with_scene(tmp_path, act))


@pytest.mark.parametrize("reused", [False, True])
def test_a_file_that_was_rotated_and_packed_since_is_known_by_its_text(tmp_path: Path, reused: bool) -> None:
    async def act(scene: Scene) -> None:
        oldest, older, newer = log(300), log(400, begin=300), log(100, begin=700)
        live = scene.write("app.log", oldest)
        config = config_of(scene)
        await agent_once(config)  # so that the agent looks for what it has slept through
        live.rename(live.with_name("app.log.1"))
        live.write_bytes(older)
        await backfilled(config, live)
        packed = live.with_name("app.log.2.gz")
        with gzip.open(packed, "wb") as file:
            file.write(older)
        shutil.copystat(live, packed)
        live.with_name("app.log.1").rename(live.with_name("app.log.3"))
        if reused:  # as file systems do: whatever is made next has the inode of what was deleted
            live.write_bytes(newer)
        else:
            live.rename(live.with_name("elsewhere"))
            live.write_bytes(newer)

        await agent_once(config)

        assert not scene.missing(oldest, older, newer)
        assert not scene.surplus(oldest, older, newer)
        assert dropped(scene).get(BACKFILLED) == (0, len(older))
        assert (await asked(config, "verify"))[0] == 0

    asyncio.run(with_scene(tmp_path, act))


def test_of_a_file_that_was_sent_in_part_the_agent_sends_the_rest(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(4000)
        live = scene.write("app.log", text)
        config = config_of(scene, format="auto")
        await backfilled(config, "--until", "2026-11-01T00:01:40Z", "--disorder", "1s", live)
        sent = len(scene.arrived())
        assert 0 < sent < 4000

        await agent_once(config)

        assert sorted(scene.arrived()) == contents(text)

    asyncio.run(with_scene(tmp_path, act))


# -- which file it is ----------------------------------------------------------------------------------


def sent(state_dir: Path, *paths: Path) -> None:
    """Have the store say that all of *paths* was sent."""
    store = BackfillStore.open(state_dir)
    rows = []
    for path in paths:
        text, status = path.read_bytes(), path.stat()
        settled = Settled(0, len(text), b'{"stamp_ms":7,"layout":"learned"}', guard_of(text))
        rows.append(
            Shipped(
                file_id=store.next_file_id(), source="app", place=str(path), device=status.st_dev, inode=status.st_ino,
                size=len(text), mtime_ns=status.st_mtime_ns, head=head_of(text[:HEAD_BYTES]), settled=[settled],
            )
        )  # fmt: skip
    store.save(rows)
    store.close()


def seen(path: Path) -> Seen:
    status = path.stat()
    return Seen(str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, 0)


class Agents:
    """The agent's view of the store under *state_dir*."""

    def __init__(self, state_dir: Path) -> None:
        self.said: list[str] = []
        self._before = SentBefore(state_dir, Journal(self.said.append))

    def answer(self, path: Path) -> Sent | None:
        """Return what was sent of *path*."""
        self._before.scanned()
        return asyncio.run(self._before.of(seen(path)))

    def sent_up_to(self, path: Path) -> int | None:
        """Return the offset alone."""
        answer = self.answer(path)
        return answer.offset if answer is not None else None


Change = Callable[[Path], object]


def replaced_by_one_alike(path: Path) -> None:
    """Lines that are all alike fit any other file of them."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(0, path.stat().st_mtime_ns + 5_000_000_000))
    other.rename(path)


def changed_before_its_end(path: Path) -> None:
    text = bytearray(path.read_bytes())
    text[-20] ^= 1
    path.write_bytes(text)


def moved_from_another_disk(path: Path) -> None:
    Path(shutil.copy2(path, path.with_name("moved"))).rename(path)


@pytest.mark.parametrize(
    ("change", "still_sent"),
    [
        pytest.param(lambda path: path.touch(), True, id="touched"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes() + b"more\n"), True, id="grown"),
        pytest.param(moved_from_another_disk, True, id="moved_from_another_disk"),
        pytest.param(replaced_by_one_alike, False, id="replaced_by_one_alike"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-5]), False, id="shortened"),
        pytest.param(changed_before_its_end, False, id="changed_before_its_end"),
        pytest.param(lambda path: path.write_bytes(b"#" + path.read_bytes()[1:]), False, id="another_first_byte"),
    ],
)
def test_what_may_be_another_file_counts_as_not_sent(tmp_path: Path, change: Change, still_sent: bool) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"tick\n" * 600)
    sent(tmp_path / "state", path)

    change(path)

    assert Agents(tmp_path / "state").sent_up_to(path) == (3000 if still_sent else None)


def test_of_two_files_alike_one_was_sent_and_the_other_was_not(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(log(100))
    copy = Path(shutil.copy2(path, tmp_path / "copy.log"))
    sent(tmp_path / "state", path)
    agent = Agents(tmp_path / "state")

    assert agent.sent_up_to(copy) is None
    assert agent.sent_up_to(path) == len(log(100))
    path.unlink()
    assert agent.sent_up_to(copy) is None  # the other has taken it


@pytest.mark.parametrize(("files", "known"), [(MOST_ALIKE, True), (MOST_ALIKE + 1, False)])
def test_files_under_new_inodes_are_compared_with_a_few_that_were_written_when_they_were(
    tmp_path: Path, files: int, known: bool
) -> None:
    paths = [tmp_path / f"{number}.log" for number in range(files)]
    for number, path in enumerate(paths):
        path.write_bytes(log(10, begin=number))
        os.utime(path, (1_000, 1_000))
    sent(tmp_path / "state", *paths)
    moved_from_another_disk(paths[0])

    assert (Agents(tmp_path / "state").sent_up_to(paths[0]) is not None) == known
    assert Agents(tmp_path / "state").sent_up_to(paths[1]) is not None  # by its inode


def test_what_another_source_has_read_is_gone_on_with_by_the_texts_own_words_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(log(10))
    sent(tmp_path / "state", path)

    answer = Agents(tmp_path / "state").answer(path)

    assert answer is not None
    assert answer.carry_for("app") == answer.carry
    assert answer.carry_for("other") == b'{"stamp_ms":7}'


def test_a_store_that_cannot_be_read_is_named_and_nothing_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(log(10))
    (tmp_path / "backfill").mkdir()
    (tmp_path / "backfill/backfill.db").write_bytes(b"no database" * 100)
    agent = Agents(tmp_path)

    assert agent.sent_up_to(path) is None
    assert agent.sent_up_to(path) is None
    assert [text.split()[0] for text in agent.said] == ["event=backfill_store_unreadable"]
