"""What a scan means after a rotation: each way of rotating is told from the others."""

from __future__ import annotations

import pytest

from shipper.core.evidence import Do
from tests.core.scans import BANNER, LOG, NEW, OLD, READ, ROTATED, OnDisk, known, scan, verdicts


@pytest.mark.parametrize("opened", [True, False], ids=["agent_up", "agent_down"])
def test_rename_and_create_finishes_the_old_one_first(opened: bool) -> None:
    decisions = scan([known(LOG, READ, open=opened)], [OnDisk(LOG.path, 11, NEW, 200), ROTATED])

    assert verdicts(decisions) == [("renamed", 1, ROTATED.path), ("start", None, LOG.path)]
    assert [d.live for d in decisions] == [False, True]


@pytest.mark.parametrize("opened", [True, False], ids=["agent_up", "agent_down"])
def test_copy_truncate_goes_on_in_the_copy_and_begins_the_file_anew(opened: bool) -> None:
    copy = OnDisk(ROTATED.path, 11, OLD, 150, live=False)

    decisions = scan([known(LOG, READ, open=opened)], [OnDisk(LOG.path, 10, b"new\n", 200), copy])

    anew = ("truncated", 1, LOG.path) if opened else ("start", None, LOG.path)  # closed, it may be another file
    assert verdicts(decisions) == [("adopt", 1, copy.path), anew]


def test_a_copy_that_is_seen_before_the_truncation_waits_and_is_adopted_then() -> None:
    copy = OnDisk(ROTATED.path, 11, OLD, 150, live=False)
    before = known(LOG, READ, open=True)

    assert verdicts(scan([before], [LOG, copy])) == [("wait", None, copy.path), ("continue", 1, LOG.path)]
    assert ("adopt", 1, copy.path) in verdicts(scan([before], [LOG._replace(text=b""), copy]))


@pytest.mark.parametrize("live", [False, True], ids=["not_matched", "matched_too"])
def test_of_a_copy_that_was_read_whole_nothing_is_read(live: bool) -> None:
    """Lines were written and read between the copy and the truncation: the copy ends before the read offset."""
    copy = OnDisk(ROTATED.path, 11, OLD[:-150], 150, live=live)
    before = known(LOG, len(OLD), open=True)

    decisions = scan([before], [OnDisk(LOG.path, 10, b"new\n", 200), copy])

    about_copy = [d for d in decisions if d.seen and d.seen.path == copy.path]
    assert [(d.do, d.begin_at) for d in about_copy] == [(Do.START, len(copy.text)) if live else (Do.WAIT, 0)]


def test_a_shorter_file_that_only_begins_alike_is_no_copy() -> None:
    other = OnDisk(ROTATED.path, 11, BANNER + NEW[:400], 150)
    log = OnDisk(LOG.path, 10, BANNER + OLD, 100)

    decisions = scan([known(log, len(log.text), open=True)], [OnDisk(LOG.path, 10, b"new\n", 200), other])

    assert ("start", None, other.path) in verdicts(decisions)
    assert all(d.begin_at == 0 for d in decisions)


def test_the_second_of_two_copies_is_not_shipped_again() -> None:
    copies = [OnDisk(f"/log/app.log.{name}", 11 + n, OLD, 150, live=False) for n, name in enumerate(("1", "bak"))]

    decisions = scan([known(LOG, READ, open=True)], [OnDisk(LOG.path, 10, b"new\n", 200), *copies])

    assert sorted(verdicts(decisions), key=str) == [
        ("adopt", 1, copies[0].path),
        ("truncated", 1, LOG.path),
        ("wait", None, copies[1].path),
    ]


@pytest.mark.parametrize("opened", [True, False], ids=["agent_up", "agent_down"])
def test_truncate_and_refill_beyond_the_offset_is_seen(opened: bool) -> None:
    """Open, a read finds it: the bytes before the offset are others. Not open, the scan does."""
    refilled = OnDisk(LOG.path, 10, NEW * 3, 200)

    decisions = scan([known(LOG, READ, open=opened, suspect=opened)], [refilled])

    assert verdicts(decisions) == [("truncated", 1, LOG.path)]


