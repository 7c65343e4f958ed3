"""Change events are a hint: bounded, not of our own making, and of the directories that are wanted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.adapters import watch
from tests.adapters.watch_scene import Scene, watching
from tests.patience import PATIENCE_SECONDS

scene = pytest.fixture(watching)


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
