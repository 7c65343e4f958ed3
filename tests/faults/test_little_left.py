"""No inodes, no descriptors, no memory left, or a file under another number: what goes on, and what comes after it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shipper.adapters.files import inode_of
from tests.end_to_end import receiver as endpoint
from tests.faults.disks import small_disk
from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play


def lines(name: str, count: int = 200) -> list[str]:
    return [f"{name} {number:05d} {'x' * 80}" for number in range(count)]


def kept(scene: Scene, fault: str, *, declared_lost: int = 0) -> bool:
    return outcome(fault, scene.written, scene.receiver.contents(), declared_lost=declared_lost).kept


# -- no inodes -----------------------------------------------------------------------------------------


def use_up_inodes(place: Path) -> Path:
    """Make files in *place* until no more can be made; return the directory that holds them."""
    filler = place / "filler"
    filler.mkdir()
    while os.statvfs(filler).f_ffree:
        (filler / f"{len(list(filler.iterdir()))}").touch()
    with pytest.raises(OSError, match="No space"):
        (filler / "one more").touch()
    return filler


def give_inodes_back(filler: Path) -> None:
    for path in filler.iterdir():
        path.unlink()


def test_without_inodes_nothing_is_passed_that_needs_a_file_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Room for bytes, none for names: a dead letter and a deleted file's rest have to wait, the offsets do not."""

    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("before"))
        scene.append("doomed.log", *lines("doomed before"))
        await scene.start()
        await scene.arrived()
        filler = use_up_inodes(tmp_path / "state")
        scene.append("app.log", *lines("during"))
        await scene.arrived()
        scene.receiver.script = endpoint.always(503)
        doomed = scene.append("doomed.log", *lines("doomed", 10_000))
        await scene.until(lambda: len(scene.receiver.seen) > 8)
        doomed.unlink()
        await scene.until(lambda: "event=spill_failed" in scene.said())
        scene.receiver.script = endpoint.refuse_content("poison")
        await scene.arrived(seconds=60)
        scene.append("app.log", "poison")
        await scene.until(lambda: "event=state_not_saved" in scene.said())
        await scene.turns("red", "state_not_saved")

        give_inodes_back(filler)
        await scene.until(lambda: "event=state_saved_again" in scene.said())
        after = lines("after")
        scene.append("app.log", *after)
        await scene.arrived(*after)
        await scene.turns("green")
        assert await scene.stop() == 0
        texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "state/dead_letters").glob("*.ndjson")]
        letters = [json.loads(text)["event"]["content"] for text in "".join(texts).splitlines()]
        assert letters == ["poison"]
        assert "event=bytes_lost" not in scene.said()
        assert kept(scene, "no inodes left for the state", declared_lost=1)

    scene = Scene(tmp_path)
    scene.limits = {"memory": "4MiB"}
    with small_disk(tmp_path / "state", size="32m", options="nr_inodes=64"):
        play(scene, story)


# -- no descriptors ------------------------------------------------------------------------------------


def test_without_a_descriptor_to_be_had_what_is_open_is_read_and_the_rest_later(tmp_path: Path) -> None:
    """EMFILE for every call that opens something, while it runs: no file counts as gone, and none is lost."""

    async def story(scene: Scene) -> None:
        scene.limits = {"open_files": 16}
        for number in range(30):
            scene.append(f"{number:02d}.log", *lines(f"{number:02d} before", 3))
        process = await scene.start()
        await scene.arrived()
        whole = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        held = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (min(8, held), whole[1]))
        for number in range(30):
            scene.append(f"{number:02d}.log", *lines(f"{number:02d} during", 50))
        scene.append("born.log", *lines("born"))
        (scene.logs / "00.log").rename(scene.logs / "00.log.1")
        await scene.until(lambda: "Too many open files" in scene.said())

        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, whole)
        await scene.arrived()
        await scene.turns("green")
        assert await scene.stop() == 0
        for word in ("bytes_lost", "file_gone", "file_drain"):
            assert f"event={word}" not in scene.said()
        assert "Traceback" not in scene.said()
        assert kept(scene, "EMFILE for everything while it runs")

    play(Scene(tmp_path), story)


# -- no memory -----------------------------------------------------------------------------------------


