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
    """Decides about the files of one scan that nobody follows."""

    def __init__(
        self, kin: Kin, orphans: Sequence[Known], rotated: Sequence[Known], answers: Answers, waited: Mapping[str, int]
    ) -> None:
        self._kin = kin
        self._orphans = {one.key for one in orphans}
        self._rotated = {one.key for one in rotated}
        self._answers = answers
        self._waited = waited
        self._adopted: set[FileKey] = set()

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
        missed = [k for k in kin if k.key in self._rotated and _was_missed(file, k)]
        if not (live or missed):
            return None
        unknown = any(self._answers.get(question_about(file, k)) is None for k in kin if k.head.length)
        if unknown and (not live or self._waited.get(file.path, 0) < WAIT_SCANS):
            evidence = "it cannot be read just now, or not whole yet, and may be the copy of a file that is followed"
            return Decision(Do.WAIT, None, file, evidence, live)
        if live:
            return Decision(Do.START, None, file, f"inode {file.inode} is new", live, follows=self._kin.before(file))
        blank = [k for k in kin if self._is_blank(k)]
        if blank:
            orphan = min(blank, key=lambda one: one.key)
            self._adopted.add(orphan.key)
            return Decision(Do.ADOPT, orphan, file, f"{orphan.path}, of which nothing was read, is gone", live=False)
        evidence = f"rotated from {missed[0].path} while nobody looked"
        return Decision(Do.START, None, file, evidence, live=False, follows=missed[-1])

    def _is_blank(self, known: Known) -> bool:
        """Return whether *known* is gone and not a byte of it was seen: any file of its lineage may be what it was."""
        return known.key in self._orphans and known.key not in self._adopted and not (known.head.length or known.offset)

    def _copy(self, file: Seen, copies: list[Known], *, live: bool) -> Decision:
        """Return what to do with *file*, a copy of each of *copies*, which are truncated or gone."""
        whole = [o for o in copies if o.key not in self._adopted and reaches(file, o, self._answers)]
        if whole:
            orphan = max(whole, key=lambda o: (o.offset, o.key))
            self._adopted.add(orphan.key)
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
