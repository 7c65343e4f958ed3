"""Reading: never blocking, only the file that was meant, and every read checked against what stood before."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.adapters.files import OpenFile, Turn, answer, map_os_errors
from shipper.core.evidence import Answer, Question
from shipper.core.identity import GUARD_BYTES, HEAD_BYTES
from shipper.errors import FileUnreadable, FileVanished, SourceError

TEXT = b"line one\nline two\nline three\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(TEXT)
    return path


def opened(path: Path) -> OpenFile:
    status = path.stat()
    return OpenFile.open(str(path), status.st_dev, status.st_ino)


@pytest.fixture
def file(log: Path) -> Iterator[OpenFile]:
    made = opened(log)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("offset", "size", "expected"),
    [(0, 9, b"line one\n"), (9, 9, b"line two\n"), (18, 1000, b"line three\n"), (29, 10, b""), (500, 10, b"")],
)
def test_a_read_gives_what_stands_at_the_offset(file: OpenFile, offset: int, size: int, expected: bytes) -> None:
    turn = file.read_now(offset, size, TEXT[max(offset - 5, 0) : offset] if offset < 100 else b"")

    assert turn.data == expected
    assert turn.guard_ok
    assert turn.size_now == len(TEXT)


def test_a_read_in_a_thread_is_the_same(file: OpenFile) -> None:
    async def both() -> tuple[Turn, bytes]:
        return await file.read(9, 9, b"one\n"), await file.first()

    assert asyncio.run(both()) == (file.read_now(9, 9, b"one\n"), TEXT)


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(b"other text that is longer than before\n", id="refilled_beyond_the_offset"),
        pytest.param(b"short\n", id="shorter"),
        pytest.param(b"", id="empty"),
    ],
)
def test_other_bytes_before_the_offset_are_noticed(log: Path, file: OpenFile, rewrite: bytes) -> None:
    with log.open("r+b") as writer:
        writer.truncate()
        writer.write(rewrite)

    turn = file.read_now(18, 100, TEXT[:18])

    assert not turn.guard_ok
    assert turn.size_now == len(rewrite)


def test_a_deleted_file_is_read_on(log: Path, file: OpenFile) -> None:
    log.unlink()

    turn = file.read_now(18, 100, b"two\n")

    assert (turn.data, turn.links) == (b"line three\n", 0)


def test_the_first_bytes_are_no_more_than_the_fingerprint_needs(log: Path) -> None:
    log.write_bytes(b"x" * 5000)
    file = opened(log)

    assert file.first_now() == b"x" * HEAD_BYTES
    file.close()


def test_another_file_under_the_same_name_is_not_opened(log: Path) -> None:
    status = log.stat()
    log.rename(log.with_suffix(".1"))
    log.write_bytes(b"another\n")

    with pytest.raises(FileVanished):
        OpenFile.open(str(log), status.st_dev, status.st_ino)


def test_a_file_that_was_renamed_is_found_by_its_inode(log: Path) -> None:
    status = log.stat()
    log.rename(log.with_suffix(".1"))
    log.write_bytes(b"another\n")

    moved = OpenFile.open_beside(str(log), status.st_dev, status.st_ino)

    assert moved is not None
    assert moved.path == str(log.with_suffix(".1"))
    assert moved.first_now() == TEXT
    moved.close()
    assert answer(Question(str(log), 9, 9, status.st_dev, status.st_ino)) == Answer(TEXT, b"line one\n")
    log.with_suffix(".1").unlink()
    assert OpenFile.open_beside(str(log), status.st_dev, status.st_ino) is None


def test_a_name_that_leads_to_a_fifo_by_now_does_not_block(log: Path) -> None:
    status = log.stat()
    log.unlink()
    os.mkfifo(log)

    with pytest.raises(FileVanished):
        OpenFile.open(str(log), status.st_dev, status.st_ino)


def inode_of_log(log: Path) -> tuple[int, int]:
    status = log.stat()
    return status.st_dev, status.st_ino


def test_a_name_that_leads_nowhere_has_vanished(tmp_path: Path) -> None:
    with pytest.raises(FileVanished, match=r"gone\.log"):
        OpenFile.open(str(tmp_path / "gone.log"), 1, 1)


def test_no_descriptor_is_left_open(log: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names are enough
    file = opened(log)
    file.close()
    file.close()
    with pytest.raises(FileVanished):
        OpenFile.open(str(log), 0, 0)
    answer(Question(str(log), 9, 4, *inode_of_log(log)))

    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  # as above


@pytest.mark.parametrize(
    ("number", "expected", "says"),
    [
        (errno.ENOENT, FileVanished, ""),
        (errno.ENOTDIR, FileVanished, ""),
        (errno.ESTALE, FileVanished, ""),
        (errno.ENXIO, FileVanished, ""),
        (errno.EACCES, FileUnreadable, "setfacl"),
        (errno.EPERM, FileUnreadable, "setfacl"),
        (errno.EMFILE, FileUnreadable, "ulimit"),
        (errno.ENFILE, FileUnreadable, "ulimit"),
        (errno.EIO, FileUnreadable, ""),
    ],
)
def test_an_error_of_the_system_says_who_acts_next(number: int, expected: type[SourceError], says: str) -> None:
    with pytest.raises(expected) as caught, map_os_errors("/log/\udcff.log"):
        raise OSError(number, os.strerror(number))

    assert str(caught.value).startswith("/log/\\udcff.log: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question("", 9, 4, 0, 0), Answer(TEXT, b"one\n")),
        (Question("", 0, 0, 0, 0), Answer(TEXT, b"")),
        (Question("", 3, 256, 0, 0), Answer(TEXT, TEXT)),
        (Question("", 500, 256, 0, 0), Answer(TEXT, b"")),
    ],
    ids=["in_the_middle", "at_the_beginning", "guard_longer_than_the_offset", "behind_the_end"],
)
def test_a_question_is_answered_with_the_bytes_that_stand_there(
    log: Path, question: Question, expected: Answer
) -> None:
    device, inode = inode_of_log(log)

    assert answer(question._replace(path=str(log), device=device, inode=inode)) == expected


def test_another_file_under_the_name_gives_no_answer(log: Path) -> None:
    device, inode = inode_of_log(log)

    assert answer(Question(str(log), 9, 4, device, inode + 1)) is None


def test_what_cannot_be_read_gives_no_answer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    assert answer(Question(str(tmp_path / "gone"), 0, 0, 1, 1)) is None
    assert answer(Question(str(tmp_path / "fifo"), 9, 4, *inode_of_log(tmp_path / "fifo"))) is None


@pytest.mark.parametrize("size", [0, 10, 1000, 300_000])
def test_what_is_had_from_memory_is_what_a_read_gives(tmp_path: Path, size: int) -> None:
    """Where the file system can say so; else the thread reads."""
    path = tmp_path / "app.log"
    path.write_bytes(bytes(range(256)) * 2000)
    status = path.stat()
    file = OpenFile.open(str(path), status.st_dev, status.st_ino)
    try:
        for expect in (b"", bytes(range(44, 56))):
            cached = file.cached_now(56, size, expect)
            if cached is None:
                pytest.skip("this file system does not read without waiting")
            read = file.read_now(56, size, expect)
            assert read.data.startswith(cached.data)
            assert len(cached.data) == min(size, 256 * 1024 + GUARD_BYTES - len(expect))
            assert cached[1:] == read[1:]
    finally:
        file.close()


def test_other_bytes_before_the_offset_are_seen_from_memory_too(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"abcdef")
    status = path.stat()
    file = OpenFile.open(str(path), status.st_dev, status.st_ino)
    try:
        cached = file.cached_now(3, 10, b"abX")
        assert cached is None or not cached.guard_ok
        beyond = file.cached_now(100, 10, b"abc")
        assert beyond is None or not beyond.guard_ok
    finally:
        file.close()


@pytest.mark.parametrize("in_memory", [0, 100, GUARD_BYTES])
def test_where_the_bytes_before_the_offset_are_not_all_in_memory_nothing_is_said_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(bytes(range(256)) * 64)
    preadv = os.preadv

    def first_page_only(descriptor: int, buffers: list[memoryview], offset: int, _flags: int) -> int:
        return preadv(descriptor, [buffers[0][:in_memory]], offset)

    monkeypatch.setattr(os, "preadv", first_page_only)
    file = opened(path)
    try:
        assert file.cached_now(4096 + 156, 4096, (bytes(range(256)) * 2)[156 : 156 + GUARD_BYTES]) is None
    finally:
        file.close()


def test_a_file_that_goes_stale_as_it_is_opened_has_vanished_and_no_descriptor_is_left(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(_descriptor: int) -> os.stat_result:
        raise OSError(errno.ESTALE, "Stale file handle")

    before = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", stale)
        with pytest.raises(FileVanished):
            opened(log)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
