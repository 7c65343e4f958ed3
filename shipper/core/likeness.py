"""What the bytes of a file say about another that was read: the same, a copy of it, the beginning of one.

Of a compressed file its text is meant. How long that is only shows when it is
unpacked, so it is asked about every place at which reading has stood.
"""

from __future__ import annotations

from typing import Final

from shipper.core.evidence import Answer, Answers, Known, Question, Seen
from shipper.core.identity import NO_GUARD, Point

_NOWHERE: Final = Point(0, NO_GUARD)


def question_about(file: Seen, known: Known) -> Question:
    """Return what must be read of *file* to tell whether it is, or was copied from, *known*."""
    if file.packed:
        points = tuple((point.offset, point.guard.length) for point in known.points)
        return Question(
            file.path, known.offset, known.guard.length, file.device, file.inode, file.packed, points, known.head
        )
    point = _frontier(file, known)
    return Question(file.path, point.offset, point.guard.length, file.device, file.inode)


def _frontier(file: Seen, known: Known) -> Point:
    """Return the last place at which reading *known* stood that *file* is long enough for."""
    if file.size >= known.offset:
        return Point(known.offset, known.guard)
    return next((point for point in reversed(known.trail) if point.offset <= file.size), _NOWHERE)


def _point(file: Seen, known: Known, answer: Answer) -> Point:
    """Return the place that *answer* is about."""
    if not file.packed:
        return _frontier(file, known)
    return next((point for point in known.points if point.offset == answer.at), _NOWHERE)


def reaches(file: Seen, known: Known, answers: Answers) -> bool:
    """Return whether *file*, a copy of *known*, holds all that was read of it."""
    if not file.packed:
        return file.size >= known.offset
    answer = answers.get(question_about(file, known))
    return answer is not None and answer.at == known.offset


def fits(file: Seen, known: Known, answer: Answer) -> bool:
    """Return whether *answer* is what *known* would give, as far as *file* reaches."""
    point = _point(file, known, answer)
    if not point.offset and known.offset:
        return False
    length = len(answer.first) if file.packed else file.size
    # A copy that is shorter than the head was when it was taken last: what stands before the point must do, and where
    # nothing was read there is no such thing. An empty file would be a copy of everything.
    short = length < known.head.length and point.offset > 0
    return (short or known.head.fits(answer.first)) and point.guard.fits(answer.before)


def is_copy(file: Seen, known: Known, answers: Answers) -> bool:
    """Return whether *file* holds what was read of *known*, or the beginning of it."""
    answer = answers.get(question_about(file, known)) if known.head.length else None
    return answer is not None and fits(file, known, answer)


def begins_alike(file: Seen, known: Known, answers: Answers) -> bool:
    """Return whether *file* may become, or be, a copy of *known*, which is not truncated."""
    answer = answers.get(question_about(file, known)) if known.head.length else None
    if answer is None or not known.head.fits(answer.first):
        return False
    if file.packed:
        return not answer.at or fits(file, known, answer)
    return file.size < known.offset or known.guard.fits(answer.before)
