"""What a scan means for the files that are followed: continued, rotated, truncated, copied, new, gone.

Pure. In two steps, so that it does no I/O: `questions` says which bytes of
which seen files it needs, `decide` is given them. Rules, and why:

- An inode that is open cannot be used again by another file, so the same
  inode is the same file; shorter than what was read, or with other bytes
  before the read offset, it was truncated.
- An inode that is not open proves nothing: head and guard must fit.
- A file with an unknown inode whose name is a rotated form of a truncated
  one's, with its head and its guard, is the copy that copy-truncate made: it
  is read on from the old offset. Of a file that is not truncated (yet), such a
  copy waits a few scans.
- Of unmatched siblings only those are read that were written after our last
  look at a file that has since been rotated: the rotations we slept through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shipper.core.evidence import Answer, Answers, Decision, Do, Known, Question, Seen
from shipper.core.identity import GUARD_BYTES, NO_GUARD, Point
from shipper.core.model import FileKey
from shipper.core.rotation_names import base_of, is_rotated_name

WAIT_SCANS: Final = 5


def questions(known: Sequence[Known], seen: Sequence[Seen]) -> list[Question]:
    """Return what must be read for `decide`."""
    by_inode = {(k.device, k.inode): k for k in known if not k.orphan}
    asked: list[Question] = []
    for file in seen:
        same = by_inode.get((file.device, file.inode))
        if same is not None and _must_be_checked(same, file):
            asked.append(_question(file, same))
        elif same is None:
            asked += [_question(file, other) for other in known if _may_be_copy(file, other)]
    return list(dict.fromkeys(asked))


def decide(
    known: Sequence[Known],
    seen: Sequence[Seen],
    answers: Answers,
    waited: Mapping[str, int],
) -> list[Decision]:
    """Return what to do, in the order in which the files should be read.

    Args:
        known: Every followed generation.
        seen: Every file that the scan met, each inode once.
        answers: To `questions` of the same files.
        waited: For how many scans a path has waited already.
    """
    by_inode = {(k.device, k.inode): k for k in known if not k.orphan}
    decisions: list[Decision] = []
    met: set[FileKey] = set()
    strangers: list[Seen] = []
    orphans = [k for k in known if k.orphan]
    rotated = [k for k in known if k.orphan or not k.live]
    for file in seen:
        same = by_inode.get((file.device, file.inode))
        if same is None:
            strangers.append(file)
            continue
        met.add(same.key)
        decision = _same_inode(same, file, answers)
        decisions.append(decision)
        if decision.do is Do.TRUNCATED:
            orphans.append(same)
            rotated.append(same)
        elif decision.do is Do.RENAMED:
            rotated.append(same)
    for gone in [k for k in known if not k.orphan and k.key not in met]:
        rotated.append(gone)
        if gone.open:
            decisions.append(
                Decision(Do.DRAIN, gone, None, "its name is gone, the descriptor is still ours", live=False)
            )
        else:
            orphans.append(gone)
            decisions.append(Decision(Do.GONE, gone, None, f"no file has inode {gone.inode} any more", live=False))
    return _order(decisions + _strangers(strangers, orphans, rotated, known, answers, waited))


def _must_be_checked(known: Known, file: Seen) -> bool:
    """Return whether the same inode proves too little: it was not held open, and something changed."""
    written = file.mtime_ns != known.mtime_ns
    changed = written or (file.path, file.size) != (known.path, known.size)
    # Written, and no longer than before: it may have been truncated and filled again up to the same byte.
    return known.suspect or (not known.open and changed) or (written and file.size == known.size == known.offset)


def _question(file: Seen, known: Known) -> Question:
    point = _frontier(file, known)
    return Question(file.path, point.offset, point.guard.length)


def _frontier(file: Seen, known: Known) -> Point:
    """Return the last place at which reading *known* stood that *file* is long enough for."""
    if file.size >= known.offset:
        return Point(known.offset, known.guard)
    return next((point for point in reversed(known.trail) if point.offset <= file.size), Point(0, NO_GUARD))


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


def _is_sibling(file: Seen, known: Known) -> bool:
    """Return whether *file* may be a rotated form of the file that *known* is, or was before it was rotated itself."""
    if _directory(file.path) != _directory(known.path):
        return False
    name, of = file.path.rpartition("/")[2], known.path.rpartition("/")[2]
    return is_rotated_name(name, of) or is_rotated_name(name, base_of(of))


def _may_be_copy(file: Seen, known: Known) -> bool:
    return known.head.length > 0 and _is_sibling(file, known)


def _same_inode(known: Known, file: Seen, answers: Answers) -> Decision:
    live = file.source is not None
    moved = file.path != known.path
    if file.size < known.offset:
        return Decision(Do.TRUNCATED, known, file, f"{file.size} bytes, {known.offset} were read", live)
    if _must_be_checked(known, file):
        answer = answers.get(_question(file, known))
        if answer is None:
            return Decision(Do.WAIT, known, file, "it cannot be read just now", live)
        if not known.head.fits(answer.first):
            return Decision(Do.TRUNCATED, known, file, "it begins with other bytes than before", live)
        if not known.guard.fits(answer.before):
            return Decision(Do.TRUNCATED, known, file, f"other bytes stand before offset {known.offset}", live)
    if moved:
        return Decision(Do.RENAMED, known, file, f"inode {file.inode} was at {known.path}", live)
    return Decision(Do.CONTINUE, known, file, f"inode {file.inode}, offset {known.offset}", live)


def _strangers(
    strangers: Iterable[Seen],
    orphans: list[Known],
    rotated: list[Known],
    known: Sequence[Known],
    answers: Answers,
    waited: Mapping[str, int],
) -> list[Decision]:
    decisions: list[Decision] = []
    adopted: set[FileKey] = set()
    for file in sorted(strangers, key=lambda f: (f.mtime_ns, f.path)):
        live = file.source is not None
        copies = [o for o in orphans if _is_copy(file, o, answers)]
        if copies:
            decisions.append(_copy(file, copies, adopted, live=live))
            continue
        alike = any(
            not k.orphan and k not in orphans and _begins_alike(file, k, answers)
            for k in known
            if _may_be_copy(file, k)
        )
        if alike and (not live or waited.get(file.path, 0) < WAIT_SCANS):
            decisions.append(
                Decision(Do.WAIT, None, file, "it begins like a file beside it: a copy may be under way", live)
            )
            continue
        if live:
            decisions.append(Decision(Do.START, None, file, f"inode {file.inode} is new", live))
            continue
        missed = [k for k in rotated if _was_missed(file, k)]
        if missed:
            decisions.append(
                Decision(Do.START, None, file, f"rotated from {missed[0].path} while nobody looked", live=False)
            )
    return decisions


def _copy(file: Seen, copies: list[Known], adopted: set[FileKey], *, live: bool) -> Decision:
    """Return what to do with *file*, a copy of each of *copies*, which are truncated or gone."""
    whole = [o for o in copies if file.size >= o.offset and o.key not in adopted]
    if whole:
        orphan = max(whole, key=lambda o: (o.offset, o.key))
        adopted.add(orphan.key)
        evidence = f"copy of {orphan.path}: same head, same bytes before {orphan.offset}"
        return Decision(Do.ADOPT, orphan, file, evidence, live=False)
    orphan = max(copies, key=lambda o: (o.offset, o.key))
    if live and file.size < orphan.offset:
        evidence = f"copy of {orphan.path}, all of which was read: {orphan.offset} bytes"
        return Decision(Do.START, None, file, evidence, live=False, begin_at=file.size)
    return Decision(Do.WAIT, None, file, f"one more copy of {orphan.path}", live)


def _is_copy(file: Seen, known: Known, answers: Answers) -> bool:
    if not _may_be_copy(file, known):
        return False
    point = _frontier(file, known)
    answer = answers.get(_question(file, known))
    if answer is None or (file.size < known.offset and not point.offset):
        return False
    # A copy that is shorter than the head was when it was taken last: what stands before the point must do.
    begins_alike = file.size < known.head.length or known.head.fits(answer.first)
    return begins_alike and point.guard.fits(answer.before)


def _begins_alike(file: Seen, known: Known, answers: Answers) -> bool:
    """Return whether *file* may become, or be, a copy of *known*, which is not truncated."""
    answer = answers.get(_question(file, known))
    if answer is None or file.size < known.head.length or not known.head.fits(answer.first):
        return False
    return file.size < known.offset or known.guard.fits(answer.before)


def _was_missed(file: Seen, known: Known) -> bool:
    """Return whether *file* was written after our last look at *known* and rotated since, before we looked again."""
    name = file.path.rpartition("/")[2]
    return _is_sibling(file, known) and base_of(name) != name and file.mtime_ns >= known.mtime_ns and file.size > 0


def _order(decisions: list[Decision]) -> list[Decision]:
    """Put what is only finished before what is live, the oldest first; a live file waits for its rotated siblings."""
    finishing = sorted(
        (d for d in decisions if not d.live),
        key=lambda d: (d.seen.mtime_ns if d.seen else 0, d.known.key if d.known else FileKey(0, 0)),
    )
    return finishing + [d for d in decisions if d.live]


__all__ = ["GUARD_BYTES", "Answer", "Decision", "Do", "Known", "Question", "Seen", "decide", "questions"]
