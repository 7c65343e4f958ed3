"""Who waits for whom: within a lineage one file is read after the other, the oldest first.

The order of a lineage is that of its keys: a generation comes after the one
before it, and files get their ids in the order of their age
(core/lineage.py). What is still written comes last, whatever its key: a
rotated form of it that was missed, and found late, is older than what it
has unread, and must not wait until a busy file rests.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from shipper.adapters.offsets import LifeState
from shipper.core.evidence import Known, Seen
from shipper.core.model import NO_FILES
from shipper.core.rotation_names import stems_of, unpacked
from shipper.pipeline.followed import Followed
from shipper.pipeline.tailer import Tailer

_DATED: Final = re.compile(
    r"[-_.](?:19|20)[0-9]{2}(?P<mark>[-_]?)(?:0[1-9]|1[0-2])(?P=mark)(?:0[1-9]|[12][0-9]|3[01])(?![0-9])"
)
_NUMBERED: Final = re.compile(r"(?s:.+)\.[A-Za-z]\w*\.[0-9]{1,4}")


class Succession:
    """Tells each file of a lineage which older ones it has to wait for; used between the tailer's turns only."""

    def __init__(self, tailer: Tailer) -> None:
        """Nothing waits yet."""
        self._tailer = tailer

    def arrange(self, fresh: Iterable[Followed] = ()) -> None:
        """Let each file of a lineage that was rotated, or has *fresh* members, wait for the older ones.

        What is waited for is looked at, and so is who waits: a wait must not outlive its reason.
        """
        tailer = self._tailer
        concerned = {followed.lineage for followed in fresh}
        concerned |= {followed.lineage for followed in tailer.followed.values() if not followed.live}
        lineages: defaultdict[int, list[Followed]] = defaultdict(list)
        for followed in tailer.followed.values():
            if followed.lineage in concerned:
                lineages[followed.lineage].append(followed)
        for members in lineages.values():
            members.sort(key=lambda one: (one.live, one.key))
            for at, followed in enumerate(members):
                before = followed.waits_for
                followed.waits_for = {older.key for older in members[:at] if not tailer.is_read(older.key)} or NO_FILES
                if before and followed.state is not LifeState.ORPHAN:
                    tailer.look_at(followed)


def lineage_for(file: Seen, follows: Known | None, families: dict[str, int], file_id: int) -> int:
    """Return the lineage of a new file: of what it *follows*, or of one that is new in the same scan, or its own.

    Files that are all new are kin by dates (app-2026-11-26.log) and by numbers behind an extension (app.log.1). By
    other numbers they are not: worker-1.log and worker-2.log are written side by side, and none may wait for another.

    Args:
        families: The lineages that are new in this scan, by `family_of`; added to.
    """
    mine = family_of(file.path)
    if follows is None and not _is_told_by_name(file.path, mine):
        return file_id
    return families.setdefault(mine, file_id if follows is None else follows.stream)


def _is_told_by_name(path: str, family: str) -> bool:
    name = unpacked(path.rpartition("/")[2])
    return path == family or _DATED.search(name) is not None or _NUMBERED.fullmatch(name) is not None


def family_of(path: str) -> str:
    """Return the shortest path that *path* may be a rotated form of."""
    directory, slash, name = path.rpartition("/")
    return directory + slash + min((name, *stems_of(name)), key=lambda stem: (len(stem), stem))
