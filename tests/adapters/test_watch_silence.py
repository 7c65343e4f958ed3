"""Where change events are missing, lost, or their observer is dead, that is noticed and scans make up for it."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable

import pytest
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from shipper.adapters import watch
from shipper.adapters.watch import file_system_of
from tests.adapters.watch_scene import Scene, watching
from tests.patience import PATIENCE_SECONDS

scene = pytest.fixture(watching)

# -- no events ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, "no inotify watches left: sysctl -w fs.inotify.max_user_watches=524288"),
        (errno.EMFILE, "no inotify instances left: sysctl -w fs.inotify.max_user_instances=1024"),
    ],
)
def test_where_a_limit_is_reached_the_directory_is_polled_and_the_mend_named(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int, expected: str
) -> None:
    class Limited(Observer):  # type: ignore[valid-type,misc]  # watchdog chooses the class for the platform
        def schedule(self, handler: object, path: str, **options: object) -> object:
            if path.endswith("one_too_many"):
                raise OSError(number, os.strerror(number))
            return super().schedule(handler, path, **options)

    monkeypatch.setattr(watch, "Observer", Limited)
    more = scene.logs / "one_too_many"
    more.mkdir()

    assert scene.start(scene.logs, more) == {str(scene.logs)}
    assert scene.watcher.polled == {str(more): expected}
    assert not scene.watcher.trusted
    scene.watcher.cover({str(scene.logs)})
    assert scene.watcher.trusted


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "fuseblk"])
def test_directories_of_silent_file_systems_are_polled(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(watch, "file_system_of", lambda path: kind if path == str(scene.logs) else "ext4")

    assert scene.start() == set()
    assert scene.watcher.polled == {str(scene.logs): f"{kind} has no change events"}
    assert not scene.watcher.trusted


def test_an_overlay_is_trusted_once_it_was_heard(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "file_system_of", lambda path: "overlay" if path == str(scene.logs) else "ext4")
    scene.start()

    assert scene.watcher.polled == {}
    assert not scene.watcher.trusted
    (scene.logs / "app.log").touch()
    scene.hear()
    assert scene.watcher.trusted


def test_the_file_system_is_told_by_the_mount_that_is_on_top() -> None:
    assert file_system_of("/proc/self") == "proc"
    assert file_system_of("/nowhere/at/all") == ""


# -- a dead or silent observer ----------------------------------------------------------------------------


def observers() -> list[BaseObserver]:
    return [thread for thread in threading.enumerate() if isinstance(thread, BaseObserver)]


def canary_heard(scene: Scene) -> bool:
    """Touch the canary and return whether that is heard in time."""
    scene.watcher.prove_alive()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not scene.watcher.canary_heard and time.monotonic() < deadline:
        scene.woken.wait(0.01)
    return scene.watcher.prove_alive()


def test_the_canary_is_its_owners_alone(scene: Scene) -> None:
    canary = scene.state / "canary"
    canary.touch()
    canary.chmod(0o644)  # by an older version

    scene.watcher.prove_alive()

    assert canary.stat().st_mode & 0o777 == 0o600


def test_a_healthy_observer_hears_the_canary(scene: Scene) -> None:
    scene.start()

    assert canary_heard(scene)
    assert scene.watcher.restarts == 0


@pytest.mark.parametrize(
    "ail",
    [
        pytest.param(lambda observer: (observer.stop(), observer.join(5)), id="dead"),
        pytest.param(lambda observer: observer.unschedule_all(), id="silent"),
    ],
)
def test_an_observer_that_is_dead_or_silent_is_restarted_and_hears_again(
    scene: Scene, ail: Callable[[BaseObserver], object]
) -> None:
    scene.start()
    assert canary_heard(scene)
    (observer,) = observers()
    ail(observer)

    answers = [scene.watcher.prove_alive() for _ in range(2)]

    assert answers[-1] is False or answers[0] is False
    assert scene.watcher.restarts >= 1
    assert scene.watcher.cover({str(scene.logs)}) == {str(scene.logs)}
    (scene.logs / "app.log").touch()
    assert scene.hear(lambda _changed, structure: structure)[1]


def test_while_the_canary_is_not_heard_scans_come_often(scene: Scene) -> None:
    scene.start()
    assert scene.watcher.trusted
    (observer,) = observers()
    observer.unschedule_all()
    scene.watcher.prove_alive()
    scene.watcher.prove_alive()

    assert not scene.watcher.trusted
    scene.watcher.cover({str(scene.logs)})
    assert canary_heard(scene)
    assert scene.watcher.trusted


def test_an_overflow_of_the_kernels_queue_asks_for_a_look_at_everything(scene: Scene) -> None:
    """watchdog logs it and sends no event; by its logger's name, whichever of its modules says it."""
    scene.start()

    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; filesystem events were lost")

    assert scene.hear() == (set(), True)
    scene.watcher.stop()
    wakes = scene.wakes
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; filesystem events were lost")
    assert scene.wakes == wakes
