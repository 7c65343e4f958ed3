"""Files that cannot be read, turn into something else, or have odd names: none holds up the others, none blocks."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.disks import bound, small_disk
from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play


def lines(name: str, count: int = 100) -> list[str]:
    return [f"{name} {number:05d}" for number in range(count)]


def kept(scene: Scene, fault: str) -> bool:
    return outcome(fault, scene.written, scene.receiver.contents()).kept


def test_a_file_that_becomes_readable_is_read_from_its_first_byte(tmp_path: Path) -> None:
    """Permissions do not stop root, who may run this test: a name that leads to itself stops anybody."""

    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("app"))
        secret = scene.append("secret.log", *lines("secret"))
        hidden = secret.rename(scene.folder / "hidden")
        secret.symlink_to(secret)  # ELOOP: as unreadable to root as to anybody
        await scene.start()
        await scene.arrived(*lines("app"))
        await scene.until(lambda: "secret.log" in scene.said())

        secret.unlink()
        hidden.rename(secret)
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "unreadable, then readable")

    play(Scene(tmp_path), story)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's name may be 107 bytes long at most
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def _device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a device")
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero: reading would never end


def _dangling(path: Path) -> None:
    path.symlink_to("/nonexistent/target")


KINDS: dict[str, Callable[[Path], None]] = {
    "directory": Path.mkdir,
    "fifo": _fifo,
    "socket": _socket,
    "device": _device,
    "dangling": _dangling,
}


def test_a_file_that_becomes_something_else_blocks_nobody(tmp_path: Path) -> None:
    """What was written before is delivered; the other file goes on; a file under the name again is read."""

    async def story(scene: Scene) -> None:
        for kind in KINDS:
            scene.append(f"{kind}.log", *lines(kind))
        scene.append("app.log", *lines("app"))
        await scene.start()
        await scene.arrived()
        for kind, become in KINDS.items():
            (scene.logs / f"{kind}.log").unlink()
            become(scene.logs / f"{kind}.log")
        scene.append("app.log", *lines("meanwhile"))
        await scene.arrived()

        for kind in KINDS:
            path = scene.logs / f"{kind}.log"
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
            scene.append(f"{kind}.log", *lines(f"{kind} again"))
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "a log becomes a directory, FIFO, socket, device, dangling link")

    play(Scene(tmp_path), story)


def test_permission_that_is_lost_while_a_file_is_read_loses_nothing(tmp_path: Path) -> None:
    """What is open stays readable; the directory of another file is closed to us and opened again."""

    async def story(scene: Scene) -> None:
        folder = scene.logs / "sub"
        folder.mkdir()
        scene.append("sub/app.log", *lines("before"))
        await scene.start()
        await scene.arrived()
        gone = folder.rename(scene.folder / "elsewhere")
        folder.symlink_to(folder)
        with (gone / "app.log").open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines("during"))
        scene.written += lines("during")
        folder.unlink()
        gone.rename(folder)
        scene.append("sub/app.log", *lines("after"))
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "a directory out of reach for a while")

    play(Scene(tmp_path), story)


ODD_NAMES = {
    "a line end": b"with\nnewline.log",
    "no UTF-8": b"latin-\xe9\xff.log",
    "255 bytes": b"n" * 251 + b".log",
    "what shells and globs take for themselves": b" \t'\"$(reboot);*?[x].log",
    "beyond Latin": "日本語🙂.log".encode(),
    "like an option": b"-rf.log",
}


def test_files_with_odd_names_are_read_rotated_and_found_again(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        paths = {text: Path(os.fsdecode(os.fsencode(scene.logs) + b"/" + name)) for text, name in ODD_NAMES.items()}

        def write(what: str) -> None:
            for text, path in paths.items():
                wanted = lines(f"{text} {what}", 20)
                with path.open("a", encoding="utf-8") as file:
                    file.writelines(line + "\n" for line in wanted)
                scene.written.extend(wanted)

        write("first")
        await scene.start()
        await scene.arrived()
        for text, path in paths.items():
            if text != "255 bytes":
                path.rename(os.fsdecode(os.fsencode(path) + b".1"))
        write("rotated")
        await scene.arrived()
        await scene.stop(9)
        write("while it was down")
        await scene.start()
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "odd names: " + ", ".join(ODD_NAMES))

    play(Scene(tmp_path), story)


def test_a_path_of_more_than_4096_bytes_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("app.log", *lines("app"))
        here = os.open(scene.logs, os.O_RDONLY)
        for _ in range(20):
            os.mkdir("d" * 250, dir_fd=here)
            deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        deep = os.open("deep.log", os.O_CREAT | os.O_WRONLY, dir_fd=here)
        os.write(deep, b"out of reach\n")
        os.close(deep)
        os.close(here)
        await scene.start()
        await scene.arrived()
        scene.append("app.log", *lines("more"))
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "path over 4096 bytes")

    play(Scene(tmp_path), story)


def test_a_mount_that_goes_and_comes_back_is_read_on(tmp_path: Path) -> None:
    """While it is away its files are held open; back, they are the same files by what stands in them."""

    async def story(scene: Scene, place: Path) -> None:
        scene.append("mount/app.log", *lines("before"))
        await scene.start()
        await scene.arrived()
        with small_disk(place):  # over it: the files below are out of sight, as of a mount that is gone
            scene.append("other.log", *lines("meanwhile"))
            await scene.arrived()
            await scene.until(lambda: "app.log" in scene.said())
        scene.append("mount/app.log", *lines("after"))
        await scene.arrived()

        assert await scene.stop() == 0
        assert kept(scene, "mount gone and back")

    scene = Scene(tmp_path)
    place = scene.logs / "mount"
    with small_disk(place):
        play(scene, lambda scene: story(scene, place))


def test_the_same_directory_mounted_twice_is_read_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.append("one/app.log", *lines("app", 500))
        await scene.start()
        await scene.arrived()
        scene.append("one/app.log", *lines("more"))
        await scene.arrived()

        assert await scene.stop() == 0
        found = outcome("one inode under two mounts", scene.written, scene.receiver.contents())
        assert found.kept
        assert not found.duplicated

    scene = Scene(tmp_path)
    one, two = scene.logs / "one", scene.logs / "two"
    two.mkdir()
    with small_disk(one), bound(one, two):
        play(scene, story)
