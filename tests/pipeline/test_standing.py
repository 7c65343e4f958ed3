"""What a scan settles at once changes no decision, and is hardly any memory."""

from __future__ import annotations

import gc
import os
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis.strategies import DrawFn, booleans, composite, integers, lists, sampled_from

from shipper.adapters.discovery import Discovery, Scan, Wanted
from shipper.adapters.files import answer
from shipper.adapters.offsets import Life, LifeState
from shipper.core.evidence import Answer, Decision, Do, Known, Question, Seen
from shipper.core.follow import decide, questions
from shipper.core.identity import GUARD_BYTES, HEAD_BYTES, guard_of, head_of
from shipper.core.model import FileKey
from shipper.core.rule import RecordFormat, Rule
from shipper.pipeline.followed import Followed
from shipper.pipeline.known import known_now, known_of
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.standing import Standing

READING = SourceReading(Rule(source="app", layout="raw", format=RecordFormat.RAW))
LIVE = ("/log/app.log", "/log/web.log", "/old/app.log")
PATHS = (*LIVE, "/log/app.log.1", "/log/app.log-20261126", "/old/app.log.1", "/log/other.1", "/log/app.log.2.gz")
TEXTS = (b"", b"one line\n", b"one line\n" * 40, b"one line\n" * 200, b"another\n" * 60, b"another\n" * 200)
INODES = integers(1, 5)
TIMES = integers(1, 3)


class OnDisk(NamedTuple):
    """A file as a scan meets it."""

    path: str
    inode: int
    text: bytes
    mtime: int

    @property
    def source(self) -> int | None:
        return LIVE.index(self.path) if self.path in LIVE else None

    @property
    def seen(self) -> Seen:
        packed = "gzip" if self.path.endswith(".gz") else ""
        return Seen(self.path, 1, self.inode, len(self.text), self.mtime, self.source, packed=packed)

    @property
    def status(self) -> os.stat_result:
        figures = (stat.S_IFREG | 0o644, self.inode, 1, 1, 0, 0, len(self.text), 0, 0, 0)
        return os.stat_result(figures, {"st_mtime_ns": self.mtime})


def followed(life: Life) -> Followed:
    return Followed(life, READING, {}, lineage=life.lineage or life.file_id)


def life_of(file: OnDisk, file_id: int, offset: int, state: LifeState) -> Life:
    head = head_of(file.text[:HEAD_BYTES])
    guard = guard_of(file.text[max(offset - GUARD_BYTES, 0) : offset])
    return Life(
        file_id=file_id, generation=0, source="app", path=file.path, device=1, inode=file.inode, state=state,
        head_length=head.length, head_digest=head.digest, guard_length=guard.length, guard_digest=guard.digest,
        offset=offset, size=len(file.text), mtime_ns=file.mtime,
    )  # fmt: skip


@composite
def files(draw: DrawFn) -> OnDisk:
    return OnDisk(draw(sampled_from(PATHS)), draw(INODES), draw(sampled_from(TEXTS)), draw(TIMES))


@composite
def lives(draw: DrawFn) -> tuple[OnDisk, float, LifeState, bool]:
    """A file as it was, how much of it was read, and whether its bytes are in doubt."""
    states = sampled_from((LifeState.FOLLOWING, LifeState.FOLLOWING, LifeState.FOLLOWING, *LifeState))
    return draw(files()), draw(sampled_from((0.0, 0.5, 1.0, 1.0))), draw(states), draw(booleans())


def told(decisions: list[Decision]) -> list[tuple[object, ...]]:
    """Return what is decided, but for what only goes on."""
    return [
        (d.do, d.known.key if d.known else None, d.seen.path if d.seen else None, d.live, d.begin_at, d.evidence,
         d.follows.key if d.follows else None)
        for d in decisions
        if d.do is not Do.CONTINUE
    ]  # fmt: skip


def all_of(known: list[Known], seen: list[Seen], ask: Callable[[Question], Answer | None]) -> list[Decision]:
    return decide(known, seen, {question: ask(question) for question in questions(known, seen)}, {})


