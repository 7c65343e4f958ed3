"""What a scan makes of files that are alike: of one name in two directories, or with one beginning."""

from __future__ import annotations

import pytest

from shipper.core.follow import WAIT_SCANS
from tests.core.scans import BANNER, LOG, NEW, OLD, READ, OnDisk, known, scan, verdicts

# -- other directories -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/log/old/app.log.1", "/archive/app.log-20261126", "/archive/app.log.1.gz"])
def test_a_copy_in_another_directory_is_read_on(path: str) -> None:
    copy = OnDisk(path, 11, OLD, 150, live=False, packed="gzip" if path.endswith("gz") else "")

    decisions = scan([known(LOG, READ, open=True)], [OnDisk(LOG.path, 10, b"new\n", 200), copy])

    assert ("adopt", 1, path) in verdicts(decisions)


def test_a_rotated_name_beside_a_file_of_its_own_is_kin_to_that_one_only() -> None:
    """Two services with files of one name that begin alike: a copy of the one is no copy of the other."""
    one = OnDisk("/srv/one/app.log", 10, BANNER + OLD)
    other = OnDisk("/srv/other/app.log", 11, BANNER + OLD)
    copy = OnDisk("/srv/other/app.log.1", 12, BANNER + OLD, live=False)

    decisions = scan([known(one, len(one.text) - 50, open=True)], [one._replace(text=b"x"), other, copy])

    assert ("adopt", 1, copy.path) not in verdicts(decisions)


def test_an_unrelated_file_that_has_got_a_followed_inode_is_not_read() -> None:
    unrelated = OnDisk("/log/editor.tmp", 10, NEW * 3, 200, live=False)

    assert verdicts(scan([known(LOG, READ)], [unrelated])) == [("gone", 1, None)]


# -- two files that begin alike ------------------------------------------------------------------------


def test_two_live_files_with_equal_heads_stay_two() -> None:
    app, web = OnDisk("/log/app.log", 10, BANNER + OLD), OnDisk("/log/web.log", 11, BANNER + NEW)
    followed = [known(app, len(app.text), file_id=1), known(web, len(web.text), file_id=2)]

    assert verdicts(scan(followed, [app, web])) == [("continue", 1, app.path), ("continue", 2, web.path)]


def test_a_second_file_with_an_equal_head_is_a_file_of_its_own() -> None:
    app, web = OnDisk("/log/app.log", 10, BANNER + OLD), OnDisk("/log/web.log", 11, BANNER)

    assert verdicts(scan([known(app, len(app.text))], [app, web])) == [
        ("continue", 1, app.path),
        ("start", None, web.path),
    ]


def test_a_matched_lookalike_under_a_rotated_name_waits_and_is_read_then() -> None:
    twin = OnDisk("/log/app.log.1", 11, OLD, 100)
    before = known(LOG, READ, open=True)

    assert ("wait", None, twin.path) in verdicts(scan([before], [LOG, twin]))
    assert ("start", None, twin.path) in verdicts(scan([before], [LOG, twin], {twin.path: WAIT_SCANS}))


def test_of_two_truncated_twins_each_adopts_a_copy() -> None:
    app, web = OnDisk("/log/app.log", 10, BANNER + OLD), OnDisk("/log/web.log", 11, BANNER + NEW)
    followed = [known(app, len(app.text) - 50, file_id=1), known(web, len(web.text) - 50, file_id=2)]
    disk = [
        app._replace(text=b"a", mtime=300),
        web._replace(text=b"w", mtime=300),
        OnDisk("/log/app.log.1", 20, app.text, 200, live=False),
        OnDisk("/log/web.log.1", 21, web.text, 200, live=False),
    ]

    decisions = verdicts(scan(followed, disk))

    assert ("adopt", 1, "/log/app.log.1") in decisions
    assert ("adopt", 2, "/log/web.log.1") in decisions
