"""What a scan means: every combination of evidence is decided, and each rotation is told from the others."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest

from shipper.core.evidence import Answer, Decision, Do, Known, Question, Seen
from shipper.core.follow import WAIT_SCANS, decide, missing_name, questions
from shipper.core.identity import HEAD_BYTES, Trail, guard_of, head_of
from shipper.core.model import FileKey

BANNER = b"=== program 1.2.3 starts ===\n" * 50
OLD = b"".join(b"line %03d of the old life\n" % n for n in range(40))
NEW = b"".join(b"a fresh line %03d\n" % n for n in range(40))


class OnDisk(NamedTuple):
    """A file as the scan finds it."""

    path: str
    inode: int
    text: bytes
    mtime: int = 100
    live: bool = True
    packed: str = ""


def known(file: OnDisk, offset: int, *, file_id: int = 1, **changes: object) -> Known:
    """Return what is known of *file* when *offset* bytes of it were read."""
    trail = Trail()
    for point in range(100, offset, 100):
        trail.pass_by(point, file.text[max(point - 256, 0) : point])
    fields: dict[str, object] = {
        "key": FileKey(file_id, 0), "source": "app", "path": file.path, "device": 1, "inode": file.inode,
        "head": head_of(file.text[: min(HEAD_BYTES, max(offset, 1))] if offset else b""),
        "guard": guard_of(file.text[max(offset - 256, 0) : offset]), "offset": offset, "size": len(file.text),
        "mtime_ns": file.mtime, "live": file.live, "trail": trail.points, **changes,
    }  # fmt: skip
    return Known(**fields)  # type: ignore[arg-type]  # the fields are spelt out above


def scan(
    followed: list[Known], disk: list[OnDisk], waited: dict[str, int] | None = None, *, unreadable: bool = False
) -> list[Decision]:
    seen = [
        Seen(f.path, 1, f.inode, len(f.text) // (10 if f.packed else 1), f.mtime, 0 if f.live else None, "", f.packed)
        for f in disk
    ]
    by_path = {file.path: file.text for file in disk}

    def answer(question: Question) -> Answer | None:
        text = by_path[question.path]
        if question.packed and not unreadable:
            reached = [point for point in question.points if point[0] <= len(text)]
            at, length = reached[-1] if reached else (0, 0)
            return Answer(text[:HEAD_BYTES], text[at - length : at], at)
        begin = max(question.offset - question.guard_length, 0)
        return None if unreadable else Answer(text[:HEAD_BYTES], text[begin : question.offset])

    missing = {missing_name(one.key): 1 for one in followed}  # not met for the second time
    waited = {**missing, **(waited or {})}
    return decide(followed, seen, {q: answer(q) for q in questions(followed, seen)}, waited)


def verdicts(decisions: list[Decision]) -> list[tuple[str, int | None, str | None]]:
    """Return (what, whose file id, which path) of each."""
    return [(d.do.value, d.known.key.file_id if d.known else None, d.seen.path if d.seen else None) for d in decisions]


LOG = OnDisk("/log/app.log", 10, OLD, 100)
READ = len(OLD) - 200


# -- the state table of a file whose inode is known ----------------------------------------------------

# (open, suspect, length, head, guard, name) -> what; "-" stands for any. The first row that fits counts.
LENGTHS = ("shorter", "same", "longer")
TABLE: list[tuple[tuple[str, str, str, str, str, str], Do]] = [
    (("closed", "-", "shorter", "-", "-", "moved"), Do.GONE),
    (("-", "-", "shorter", "-", "-", "-"), Do.TRUNCATED),
    (("open", "trusted", "longer", "-", "-", "same_name"), Do.CONTINUE),
    (("open", "trusted", "longer", "-", "-", "moved"), Do.RENAMED),
    (("closed", "-", "-", "other_head", "-", "moved"), Do.GONE),  # the inode was used again
    (("closed", "-", "-", "-", "other_guard", "moved"), Do.GONE),
    (("-", "-", "-", "other_head", "-", "-"), Do.TRUNCATED),
    (("-", "-", "-", "-", "other_guard", "-"), Do.TRUNCATED),
    (("-", "-", "-", "same_head", "same_guard", "same_name"), Do.CONTINUE),
    (("-", "-", "-", "same_head", "same_guard", "moved"), Do.RENAMED),
]
CELLS = list(
    itertools.product(
        ("open", "closed"), ("trusted", "suspect"), LENGTHS, ("same_head", "other_head"),
        ("same_guard", "other_guard"), ("same_name", "moved"),
    )
)  # fmt: skip


def expected(cell: tuple[str, ...]) -> Do:
    return next(do for row, do in TABLE if all(want in ("-", have) for want, have in zip(row, cell, strict=True)))


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_every_cell_is_decided(cell: tuple[str, str, str, str, str, str]) -> None:
    """The file was written since the last look, and everything that was there then had been read."""
    opened, trust, length, head, guard, name = cell
    before = known(LOG, len(OLD), open=opened == "open", suspect=trust == "suspect")
    text = bytearray(OLD)
    if head == "other_head":
        text[5] ^= 1
    if guard == "other_guard":
        text[-5] ^= 1
    text = {"shorter": text[:-1], "same": text, "longer": text + b"more\n"}[length]
    path = LOG.path if name == "same_name" else "/log/app.log.1"

    decisions = scan([before], [OnDisk(path, 10, bytes(text), 200, live=name == "same_name")])

    (decision,) = [d for d in decisions if d.known is before]
    assert decision.do is expected(cell)
    assert decision.evidence


@pytest.mark.parametrize("opened", [True, False])
def test_an_unchanged_file_costs_no_question(opened: bool) -> None:
    before = known(LOG, READ, open=opened)
    seen = [Seen(LOG.path, 1, 10, len(OLD), LOG.mtime, 0)]

    assert questions([before], seen) == []
    assert verdicts(decide([before], seen, {}, {})) == [("continue", 1, LOG.path)]


def test_what_cannot_be_read_just_now_waits() -> None:
    assert verdicts(scan([known(LOG, READ)], [LOG._replace(mtime=200)], unreadable=True)) == [("wait", 1, LOG.path)]


def test_a_new_file_is_read_from_its_first_byte() -> None:
    (decision,) = scan([], [LOG])

    assert (decision.do, decision.begin_at, decision.live) == (Do.START, 0, True)


def test_a_file_that_is_gone_is_drained_while_it_is_open() -> None:
    assert verdicts(scan([known(LOG, READ, open=True)], [])) == [("drain", 1, None)]


def test_a_file_that_is_gone_and_not_open_is_gone() -> None:
    assert verdicts(scan([known(LOG, READ)], [])) == [("gone", 1, None)]


def test_a_file_that_one_scan_has_not_met_is_not_gone_yet() -> None:
    """While names are shifted, a listing can miss a file, or find it under the name of another."""
    decisions = scan([known(LOG, READ)], [OnDisk(LOG.path, 11, NEW, 200)], {missing_name(FileKey(1, 0)): 0})

    assert verdicts(decisions) == [("wait", 1, None), ("start", None, LOG.path)]


def test_an_orphan_is_gone_already() -> None:
    assert scan([known(LOG, READ, orphan=True, live=False)], []) == []


# -- rotations -------------------------------------------------------------------------------------

ROTATED = LOG._replace(path="/log/app.log.1", live=False)


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


def test_an_empty_copy_is_not_taken_for_that_of_a_file_of_which_nothing_was_read() -> None:
    """An empty file copied away leaves an empty one, which would begin like anything."""
    empty, copy = OnDisk("/log/app.log.1", 11, b"", 150, live=False), OnDisk("/log/app.log.2", 12, OLD, 140, live=False)
    met = known(LOG, 0, head=head_of(OLD[:HEAD_BYTES]))

    decisions = scan([met], [OnDisk(LOG.path, 10, NEW, 200), empty, copy])

    assert ("adopt", 1, copy.path) in verdicts(decisions)
    assert not any(d.seen is not None and d.seen.path == empty.path for d in decisions)


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


# -- compressed -------------------------------------------------------------------------------------

GZIPPED = OnDisk("/log/app.log.1.gz", 12, OLD, 100, live=False, packed="gzip")


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
