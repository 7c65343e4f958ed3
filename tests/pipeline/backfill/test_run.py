"""Every line of old files arrives once: whatever they are packed as, however often it is run."""

from __future__ import annotations

import asyncio
import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from shipper.config.source_model import MultilineKeys
from shipper.pipeline.backfill import deals
from tests.end_to_end.receiver import accept, refuse_content
from tests.pipeline.backfill.scene import PACKINGS, STAMPED, Scene, contents, log, with_scene


def test_whatever_the_packing_every_line_arrives_once_and_a_second_run_sends_nothing(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        texts = [log(700, begin=n * 700) for n in range(len(PACKINGS))]
        for number, (ending, text) in enumerate(zip(PACKINGS, texts, strict=True)):
            scene.write(f"app.log.{9 - number}{ending}", text)

        outcome = await scene.run(scene.folder / "logs")

        assert not scene.missing(*texts)
        assert not scene.surplus(*texts)
        assert outcome.delivered
        assert outcome.totals.balanced
        assert outcome.totals.acked == 700 * len(PACKINGS)
        again = await scene.run(scene.folder / "logs")
        assert again.delivered
        assert again.totals.read == 0
        assert len(scene.arrived()) == 700 * len(PACKINGS)

    asyncio.run(with_scene(tmp_path, act))


def test_members_of_archives_are_sent_packed_or_not(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        texts = {
            "var/log/app.log": log(300),
            "var/log/app.log.1.gz": log(300, begin=1000),
            "b.log.xz": log(90, name="b"),
        }
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w") as archive:
            for name, text in texts.items():
                entry = tarfile.TarInfo(name)
                packed = PACKINGS[Path(name).suffix if Path(name).suffix in PACKINGS else ""](text)
                entry.size = len(packed)
                archive.addfile(entry, io.BytesIO(packed))
        path = scene.write("old.tar.gz", inner.getvalue())

        outcome = await scene.run(path)

        assert outcome.delivered
        assert not scene.missing(*texts.values())
        assert not scene.surplus(*texts.values())
        paths = {str(event["log.file.path"]) for event in scene.receiver.acked}
        assert paths == {f"{path}/{name}" for name in texts}
        assert (await scene.run(path)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


MULTILINE = msgspec.structs.replace(STAMPED, multiline=MultilineKeys(start=r"2026-"))


@pytest.mark.parametrize("ordered", [True, False])
def test_a_large_file_cut_for_two_workers_keeps_its_records_whole_and_in_order_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ordered: bool
) -> None:
    monkeypatch.setattr(deals, "ORDERED_BYTES", 40_000)
    monkeypatch.setattr(deals, "UNORDERED_BYTES", 40_000)

    async def act(scene: Scene) -> None:
        records = [line + "\n    at one\n    at two" for line in contents(log(4000))]
        path = scene.write("app.log.1", "".join(record + "\n" for record in records).encode())

        outcome = await scene.run(path, workers=2, ordered=ordered, source=MULTILINE)

        assert outcome.delivered
        assert outcome.totals.acked == 4000
        assert sorted(scene.arrived()) == records
        assert not ordered or scene.arrived() == records
        assert (await scene.run(path, workers=2, source=MULTILINE)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


def test_a_file_that_has_grown_been_renamed_or_packed_since_sends_only_what_is_new(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text, more = log(900), log(200, begin=900)
        path = scene.write("app.log", text)
        assert (await scene.run(path)).totals.acked == 900
        with path.open("ab") as file:
            file.write(more)
        assert (await scene.run(path)).totals.acked == 200

        renamed = path.rename(path.with_name("app.log.1"))
        assert (await scene.run(renamed)).totals.read == 0
        renamed.unlink()
        packed = scene.write("app.log.2.gz", text + more)

        assert (await scene.run(packed)).totals.read == 0
        assert not scene.surplus(text, more)
        assert not scene.missing(text, more)

    asyncio.run(with_scene(tmp_path, act))


def test_two_files_of_the_same_text_are_both_sent(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(50)
        paths = [scene.write("a.log", text), scene.write("b.log", text)]

        assert (await scene.run(*paths)).totals.acked == 100
        assert (await scene.run(*paths)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


def test_again_sends_what_was_sent_before(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        path = scene.write("a.log.gz", log(50))
        await scene.run(path)

        assert (await scene.run(path, again=True)).totals.acked == 50
        assert (await scene.run(path)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))


def test_of_a_damaged_archive_what_can_be_read_is_sent_and_the_byte_is_named(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        good, bad = log(500), log(9000, begin=1000)
        paths = [scene.write("app.log.3.gz", bad), scene.write("app.log.2.gz", good)]
        whole = paths[0].read_bytes()
        paths[0].write_bytes(whole[: len(whole) // 2])

        outcome = await scene.run(*paths)

        assert not outcome.delivered
        assert f"damaged at byte {len(whole) // 2} of" in outcome.errors[str(paths[0])]
        assert not scene.missing(good)
        sent = 9000 - sum(scene.missing(bad).values())
        assert 2000 < sent < 7000
        assert outcome.totals.balanced
        paths[0].write_bytes(whole)
        mended = await scene.run(*paths)
        assert mended.delivered
        assert not scene.missing(bad, good)

    asyncio.run(with_scene(tmp_path, act))


def test_refused_events_are_dead_letters_and_the_rest_arrives(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        text = log(400)
        path = scene.write("app.log.1.gz", text)
        scene.receiver.script = refuse_content("line 0000123")

        outcome = await scene.run(path)

        assert not outcome.delivered
        assert outcome.totals.dead_lettered == {"rejected": 1}
        assert outcome.totals.acked == 399
        assert list(scene.missing(text)) == [contents(text)[123]]
        letters = list((scene.state_dir / "backfill" / "dead_letters").glob("*.ndjson"))
        assert len(letters) == 1
        assert b"line 0000123" in letters[0].read_bytes()
        scene.receiver.script = accept
        assert (await scene.run(path)).totals.read == 0

    asyncio.run(with_scene(tmp_path, act))