@settings(max_examples=200)
@given(
    before=lists(lives(), max_size=6),
    disk=lists(files(), max_size=6, unique_by=lambda file: file.inode),
    stays=booleans(),
)
def test_what_is_settled_at_once_changes_nothing_that_is_decided(
    before: list[tuple[OnDisk, float, LifeState, bool]], disk: list[OnDisk], *, stays: bool
) -> None:
    if stays:  # as nearly all do
        disk = list({file.inode: file for file, *_ in before}.values()) + disk
        disk = list({file.inode: file for file in reversed(disk)}.values())
    disk = list({file.path: file for file in disk}.values())
    by_path = {file.path: file for file in disk}

    def ask(question: Question) -> Answer | None:
        text = by_path[question.path].text
        begin = max(question.offset - question.guard_length, 0)
        return Answer(text[:HEAD_BYTES], text[begin : question.offset], question.offset)

    rows = [
        (life_of(file, n, int(read * len(file.text)), state), doubt)
        for n, (file, read, state, doubt) in enumerate(before, start=1)
    ]
    done = [known_of(life) for life, _ in rows if life.state is LifeState.DONE]
    kept = [followed(life) for life, _ in rows if life.state is not LifeState.DONE]
    suspects = {life.key for life, doubt in rows if doubt}
    every = [known_now(one, suspect=one.key in suspects) for one in kept] + done

    standing = Standing(kept, suspects, (), ask)
    scan = Scan(there={(1, file.inode) for file in disk})
    scan.seen = [
        file.seen
        for file in disk
        if file.source is None or not standing.goes_on((1, file.inode), file.path, file.status, file.source)
    ]
    left = standing.left(scan, done)

    assert told(all_of(left, scan.seen, ask)) == told(all_of(every, [file.seen for file in disk], ask))


class Host:
    """Many files, all of which are followed and stand where they stood."""

    def __init__(self, folder: Path, count: int) -> None:
        (folder / "logs").mkdir()
        self.pattern = f"{folder}/logs/*.log"
        self.files: list[Followed] = []
        for n in range(count):
            path = folder / "logs" / f"application-{n:06d}.log"
            path.write_bytes(b"2026-11-26T00:00:00Z line of %06d\n" % n * 60)
            status = path.stat()
            file = OnDisk(str(path), status.st_ino, path.read_bytes(), status.st_mtime_ns)
            life = life_of(file, n + 1, status.st_size, LifeState.FOLLOWING)
            life.device = status.st_dev
            self.files.append(followed(life))

    def look(self, suspects: set[FileKey]) -> tuple[Scan, Standing]:
        standing = Standing(self.files, suspects, (), answer)
        discovery = Discovery([Wanted((self.pattern,))])
        return discovery.scan(standing.paths, standing, goes_on=standing.goes_on), standing


def test_of_files_that_stand_where_they_stood_nothing_is_left_to_decide(tmp_path: Path) -> None:
    host = Host(tmp_path, 20)
    in_doubt = {one.key for one in host.files}
    Path(host.files[3].path).write_bytes(b"other bytes\n" * 200)  # longer than what was read
    Path(host.files[4].path).unlink()

    scan, standing = host.look(in_doubt)

    assert [file.path for file in scan.seen] == [host.files[3].path]
    assert (len(scan.there), scan.unsettled) == (19, True)
    assert {one.key.file_id for one in standing.left(scan, [])} == {4, 5}
    assert {key.file_id for key in standing.changed} == {n for n in range(1, 21) if n not in (4, 5)}


def test_a_rotated_name_beside_files_that_stand_is_seen_with_its_kin(tmp_path: Path) -> None:
    host = Host(tmp_path, 20)
    Path(f"{host.files[7].path}.1").write_bytes(b"before\n")

    scan, standing = host.look(set())
    known = standing.left(scan, [])

    assert [one.key for one in known] == [host.files[7].key]
    assert [file.path for file in scan.seen] == [f"{host.files[7].path}.1", host.files[7].path]


def test_a_file_that_stands_where_it_stood_costs_a_look_no_object(tmp_path: Path) -> None:
    """In doubt, as after a start: its first kilobyte is looked at and let go, file by file."""
    host = Host(tmp_path, 2_000)
    in_doubt = {one.key for one in host.files}
    gc.collect()
    tracemalloc.start()
    try:
        scan, standing = host.look(in_doubt)
        known = standing.left(scan, [])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (known, scan.seen, len(scan.there)) == ([], [], 2_000)
    assert peak / 2_000 < HEAD_BYTES


def test_an_idle_file_takes_two_kilobytes(tmp_path: Path) -> None:
    text = b"a line\n" * 60
    rows = [
        life_of(OnDisk(f"/log/some/folder/application-{n:06d}.log", n, text, n), n + 10_000, len(text) + n,
                LifeState.FOLLOWING)
        for n in range(2_000)
    ]  # fmt: skip
    for life in rows:
        life.counters = {"read": 1000, "acked": 1000}
        life.carry = b'{"stamp_ms":1795651200000,"encoding":"utf-8"}'
    gc.collect()
    tracemalloc.start()
    try:
        kept = [followed(life) for life in rows]
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert len(kept) == 2_000
    assert taken / 2_000 < 2_048
