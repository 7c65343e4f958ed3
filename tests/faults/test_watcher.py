"""The watcher may die, overflow or find no room: nothing is lost, and a line waits for the scan at most."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.outcome import outcome
from tests.faults.scene import Scene, play

QUEUED = Path("/proc/sys/fs/inotify/max_queued_events")
WATCHES_OF_A_NAMESPACE = "/proc/sys/user/max_inotify_watches"
SCAN_SECONDS = 1.0


@contextmanager
def short_queues(length: int) -> Iterator[None]:
    """Let inotify queues that are made meanwhile hold *length* events; one test at a time on this machine."""
    with Path("/tmp/shipper-inotify.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = QUEUED.read_text(encoding="ascii")
        try:
            QUEUED.write_text(str(length), encoding="ascii")
        except OSError as error:
            pytest.skip(f"fs.inotify.max_queued_events cannot be set here: {error.strerror}")
        try:
            yield
        finally:
            QUEUED.write_text(before, encoding="ascii")


def few_watches(count: int) -> tuple[str, ...]:
    """Return what to start a command with so that its user has *count* inotify watches, in a name space of its own."""
    limited = f'echo {count} > {WATCHES_OF_A_NAMESPACE} && exec "$@"'
    launcher = ("unshare", "--user", "--map-root-user", "sh", "-c", limited, "-")
    tried = subprocess.run([*launcher, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"user.max_inotify_watches cannot be set here: {tried.stderr.strip()}")
    return launcher


async def appended(scene: Scene, name: str, line: str) -> None:
    """Append a line and wait until it was acknowledged."""
    scene.append(name, line)
    await scene.arrived(line)


@pytest.mark.parametrize("threads", ["observer", "emitters"])
def test_a_watcher_that_is_killed_is_begun_anew(tmp_path: Path, threads: str) -> None:
    """Scans come once an hour here: only the new watcher can have heard of the second line."""

    async def story(scene: Scene) -> None:
        scene.append("app.log", "line 0")
        await scene.start()
        await scene.arrived()
        scene.put(f"kill_{threads}")
        await scene.until((scene.faults / f"kill_{threads}.done").exists)
        scene.append("app.log", "line 1")
        await scene.until(lambda: "event=watcher_restarted" in scene.said())
        await scene.arrived()

        await appended(scene, "app.log", "line 2")
        assert outcome(f"watcher: {threads} killed", scene.written, scene.receiver.contents()).kept
        assert await scene.stop() == 0

    scene = Scene(tmp_path)
    scene.limits = {"scan": "1h"}
    play(scene, story)


def test_when_the_queue_overflows_nothing_is_lost_and_the_scan_bounds_the_wait(tmp_path: Path) -> None:
    """The queue holds 16 events and the agent is stopped while thousands come: most are lost, none of the lines is."""

    async def story(scene: Scene) -> None:
        with short_queues(16):
            process = await scene.start()
            scene.append("app.log", "line 0")
            await scene.arrived()
        process.send_signal(19)  # SIGSTOP
        for number in range(300):
            scene.append(f"app{number % 50}.log", f"file {number % 50} line {number}")
            (scene.logs / f"noise{number}.txt").touch()
        process.send_signal(18)  # SIGCONT

        await scene.arrived()
        await appended(scene, "app7.log", "after the storm")

        assert outcome("watcher: queue of 16 events", scene.written, scene.receiver.contents()).kept
        assert await scene.stop() == 0

    scene = Scene(tmp_path)
    scene.limits = {"scan": f"{SCAN_SECONDS:g}s"}
    play(scene, story)


def test_where_there_are_eight_watches_the_rest_is_polled_and_the_mend_named(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        for number in range(20):
            (scene.logs / f"d{number}").mkdir()
            scene.append(f"d{number}/app.log", f"directory {number} line 0")
        await scene.start()
        await scene.arrived()
        for number in range(0, 20, 4):
            await appended(scene, f"d{number}/app.log", f"directory {number} line 1")
        scene.append("d19/born.log", "born without a watch")
        await scene.arrived()

        assert "no inotify watches left: sysctl -w fs.inotify.max_user_watches" in scene.said()
        assert outcome("watcher: 8 watches", scene.written, scene.receiver.contents()).kept
        assert await scene.stop() == 0

    scene = Scene(tmp_path, *few_watches(8))
    scene.limits = {"scan": f"{SCAN_SECONDS:g}s"}
    play(scene, story)
