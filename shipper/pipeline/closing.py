"""Closes records that are open at the end of their file: quiet for long enough, awaited, or joined with their rest.

The rest of a record that a rotation has cut stands at the beginning of the
younger file, which waits for the older one (joining.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shipper.adapters.files import Turn
from shipper.core.identity import head_of
from shipper.core.lineage_join import JOINED, Join
from shipper.core.model import FileKey
from shipper.pipeline.clock import Clock
from shipper.pipeline.committer import Committer
from shipper.pipeline.conversion import Conversion, Mark
from shipper.pipeline.followed import Followed
from shipper.pipeline.joining import Joining
from shipper.pipeline.open_records import OpenRecords


class Closing:
    """Owns which records are open, and what is offered to them; belongs to the tailer.

    Attributes:
        open: The files that end in the middle of a record.
    """

    def __init__(
        self,
        followed: Mapping[FileKey, Followed],
        conversion: Conversion,
        committer: Committer,
        clock: Clock,
        *,
        look_at: Callable[[Followed], None],
        release: Callable[[Followed], None],
    ) -> None:
        """Close records of *followed*, the tailer's files.

        Args:
            followed: The tailer's files.
            conversion: Takes the records.
            committer: Hears what was decided.
            clock: For how long a file has been quiet.
            look_at: Gives a file a turn.
            release: Gives those a turn that wait for a file.
        """
        self.open = OpenRecords()
        self._followed = followed
        self._conversion = conversion
        self._committer = committer
        self._clock = clock
        self._look_at = look_at
        self._release = release
        self._joining = Joining(followed)

    def close_quiet(self) -> None:
        """Close the open records of files that have been quiet at their end for long enough."""
        for followed in self.open.due(self._clock.monotonic()):
            self.close_record(followed)

    def close_awaited(self) -> bool:
        """Close what younger files wait for, and wait no more for what cannot be read; return whether there was any."""
        found = False
        for followed in list(self._followed.values()):
            for older in [self._followed[key] for key in followed.waits_for if key in self._followed]:
                if older.last_error is not None or (older.at_end and older.open_bytes):
                    found = True
                    self.close_record(older)
                    followed.waits_for -= {older.key}
                    self._look_at(followed)
        return found

    def close_record(self, followed: Followed) -> None:
        """Make a record of what is held back of *followed*, with what a younger file has to add to it."""
        if last := self._joining.last_chance(followed):
            joined, offer = last
            self._join(followed, offer.younger, offer.turn, joined)
            return
        self.open.drop(followed)
        for chunk in followed.close_record():
            self._conversion.convert(followed, chunk)
            if followed.reframe:
                self.frame_anew(followed)
                return
        self._release(followed)

    # -- records that a rotation has cut -----------------------------------------------------------

    def elder_of(self, younger: Followed) -> Followed | None:
        """Return the file to whose open record is offered what *younger* begins with; None where nothing is to be."""
        return self._joining.elder_of(younger)

    def offer(self, older: Followed, younger: Followed, turn: Turn) -> bool:
        """Offer what *younger* begins with to *older*, which it waits for; return whether it waits no more."""
        joined = self._joining.offer(older, younger, turn, self._clock.monotonic())
        if joined is None:
            return False
        self._join(older, younger, turn, joined)
        return True

    def _join(self, older: Followed, younger: Followed, turn: Turn, joined: Join) -> None:
        """Send the open record of *older* with its rest, which *turn* has read of *younger*."""
        self.open.drop(older)
        lead = turn.data[: joined.lead]
        younger.size, younger.mtime_ns = turn.size_now, turn.mtime_ns
        younger.head = head_of(turn.data)
        younger.waits_for -= {older.key}
        ticket = younger.take_lead(lead, JOINED, self._clock.now_ms())
        self._conversion.count(younger.source, {"bytes_read": len(lead)})
        older.give_up_held()
        self._conversion.convert(older, joined.chunk, joined.own, Mark(younger, younger.watermark, ticket))
        if older.reframe:
            self.frame_anew(older)
        self._committer.decided(older.key, "joined", f"its last record goes on in {younger.path}: {len(lead)} bytes")
        self._release(older)
        self._look_at(younger)

    def frame_anew(self, followed: Followed) -> None:
        """Read what follows the last converted chunk once more: its layout has changed."""
        self.open.drop(followed)
        self._conversion.count(followed.source, {"bytes_read": -followed.frame_anew()})
        self._look_at(followed)
