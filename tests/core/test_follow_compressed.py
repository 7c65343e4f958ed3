"""What a scan makes of compressed files: rotated ones are read on, others are left alone."""

from __future__ import annotations

import pytest

from shipper.core.evidence import Seen
from shipper.core.follow import questions
from tests.core.scans import GZIPPED, LOG, NEW, OLD, READ, ROTATED, OnDisk, known, scan, verdicts


@pytest.mark.parametrize("matched", [False, True])
def test_a_compressed_copy_of_a_file_that_is_gone_is_read_on(matched: bool) -> None:
    decisions = scan([known(LOG, READ)], [OnDisk(LOG.path, 11, NEW, 200), GZIPPED._replace(live=matched)])

    assert verdicts(decisions) == [("adopt", 1, GZIPPED.path), ("start", None, LOG.path)]
    assert not decisions[0].live


def test_while_the_file_is_still_there_its_compressed_copy_waits_for_ever() -> None:
    decisions = scan(
        [known(LOG, READ, open=True)], [OnDisk(LOG.path, 11, NEW, 200), ROTATED, GZIPPED], {GZIPPED.path: 1000}
    )

    assert ("wait", None, GZIPPED.path) in verdicts(decisions)
    assert ("renamed", 1, ROTATED.path) in verdicts(decisions)


def test_a_descriptor_that_is_ours_is_read_to_its_end_rather_than_the_compressed_copy() -> None:
    decisions = scan([known(LOG, READ, open=True)], [OnDisk(LOG.path, 11, NEW, 200), GZIPPED])

    assert verdicts(decisions) == [("drain", 1, None), ("wait", None, GZIPPED.path), ("start", None, LOG.path)]


def test_a_compressed_file_that_is_not_whole_waits() -> None:
    assert verdicts(scan([known(LOG, READ)], [GZIPPED], unreadable=True)) == [
        ("gone", 1, None),
        ("wait", None, GZIPPED.path),
    ]


def test_a_compressed_file_is_read_for_no_other_reason_than_a_rotation() -> None:
    other = GZIPPED._replace(text=NEW, mtime=300, live=True)

    assert verdicts(scan([known(LOG, READ, open=True)], [LOG, other])) == [("continue", 1, LOG.path)]
    seen = [Seen(LOG.path, 1, 10, len(OLD), 100, 0), Seen(other.path, 1, 12, 9, 300, 0, packed="gzip")]
    assert questions([known(LOG, READ, open=True)], seen) == []


def test_a_compressed_copy_that_ends_before_the_read_offset_is_not_shipped_again() -> None:
    short = GZIPPED._replace(text=OLD[:-150], mtime=300)

    decisions = scan([known(LOG, len(OLD), open=True)], [OnDisk(LOG.path, 10, b"new\n", 200), short])

    assert [v for v in verdicts(decisions) if v[2] == short.path] == [("wait", None, short.path)]


def test_rotations_of_a_sleep_are_put_in_order_by_their_names_where_stamps_are_alike() -> None:
    """Compressors that keep a stamp to the second only say nothing about files of that second."""
    names = ["app.log.4.gz", "app.log.3.bz2", "app.log.2.gz", "app.log.1"]
    disk = [
        OnDisk(f"/log/{name}", 20 + n, NEW[n:], 10**9, live=False, packed="" if name.endswith("1") else "gzip")
        for n, name in enumerate(names)
    ]
    gone = known(LOG, READ, size=READ)

    decisions = scan([gone], [OnDisk(LOG.path, 30, NEW[9:], 10**9), *reversed(disk)])

    assert [path for _, _, path in verdicts(decisions)] == [None, *(file.path for file in disk), LOG.path]


def test_what_was_let_go_is_known_by_its_content_when_a_slow_compressor_is_done_with_it() -> None:
    before = known(LOG._replace(path="/log/app.log.1"), len(OLD), file_id=1, done=True, live=False)
    second = known(OnDisk(LOG.path, 11, NEW, 200), len(NEW), file_id=2)
    late = GZIPPED._replace(path="/log/app.log.2.gz", mtime=500)

    decisions = scan([before, second], [OnDisk("/log/app.log.1", 11, NEW, 200, live=False), late])

    assert verdicts(decisions) == [("renamed", 2, "/log/app.log.1"), ("wait", None, late.path)]