def test_truncate_and_refill_behind_an_equal_banner_is_seen() -> None:
    log = OnDisk(LOG.path, 10, BANNER + OLD)

    decisions = scan([known(log, len(log.text) - 100)], [OnDisk(LOG.path, 10, BANNER + NEW * 3, 200)])

    assert verdicts(decisions) == [("truncated", 1, LOG.path)]


def test_truncate_and_refill_to_the_very_same_length_is_seen() -> None:
    refilled = OnDisk(LOG.path, 10, (NEW * 3)[: len(OLD)], 200)

    assert verdicts(scan([known(LOG, len(OLD), open=True)], [refilled])) == [("truncated", 1, LOG.path)]


def test_delete_and_recreate_with_the_same_inode_is_a_new_life() -> None:
    assert verdicts(scan([known(LOG, READ)], [OnDisk(LOG.path, 10, NEW * 3, 200)])) == [("truncated", 1, LOG.path)]


def test_an_inode_that_comes_back_under_another_name_is_a_new_life() -> None:
    other = OnDisk("/log/other.log", 10, NEW * 3, 200)

    assert verdicts(scan([known(LOG, READ)], [other])) == [("gone", 1, None), ("start", None, other.path)]


def test_rotated_siblings_of_a_sleep_are_finished_oldest_first_then_the_live_file() -> None:
    """app.log was renamed, and its successor, and that one's successor, while nobody looked."""
    oldest = LOG._replace(path="/log/app.log.3", live=False)
    second = OnDisk("/log/app.log.2", 11, NEW, 200, live=False)
    third = OnDisk("/log/app.log.1", 12, NEW[:500], 300, live=False)
    live = OnDisk(LOG.path, 13, NEW[:90], 400)

    decisions = scan([known(LOG, READ)], [live, third, second, oldest])

    assert verdicts(decisions) == [
        ("renamed", 1, oldest.path),
        ("start", None, second.path),
        ("start", None, third.path),
        ("start", None, live.path),
    ]


def test_siblings_that_were_rotated_before_we_first_looked_are_left_alone() -> None:
    ancient = OnDisk("/log/app.log.2", 11, NEW, 50, live=False)

    decisions = scan([known(LOG, READ)], [OnDisk(LOG.path, 12, NEW, 200), ROTATED, ancient])

    assert ancient.path not in [path for _, _, path in verdicts(decisions)]


def test_a_sibling_of_a_file_that_was_not_rotated_is_left_alone() -> None:
    stranger = OnDisk("/log/app.log.1", 11, NEW, 300, live=False)

    assert verdicts(scan([known(LOG, READ)], [LOG, stranger])) == [("continue", 1, LOG.path)]


@pytest.mark.parametrize("opened", [True, False], ids=["agent_up", "agent_down"])
def test_two_copy_truncates_between_two_looks_lose_nothing(opened: bool) -> None:
    first_copy = OnDisk("/log/app.log.2", 11, OLD, 150, live=False)
    second_copy = OnDisk("/log/app.log.1", 12, NEW, 250, live=False)

    decisions = scan(
        [known(LOG, READ, open=opened)], [OnDisk(LOG.path, 10, b"third life\n", 300), second_copy, first_copy]
    )

    assert verdicts(decisions) == [
        ("adopt", 1, first_copy.path),
        ("start", None, second_copy.path),
        ("start", None, LOG.path),
    ]


def test_a_symlink_that_leads_elsewhere_now_drains_its_old_target() -> None:
    """Discovery reports the target's inode under the link's name."""
    fresh = OnDisk(LOG.path, 11, NEW, 200)

    assert verdicts(scan([known(LOG, READ, open=True)], [fresh])) == [("drain", 1, None), ("start", None, LOG.path)]


def test_a_file_moved_out_of_its_pattern_is_finished_there() -> None:
    moved = LOG._replace(path="/log/app.done", live=False)

    (decision,) = scan([known(LOG, READ, open=True)], [moved])

    assert (decision.do, decision.live) == (Do.RENAMED, False)
