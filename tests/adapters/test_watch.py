"""Change events are a hint: bounded, not of our own making, and their absence is noticed."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from shipper.adapters import watch
from shipper.adapters.watch import Watcher, file_system_of
from tests.patience import PATIENCE_SECONDS


class Scene:
    """A watcher of `logs`, with a state directory beside it."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.state = folder / "state"
        self.state.mkdir()
        self.woken = threading.Event()
        self.wakes = 0
        self.watcher = Watcher(self.state, self._wake)

    def _wake(self) -> None:
        self.wakes += 1
        self.woken.set()

    def start(self, *directories: Path) -> set[str]:
        self.watcher.start()
        return self.watcher.cover({str(d) for d in directories or (self.logs,)})

    def hear(self, until: Callable[[set[str], bool], bool] = lambda changed, structure: True) -> tuple[set[str], bool]:
        """Take events until they are enough."""
        changed, structure = set[str](), False
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (changed or structure) or not until(changed, structure):
            if not self.woken.wait(deadline - time.monotonic()):
                raise AssertionError(f"not heard in time; only {changed}, structure {structure}")
            self.woken.clear()
            more, also = self.watcher.take()
            changed, structure = changed | more, structure or also
        return changed, structure

    def heard_nothing_before(self, path: Path) -> bool:
        """Make a change that is heard for certain, and return whether nothing else was."""
        path.touch()
        changed, _ = self.hear(lambda _changed, structure: structure)
        return changed <= {str(path)}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.watcher.stop()


def test_what_is_written_is_heard_by_its_path(scene: Scene) -> None:
    log = scene.logs / "app.log"
    log.touch()
    scene.start()
    log.write_text("a line\n", encoding="utf-8")

    changed, structure = scene.hear()

    assert changed == {str(log)}
    assert not structure


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(lambda logs: (logs / "new.log").touch(), id="created"),
        pytest.param(lambda logs: (logs / "app.log").unlink(), id="deleted"),
        pytest.param(lambda logs: (logs / "app.log").rename(logs / "app.log.1"), id="renamed"),
        pytest.param(lambda logs: (logs / "app.log").rename(logs.parent / "away"), id="moved_out"),
        pytest.param(lambda logs: (logs.parent / "in").rename(logs / "in.log"), id="moved_in"),
        pytest.param(lambda logs: (logs / "deeper").mkdir(), id="directory_made"),
        pytest.param(lambda logs: (logs / "sub").rmdir(), id="directory_removed"),
    ],
)
def test_names_that_come_and_go_ask_for_a_scan(scene: Scene, happens: Callable[[Path], object]) -> None:
    (scene.logs / "app.log").touch()
    (scene.logs / "sub").mkdir()
    (scene.logs.parent / "in").touch()
    scene.start()

    happens(scene.logs)

    assert scene.hear(lambda _changed, structure: structure)[1]


def test_our_own_reads_do_not_wake_us(scene: Scene) -> None:
    log = scene.logs / "app.log"
    log.write_text("a line\n" * 1000, encoding="utf-8")
    scene.start()
    for _ in range(100):
        log.read_bytes()
        os.listdir(scene.logs)  # noqa: PTH208  # as the scan does

    assert scene.heard_nothing_before(scene.logs / "mark")


def test_our_own_state_does_not_wake_us(scene: Scene) -> None:
    scene.start()
    for number in range(50):
        (scene.state / f"offsets.db-{number}").write_text("x", encoding="utf-8")

    assert scene.heard_nothing_before(scene.logs / "mark")


def test_many_events_wake_once_until_they_are_taken(scene: Scene) -> None:
    log = scene.logs / "app.log"
    log.touch()
    scene.start()
    with log.open("a", encoding="utf-8") as file:
        for _ in range(500):
            file.write("line\n")
            file.flush()
    (scene.logs / "mark").touch()

    deadline = time.monotonic() + PATIENCE_SECONDS
    while not scene.woken.is_set() and time.monotonic() < deadline:
        scene.woken.wait(0.1)

    assert scene.wakes == 1
    assert scene.hear(lambda _changed, structure: structure)[0] == {str(log)}


def test_the_set_of_what_changed_is_bounded_and_a_scan_makes_up_for_the_rest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_DIRTY", 10)
    logs = [scene.logs / f"{number}.log" for number in range(50)]
    for log in logs:
        log.touch()
    scene.start()
    for log in logs:
        log.write_text("line\n", encoding="utf-8")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while str(logs[-1]) not in (taken := scene.watcher.take())[0] and not taken[1] and time.monotonic() < deadline:
        scene.woken.wait(0.05)

    assert len(taken[0]) <= 10
    assert taken[1]


# -- directories ---------------------------------------------------------------------------------------


def test_a_new_sub_directory_is_watched_and_handed_back_to_be_listed(scene: Scene) -> None:
    scene.start()
    sub = scene.logs / "sub"
    sub.mkdir()
    (sub / "before_the_watch.log").touch()
    scene.hear(lambda _changed, structure: structure)

    assert scene.watcher.cover({str(scene.logs), str(sub)}) == {str(sub)}
    assert scene.watcher.cover({str(scene.logs), str(sub)}) == set()
    (sub / "after.log").touch()
    assert scene.hear(lambda _changed, structure: structure)[1]


def test_a_directory_that_was_made_again_is_watched_again(scene: Scene) -> None:
    sub = scene.logs / "sub"
    sub.mkdir()
    scene.start(scene.logs, sub)
    sub.rename(scene.logs / "sub.old")
    sub.mkdir()

    assert scene.watcher.cover({str(scene.logs), str(sub)}) == {str(sub)}
    scene.hear(lambda _changed, structure: structure)
    (sub / "app.log").touch()
    assert scene.hear(lambda _changed, structure: structure)[1]


def test_a_directory_that_is_reached_through_a_link_is_heard_under_the_links_name(scene: Scene) -> None:
    real = scene.logs.parent / "real"
    real.mkdir()
    (real / "app.log").touch()
    link = scene.logs / "link"
    link.symlink_to(real)
    scene.start(link)
    (real / "app.log").write_text("line\n", encoding="utf-8")

    assert scene.hear()[0] == {str(link / "app.log")}


def test_a_directory_that_is_no_longer_wanted_is_not_heard(scene: Scene) -> None:
    other = scene.logs.parent / "other"
    other.mkdir()
    scene.start(scene.logs, other)
    scene.watcher.cover({str(scene.logs)})
    (other / "app.log").touch()

    assert scene.heard_nothing_before(scene.logs / "mark")


def test_a_directory_that_vanished_is_tried_again(scene: Scene) -> None:
    gone = scene.logs / "gone"

    assert scene.start(scene.logs, gone) == {str(scene.logs)}
    gone.mkdir()
    assert scene.watcher.cover({str(scene.logs), str(gone)}) == {str(gone)}
    assert scene.watcher.polled == {}


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
