"""What a scan makes of a file of which nothing was read yet, when its lineage turns up beside it."""

from __future__ import annotations

import pytest

from shipper.core.identity import HEAD_BYTES, head_of
from tests.core.scans import GZIPPED, LOG, NEW, OLD, OnDisk, known, scan, verdicts


def test_an_empty_copy_is_not_taken_for_that_of_a_file_of_which_nothing_was_read() -> None:
    """An empty file copied away leaves an empty one, which would begin like anything."""
    empty, copy = OnDisk("/log/app.log.1", 11, b"", 150, live=False), OnDisk("/log/app.log.2", 12, OLD, 140, live=False)
    met = known(LOG, 0, head=head_of(OLD[:HEAD_BYTES]))

    decisions = scan([met], [OnDisk(LOG.path, 10, NEW, 200), empty, copy])

    assert ("adopt", 1, copy.path) in verdicts(decisions)
    assert not any(d.seen is not None and d.seen.path == empty.path for d in decisions)


def test_a_file_of_which_not_a_byte_was_seen_is_what_turns_up_in_its_lineage() -> None:
    """It was empty when it was met; by the next scan it was written, rotated and compressed."""
    blank = known(LOG._replace(text=b""), 0, size=0)
    gz = GZIPPED._replace(text=NEW, mtime=300)

    decisions = scan([blank], [OnDisk(LOG.path, 11, NEW[:50], 400), gz])

    assert verdicts(decisions) == [("adopt", 1, gz.path), ("start", None, LOG.path)]


@pytest.mark.parametrize("opened", [True, False], ids=["open", "waiting"])
def test_a_copy_of_a_file_of_which_nothing_was_read_stands_before_what_is_written_now(opened: bool) -> None:
    """It was empty at the last look; it was written, copied, truncated and written again since."""
    blank = known(LOG._replace(text=b""), 0, size=0, open=opened)
    copy = OnDisk("/log/app.log.1", 11, OLD, 150, live=False)

    decisions = scan([blank], [LOG._replace(text=NEW, mtime=300), copy])

    anew = ("truncated", 1, LOG.path) if opened else ("start", None, LOG.path)
    assert verdicts(decisions) == [("adopt", 1, copy.path), anew]


def test_of_two_copies_of_a_file_of_which_nothing_was_read_the_older_comes_first() -> None:
    blank = known(LOG._replace(text=b""), 0, size=0, open=True)
    first, second = (
        OnDisk("/log/app.log.2", 11, OLD, 150, live=False),
        OnDisk("/log/app.log.1", 12, NEW, 200, live=False),
    )

    decisions = scan([blank], [LOG._replace(text=b"third life\n", mtime=300), second, first])

    assert verdicts(decisions) == [("adopt", 1, first.path), ("start", None, second.path), ("start", None, LOG.path)]


def test_a_file_that_was_emptied_and_renamed_since_comes_behind_its_copy() -> None:
    blank = known(LOG._replace(text=b""), 0, size=0, open=True)
    copy = OnDisk("/log/app.log.2", 11, OLD, 150, live=False)
    renamed = OnDisk("/log/app.log.1", LOG.inode, NEW, 200, live=False)

    decisions = scan([blank], [OnDisk(LOG.path, 12, b"third life\n", 300), renamed, copy])

    assert verdicts(decisions) == [("adopt", 1, copy.path), ("truncated", 1, renamed.path), ("start", None, LOG.path)]


def test_a_file_that_was_empty_and_renamed_twice_comes_before_what_was_rotated_after_it() -> None:
    blank = known(LOG._replace(text=b""), 0, size=0, open=True)
    renamed = OnDisk("/log/app.log.2", LOG.inode, OLD, 150, live=False)
    missed = OnDisk("/log/app.log.1", 11, NEW, 200, live=False)

    decisions = scan([blank], [OnDisk(LOG.path, 12, b"third life\n", 300), missed, renamed])

    assert verdicts(decisions) == [
        ("renamed", 1, renamed.path),
        ("start", None, missed.path),
        ("start", None, LOG.path),
    ]


def test_an_empty_file_that_is_only_written_goes_on_beside_an_older_sibling() -> None:
    blank = known(LOG._replace(text=b""), 0, size=0, open=True)
    older = OnDisk("/log/app.log.1", 11, OLD, LOG.mtime - 1, live=False)

    assert verdicts(scan([blank], [LOG._replace(mtime=300), older])) == [("continue", 1, LOG.path)]
