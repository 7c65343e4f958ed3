"""What a scan means for the files that nobody follows: new, a copy of a followed one, or rotated unseen.

The rules, and why, stand in core/follow.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shipper.core.evidence import Answers, Decision, Do, Known, Seen
from shipper.core.likeness import begins_alike, is_copy, question_about, reaches
from shipper.core.lineage import Kin, last_written_ns
from shipper.core.model import FileKey
from shipper.core.rotation_names import stems_of

WAIT_SCANS: Final = 5


class Strangers:
    """Decides about the files of one scan that nobody follows.

    Attributes:
        adopted: The generations that go on in one of them.
    """

    def __init__(
        self,
        kin: Kin,
        orphans: Sequence[Known],
        rotated: Sequence[Known],
        emptied: Mapping[FileKey, Seen],
        answers: Answers,
        waited: Mapping[str, int],
    ) -> None:
        """*emptied*: not read, and written since the last look: all that stood in them may have been copied away."""
        self._kin = kin
        self._emptied = emptied
        self._orphans = {one.key for one in orphans}
        self._rotated = {one.key for one in rotated}
        self._answers = answers
        self._waited = waited
        self.adopted: set[FileKey] = set()

    def decide(self, strangers: Iterable[Seen]) -> list[Decision]:
        decisions = [self._stranger(file) for file in sorted(strangers, key=lambda f: (f.mtime_ns, f.path))]
        return [decision for decision in decisions if decision is not None]

    def _stranger(self, file: Seen) -> Decision | None:
        live = file.source is not None and not file.packed
        kin = self._kin.of(file)
        copies = [one for one in kin if one.key in self._orphans and is_copy(file, one, self._answers)]
        if copies:
            return self._copy(file, copies, live=live)
        alike = [k for k in kin if k.key not in self._orphans and begins_alike(file, k, self._answers)]
        read = [k for k in alike if (k.done or k.kept) and is_copy(file, k, self._answers)] if live else []
        if read:
            begin_at = min(max(read[-1].offset, read[-1].size), file.size)
            evidence = f"copy of {read[-1].path}, which was read"
            return Decision(Do.START, None, file, evidence, live, begin_at=begin_at, follows=read[-1])
        if alike and (not live or self._waited.get(file.path, 0) < WAIT_SCANS):
            evidence = f"it begins like {alike[0].path}, which is read: a copy, whole or under way"
            return Decision(Do.WAIT, None, file, evidence, live)
        missed = [k for k in kin if (k.key in self._rotated or k.key in self._emptied) and _was_missed(file, k)]
        if not (live or missed):
            return None
        unknown = any(self._answers.get(question_about(file, k)) is None for k in kin if k.head.length)
        if unknown and (not live or self._waited.get(file.path, 0) < WAIT_SCANS):
            evidence = "it cannot be read just now, or not whole yet, and may be the copy of a file that is followed"
            return Decision(Do.WAIT, None, file, evidence, live)
        if live:
            return Decision(Do.START, None, file, f"inode {file.inode} is new", live, follows=self._kin.before(file))
        blank = [k for k in kin if self._is_blank(k, file)]
        if blank:
            oldest = min(blank, key=lambda one: one.key)
            self.adopted.add(oldest.key)
            what = "was emptied" if oldest.key in self._emptied else "is gone"
            return Decision(Do.ADOPT, oldest, file, f"{oldest.path}, of which nothing was read, {what}", live=False)
        evidence = f"rotated from {missed[0].path} while nobody looked"
        return Decision(Do.START, None, file, evidence, live=False, follows=missed[-1])

    def _is_blank(self, known: Known, file: Seen) -> bool:
        """Return whether *file* may be what stood in *known*, which is gone or emptied, and not a byte of it was seen.

        What was emptied was written after the copy was: by the truncation, if by nothing else.
        """
        if known.head.length or known.offset or known.key in self.adopted:
            return False
        now = self._emptied.get(known.key)
        return known.key in self._orphans or (now is not None and now.mtime_ns >= file.mtime_ns)

    def _copy(self, file: Seen, copies: list[Known], *, live: bool) -> Decision:
        """Return what to do with *file*, a copy of each of *copies*, which are truncated or gone."""
        whole = [o for o in copies if o.key not in self.adopted and reaches(file, o, self._answers)]
        if whole:
            orphan = max(whole, key=lambda o: (o.offset, o.key))
            self.adopted.add(orphan.key)
            evidence = f"copy of {orphan.path}: same head, same bytes before {orphan.offset}"
            return Decision(Do.ADOPT, orphan, file, evidence, live=False)
        orphan = max(copies, key=lambda o: (o.offset, o.key))
        if live and file.size < orphan.offset:
            evidence = f"copy of {orphan.path}, all of which was read: {orphan.offset} bytes"
            return Decision(Do.START, None, file, evidence, live=False, begin_at=file.size, follows=orphan)
        return Decision(Do.WAIT, None, file, f"one more copy of {orphan.path}", live)


def _was_missed(file: Seen, known: Known) -> bool:
    """Return whether *file* was written after our last look at *known* and rotated since, before we looked again."""
    is_rotated = bool(stems_of(file.path.rpartition("/")[2]))
    return is_rotated and last_written_ns(file) >= known.mtime_ns and file.size > 0
