"""What a scan means for the files that are followed: continued, rotated, truncated, copied, new, gone.

Pure. In two steps, so that it does no I/O: `questions` says which bytes of
which seen files it needs, `decide` is given them. Rules, and why:

- An inode that is open cannot be used again by another file, so the same
  inode is the same file; shorter than what was read, or with other bytes
  before the read offset, it was truncated.
- An inode that is not open proves nothing: head and guard must fit.
- A file with an unknown inode whose name is a rotated form of a truncated or
  vanished one's, with its head and its guard, is a copy of it, as
  copy-truncate or a compressor makes: it is read on from the old offset,
  compressed or not. Of a file that is still there, such a copy waits a few
  scans, a compressed one for as long as it is.
- Of unmatched siblings only those are read that were written after our last
  look at a file that has since been rotated: the rotations we slept through.
  A compressed file is read for no other reason.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from shipper.core.evidence import Answer, Answers, Decision, Do, Known, Question, Seen
from shipper.core.likeness import fits, question_about
from shipper.core.lineage import Kin, in_order
from shipper.core.model import FileKey
from shipper.core.strangers import WAIT_SCANS, Strangers


def questions(known: Sequence[Known], seen: Sequence[Seen]) -> list[Question]:
    """Return what must be read for `decide`."""
    by_inode = _by_inode(known)
    asked: list[Question] = []
    strangers: list[Seen] = []
    for file in seen:
        same = by_inode.get((file.device, file.inode))
        if same is not None and _must_be_checked(same, file):
            asked.append(question_about(file, same))
        if same is None or _may_be_replaced(same, file):
            strangers.append(file)
    kin = Kin(known, seen, strangers)
    quiet = any(file.packed for file in strangers) and not any(not k.live for k in known)
    quiet = quiet and _all_in_place(by_inode, seen)
    for file in strangers:
        if not (file.packed and quiet):  # nothing can have gone into it
            asked += [question_about(file, other) for other in kin.of(file) if other.head.length]
    return list(dict.fromkeys(asked))


def decide(
    known: Sequence[Known],
    seen: Sequence[Seen],
    answers: Answers,
    waited: Mapping[str, int],
) -> list[Decision]:
    """Return what to do, in the order in which the files should be read.

    Args:
        known: Every followed generation, and those that were finished of late.
        seen: Every file that the scan met, each inode once.
        answers: To `questions` of the same files.
        waited: For how many scans a path has waited already.
    """
    by_inode = _by_inode(known)
    decisions: list[Decision] = []
    met: set[FileKey] = set()
    strangers: list[Seen] = []
    replaced: set[FileKey] = set()
    orphans = [k for k in known if k.orphan]
    rotated = [k for k in known if k.orphan or not k.live]
    emptied: dict[FileKey, Seen] = {}
    for file in seen:
        same = by_inode.get((file.device, file.inode))
        if same is None:
            strangers.append(file)
            continue
        if _must_be_checked(same, file) and _is_replaced(same, file, answers):
            strangers.append(file)
            replaced.add(same.key)
            continue
        met.add(same.key)
        decision = _same_inode(same, file, answers)
        decisions.append(decision)
        if decision.do is Do.TRUNCATED:
            orphans.append(same)
            rotated.append(same)
        elif decision.do is Do.RENAMED:
            rotated.append(same)
        if decision.do in (Do.CONTINUE, Do.RENAMED) and _may_have_been_emptied(same, file):
            emptied[same.key] = file
    for gone in [k for k in known if not (k.orphan or k.done) and k.key not in met]:
        rotated.append(gone)
        decisions.append(_missing(gone))
        if decisions[-1].do is Do.GONE:
            orphans.append(gone)
    choosing = Strangers(Kin(known, seen, strangers), orphans, rotated, emptied, answers, waited)
    chosen = choosing.decide(strangers)
    decisions = [_once_emptied(d, choosing.adopted) if _key_of(d) in emptied else d for d in decisions]
    return in_order(_after(decisions, chosen, replaced, waited) + chosen)


def _key_of(decision: Decision) -> FileKey | None:
    return decision.known.key if decision.known is not None else None


def _once_emptied(decision: Decision, adopted: Container[FileKey]) -> Decision:
    """Return what becomes of a file that may have been emptied, once it is known whether a copy was *adopted* for it.

    What stands in it now was written after what was copied, so it is a generation of its own behind it.
    """
    if _key_of(decision) not in adopted:
        return decision
    return decision._replace(do=Do.TRUNCATED, evidence="all of it was copied away before any of it was read")


def _after(
    decisions: Sequence[Decision], chosen: Sequence[Decision], replaced: Container[FileKey], waited: Mapping[str, int]
) -> list[Decision]:
    """Return what becomes of *decisions* about files that are followed, once those about strangers are *chosen*."""
    adopted = {d.known.key for d in chosen if d.known is not None}
    rotated_since = {one.stream for d in chosen if not d.live and (one := d.known or d.follows) is not None}
    missed = {d.follows.stream for d in chosen if not d.live and d.follows is not None}
    done: list[Decision] = []
    for decision in decisions:
        is_open = decision.known is not None and decision.known.open
        for after in _anew(decision, missed if is_open else rotated_since):
            known = after.known
            if after.do is not Do.GONE or known is None:
                done.append(after)
            elif known.key not in adopted:
                sure = known.open or known.key in replaced or decision.do is not Do.GONE
                sure = sure or bool(waited.get(missing_name(known.key), 0))
                done.append(after if sure else Decision(Do.WAIT, known, None, f"not met; {after.evidence}", live=False))
    return done


def goes_on(known: Known, file: Seen, ask: Callable[[Question], Answer | None]) -> bool:
    """Return whether *known* only goes on in *file*, under the name it had; *ask* answers what must be known for it.

    Whatever else there is, `decide` says CONTINUE of the two then, and of the others what it would say without them,
    unless one of those is kin by its name.
    """
    if known.orphan or known.done or known.kept or not known.live or known.packed or file.packed or file.source is None:
        return False
    if (file.device, file.inode, file.path) != (known.device, known.inode, known.path):
        return False
    question = question_about(file, known)
    answers = {question: ask(question)} if _must_be_checked(known, file) else {}
    return _same_inode(known, file, answers).do is Do.CONTINUE


def missing_name(key: FileKey) -> str:
    """Return the name under which it is counted for how many scans *key* was not met: renames can hide it from one."""
    return f"\0{key.file_id}.{key.generation}"


def _anew(decision: Decision, rotated_since: Container[int]) -> list[Decision]:
    """Return what to do instead with a truncated file of which rotated forms have appeared.

    It has a place of its own in the lineage then, behind those that appeared:
    open, it was truncated more than once; not open, it may as well be another
    file that has got its inode.
    """
    known = decision.known
    if decision.do is not Do.TRUNCATED or known is None or known.stream not in rotated_since:
        return [decision]
    evidence = f"begins anew after the rotated forms of {known.path}: {decision.evidence}"
    return [
        Decision(Do.GONE, known, None, decision.evidence, live=False),
        Decision(Do.START, None, decision.seen, evidence, decision.live, follows=known),
    ]


def _by_inode(known: Sequence[Known]) -> dict[tuple[int, int], Known]:
    # What is in the spill and not held open may have lost its inode to another file that is followed.
    return {(k.device, k.inode): k for k in known if not (k.orphan or k.done) and (k.open or not k.kept)}


def _all_in_place(by_inode: Mapping[tuple[int, int], Known], seen: Iterable[Seen]) -> bool:
    """Return whether every followed file is where it was, and as long at least."""
    there = {(file.device, file.inode): file for file in seen}
    return all(
        (file := there.get(inode)) is not None
        and file.path == one.path
        and not one.suspect
        and file.size >= (0 if one.packed else one.offset)
        for inode, one in by_inode.items()
    )


def _may_have_been_emptied(known: Known, file: Seen) -> bool:
    """Return whether all of a file of which nothing was read may have been copied away: it shows in nothing else."""
    return not (known.offset or known.head.length) and file.mtime_ns != known.mtime_ns


def _missing(gone: Known) -> Decision:
    if gone.open and gone.suspect:
        return Decision(Do.GONE, gone, None, "its name is gone, and behind the descriptor it was truncated", live=False)
    if gone.open:
        return Decision(Do.DRAIN, gone, None, "its name is gone, the descriptor is still ours", live=False)
    if gone.kept:
        return Decision(Do.DRAIN, gone, None, "its name is gone, the spill has its rest", live=False)
    return Decision(Do.GONE, gone, None, f"no file has inode {gone.inode} any more", live=False)


# -- a file whose inode is known ---------------------------------------------------------------------


def _must_be_checked(known: Known, file: Seen) -> bool:
    """Return whether the same inode proves too little: it was not held open, and something changed."""
    written = file.mtime_ns != known.mtime_ns
    changed = written or (file.path, file.size) != (known.path, known.size)
    if _is_other_content(known, file):
        return True
    if known.packed:
        return written and (known.suspect or not known.open)  # to ask costs unpacking it up to the offset
    # Written, and no longer than before: it may have been truncated and filled again up to the same byte.
    return known.suspect or (not known.open and changed) or (written and file.size == known.size == known.offset)


def _is_other_content(known: Known, file: Seen) -> bool:
    """Return whether one of the two is compressed and the other is not: never the same bytes."""
    return known.packed != bool(file.packed)


def _may_be_replaced(known: Known, file: Seen) -> bool:
    """Return whether `decide` may take *file* for a stranger: it must know as much of it then, or it comes too late.

    A rotated file that waits for a scan would come behind the live one that is newer.
    """
    moved = not known.open and file.path != known.path
    return _is_other_content(known, file) or (moved and _must_be_checked(known, file))


def _is_replaced(known: Known, file: Seen, answers: Answers) -> bool:
    """Return whether the inode was used again, for something that *known* cannot go on in."""
    if _is_other_content(known, file):
        return not known.open
    if known.open:
        return False
    if not known.packed and file.path == known.path:
        return False  # truncated, as far as one can tell
    answer = answers.get(question_about(file, known))
    if answer is None:
        return known.packed
    return not fits(file, known, answer) or (not file.packed and file.size < known.offset)


def _same_inode(known: Known, file: Seen, answers: Answers) -> Decision:
    live = file.source is not None and not file.packed
    moved = file.path != known.path or known.kept
    if not known.packed and file.size < known.offset:
        return Decision(Do.TRUNCATED, known, file, f"{file.size} bytes, {known.offset} were read", live)
    if not known.packed and _must_be_checked(known, file):
        answer = answers.get(question_about(file, known))
        if answer is None:
            return Decision(Do.WAIT, known, file, "it cannot be read just now", live)
        if not known.head.fits(answer.first):
            return Decision(Do.TRUNCATED, known, file, "it begins with other bytes than before", live)
        if not known.guard.fits(answer.before):
            return Decision(Do.TRUNCATED, known, file, f"other bytes stand before offset {known.offset}", live)
    if moved:
        return Decision(Do.RENAMED, known, file, f"inode {file.inode} was at {known.path}", live)
    return Decision(Do.CONTINUE, known, file, "the same inode", live)  # no text a file: there may be very many


__all__ = ["WAIT_SCANS", "Answer", "Decision", "Do", "Known", "Question", "Seen", "decide", "missing_name", "questions"]