class MemoryGroup:
    """A control group, of either version, with a limit of memory."""

    def __init__(self, place: Path, *, unified: bool) -> None:
        self.place = place
        self._limit = place / ("memory.max" if unified else "memory.limit_in_bytes")
        self._killed = place / ("memory.events" if unified else "memory.oom_control")

    def take(self, pid: int) -> None:
        (self.place / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def limit(self, size: int) -> None:
        self._limit.write_text(str(size), encoding="ascii")

    @property
    def killed(self) -> int:
        """How many processes the kernel has killed in it."""
        words = dict(line.split() for line in self._killed.read_text(encoding="ascii").splitlines())
        return int(words.get("oom_kill", 0))


@contextmanager
def memory_group() -> Iterator[MemoryGroup]:
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    place = Path("/sys/fs/cgroup") / ("" if unified else "memory") / f"shipper-oom-{os.getpid()}"
    group = MemoryGroup(place, unified=unified)
    try:
        place.mkdir()
        group.limit(1 << 40)
    except OSError as error:
        pytest.skip(f"no memory control group can be made here: {error}")
    try:
        yield group
    finally:
        place.rmdir()


def test_what_the_kernel_kills_for_its_memory_goes_on_where_it_was(tmp_path: Path) -> None:
    """The kernel's own doing, in the middle of reading a backlog into a group that is too small for it."""

    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("before"))
        process = await scene.start()
        await scene.arrived()
        scene.receiver.script = endpoint.always(503)
        group.take(process.pid)
        group.limit(6 << 20)  # what it takes from now on: what it had stays with the group it was in
        scene.append("app.log", *lines("backlog", 300_000))
        await scene.until(lambda: process.poll() is not None)
        assert process.returncode == -9
        assert group.killed == 1

        scene.receiver.script = endpoint.accept
        await scene.start()
        await scene.arrived(seconds=60)
        assert await scene.stop() == 0
        assert kept(scene, "killed for its memory by the kernel")

    scene = Scene(tmp_path)
    scene.limits = {"memory": "256MiB"}
    with memory_group() as group:
        play(scene, story)


# -- another number ------------------------------------------------------------------------------------


@contextmanager
def overlay(lower: Path, upper: Path, place: Path) -> Iterator[None]:
    """Mount *upper* over *lower* at *place*."""
    for path in (upper / "top", upper / "work"):
        path.mkdir()
    options = f"lowerdir={lower},upperdir={upper / 'top'},workdir={upper / 'work'},index=off,xino=off"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"an overlay cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("links", [1, 2], ids=["number_stays", "number_changes"])
def test_a_file_that_an_overlay_copies_up_with_its_first_write_is_read_on(tmp_path: Path, links: int) -> None:
    """As of a container's image, on another disk. One with a second name there gets another number with the copy.

    To whoever reads, that is a new file which has taken the old one's name: all of it is sent, once more.
    """

    async def story(scene: Scene) -> None:
        await scene.start()
        await scene.arrived()
        before = inode_of(str(scene.logs / "app.log"))
        scene.append("app.log", *lines("after the first write"))
        assert (before != inode_of(str(scene.logs / "app.log"))) == (links > 1)
        await scene.arrived()
        scene.append("app.log", *lines("on and on"))
        (scene.logs / "app.log").rename(scene.logs / "app.log.1")
        scene.append("app.log", *lines("after a rotation"))
        await scene.arrived()
        await scene.turns("green")

        assert await scene.stop() == 0
        assert "event=bytes_lost" not in scene.said()
        found = outcome(f"overlayfs copy-up, {links} names", scene.written, scene.receiver.contents())
        assert found.kept
        assert links > 1 or not found.duplicated

    scene = Scene(tmp_path)
    lower = tmp_path / "lower"
    lower.mkdir()
    (lower / "app.log").write_text("".join(f"{line}\n" for line in lines("of the image")), encoding="utf-8")
    if links > 1:
        (tmp_path / "other-name").hardlink_to(lower / "app.log")
    scene.written += lines("of the image")
    with small_disk(tmp_path / "upper", size="16m"), overlay(lower, tmp_path / "upper", scene.logs):
        play(scene, story)
