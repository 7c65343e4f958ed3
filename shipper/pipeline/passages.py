"""How a followed file goes on once a scan has decided: renamed, drained, in a copy, or as a new generation.

Decides nothing: that is core/follow.py's. Used between the tailer's turns only.
"""

from __future__ import annotations

from shipper.adapters.files import OpenFile
from shipper.adapters.offsets import LifeState
from shipper.core.follow import Decision, Do, Seen
from shipper.core.model import FileKey
from shipper.errors import SourceError
from shipper.pipeline.births import Births, state_for
from shipper.pipeline.committer import Committer
from shipper.pipeline.followed import Followed
from shipper.pipeline.journal import Journal
from shipper.pipeline.partings import Partings
from shipper.pipeline.tailer import Tailer


class Passages:
    """Owns nothing; writes to the files that it is given."""

    def __init__(
        self, tailer: Tailer, births: Births, partings: Partings, committer: Committer, journal: Journal
    ) -> None:
        """The parts are the census's."""
        self._tailer = tailer
        self._births = births
        self._partings = partings
        self._committer = committer
        self._journal = journal

    def act(self, decision: Decision, followed: Followed) -> Followed | None:
        """Do with *followed* what was decided; return the generation that begins by that."""
        seen = decision.seen
        if decision.do is Do.TRUNCATED and seen is not None:
            return self._truncated(decision, followed, seen)
        if decision.do is Do.ADOPT and seen is not None:
            self._adopt(decision, followed, seen)
        elif decision.do in (Do.RENAMED, Do.CONTINUE) and seen is not None:
            self._go_on(decision, followed, seen)
        elif decision.do is Do.DRAIN:
            if followed.state is LifeState.FOLLOWING:
                followed.state = LifeState.DRAINING
                self._partings.unname(followed)
                self._committer.changed(followed)
                self.say(decision, followed.key, "drain", followed.path)
            self._tailer.look_at(followed)
        return None

    def _adopt(self, decision: Decision, followed: Followed, seen: Seen) -> None:
        """Read on in a copy."""
        self._partings.found(followed)
        self._tailer.reads.give_up(followed)
        followed.device, followed.inode = seen.device, seen.inode
        self._move(followed, seen, state_for(seen, live=False))
        followed.size = max(followed.read_offset, 0 if seen.packed else seen.size)
        followed.mtime_ns = seen.mtime_ns
        followed.at_end = False
        self.say(decision, followed.key, "adopt", seen.path)
        self._tailer.look_at(followed)

    def _go_on(self, decision: Decision, followed: Followed, seen: Seen) -> None:
        """Read on in the same file, under whatever name it has now."""
        state = state_for(seen, live=decision.live)
        if followed.path != seen.path or followed.state is not state:
            self._move(followed, seen, state)
            self.say(decision, followed.key, "renamed", seen.path)
        if seen.packed:
            if not followed.at_end:
                self._tailer.look_at(followed)
            return
        self.grown(followed, seen.size, seen.mtime_ns)

    def grown(self, followed: Followed, size: int, mtime_ns: int) -> None:
        """Note how long the file of *followed* is now."""
        if size > followed.read_offset or size != followed.size:
            self._tailer.look_at(followed)
        if followed.file is None:
            followed.size, followed.mtime_ns = size, mtime_ns
            # Of more files than are held open none is opened only to find that there is nothing to read.
            many = not self._tailer.reads.holds(len(self._tailer.followed))
            if many and size == followed.read_offset and not followed.open_bytes:
                followed.at_end = True

    def _truncated(self, decision: Decision, followed: Followed, seen: Seen) -> Followed:
        """Begin a new generation at 0; the old one waits for a copy that holds its rest."""
        begun = self._births.next_generation(followed, seen, live=decision.live)
        self.say(decision, begun.key, "truncated", seen.path)
        return begun

    def behind(self, decision: Decision, followed: Followed, file: OpenFile) -> Followed | None:
        """Begin a new generation with what was written behind our descriptor, before or since the name was gone."""
        try:
            now = file.read_now(0, 0, b"")
        except SourceError:
            file.close()
            return None
        seen = Seen(followed.path, followed.device, followed.inode, now.size_now, now.mtime_ns, None)
        begun = self._births.next_generation(followed, seen, live=False)
        begun.file = file
        self.say(decision, begun.key, "truncated", followed.path)
        return begun

    def _move(self, followed: Followed, seen: Seen, state: LifeState) -> None:
        self._partings.unname(followed)
        followed.path, followed.state = seen.path, state
        if followed.file is not None:
            followed.file.path = seen.path
        if followed.live:
            self._tailer.by_path[seen.path] = followed
        self._committer.changed(followed)

    def say(self, decision: Decision, key: FileKey, what: str, path: str) -> None:
        """Note what becomes of *key* in its history and in the journal."""
        self._committer.decided(key, what, decision.evidence)
        self._journal.say(f"file_{what}", file=path, id=f"{key.file_id}.{key.generation}", evidence=decision.evidence)
