"""Who waits for whom: within a lineage one file is read after the other, the oldest first.

The order of a lineage is that of its keys: a generation comes after the one
before it, and files get their ids in the order of their age
(core/lineage.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from shipper.adapters.offsets import LifeState
from shipper.core.evidence import Known, Seen
from shipper.core.rotation_names import stems_of
from shipper.pipeline.followed import Followed
from shipper.pipeline.tailer import Tailer


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
            members.sort(key=lambda one: one.key)
            for at, followed in enumerate(members):
                before = followed.waits_for
                followed.waits_for = {older.key for older in members[:at] if not tailer.is_read(older.key)}
                if before and followed.state is not LifeState.ORPHAN:
                    tailer.look_at(followed)


def lineage_for(file: Seen, follows: Known | None, fresh: Iterable[Followed], file_id: int) -> int:
    """Return the lineage of a new file: of what it *follows*, or of one that is new in the same scan, or its own."""
    if follows is not None:
        return follows.stream
    mine = family_of(file.path)
    return next((one.lineage for one in fresh if family_of(one.path) == mine), file_id)


def family_of(path: str) -> str:
    """Return the shortest path that *path* may be a rotated form of."""
    directory, slash, name = path.rpartition("/")
    return directory + slash + min((name, *stems_of(name)), key=lambda stem: (len(stem), stem))
