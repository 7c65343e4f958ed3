"""Looks at the directories in a thread, and gives up waiting for one that does not answer.

A look that gets on does not hang, however long it takes: there may be very
many files. What a look finds that hung is not used: files were read since.
Until it is over, later looks leave out the place at which it stands (a whole
mount, where that is of a network), so that new files are found elsewhere.
Files there, and in directories that cannot be listed, stand where they stood,
for all one knows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from shipper.adapters.discovery import Discovery, Scan
from shipper.adapters.files import answer
from shipper.adapters.watch import far_mount_of
from shipper.config import Source
from shipper.core.evidence import Seen
from shipper.core.follow import Answer, Known, Question, questions
from shipper.core.model import FileKey
from shipper.pipeline.contents import Answers
from shipper.pipeline.followed import Followed
from shipper.pipeline.standing import Changed, Standing

SCANS_TO_SETTLE: Final = 20  # for so long after a rotation compressed files and other directories are looked at

SCAN_PATIENCE_SECONDS: Final = 10.0  # for a look at all directories; twice as long after one that took longer
LONGEST_PATIENCE_SECONDS: Final = 300.0
LONGEST_LOOK: Final = 600.0  # seconds, of a look that gets on
MOST_HUNG: Final = 8  # looks that have not come back, each with a thread of its own


class Look(NamedTuple):
    """What was found, and what the questions came to that it raised.

    Attributes:
        known: Followed files and some that were let go: those that there is something to decide about.
        changed: The others that go on and are not what they were, or were in doubt.
        hidden: Files of which nothing could be seen: they stand where they stood, for all one knows.
    """

    scan: Scan
    known: list[Known]
    changed: Collection[Changed]
    answers: dict[Question, Answer | None]
    hidden: frozenset[FileKey] = frozenset()

    @property
    def hopeful(self) -> bool:
        """Whether a compressed file is not whole yet: it may be the copy of one that is missing."""
        return any(question.packed and found is None for question, found in self.answers.items())


class Looks:
    """Owns the looks that are under way, and for how long looks are wide; used between the tailer's turns only."""

    def __init__(self, sources: Sequence[Source], discovery: Discovery, wake: Callable[[], None]) -> None:
        """Look as *discovery* does for the files of *sources*; *wake* is called when a look that hung is over."""
        self.exchange(sources, discovery)
        self._wake = wake
        self._answers = Answers()
        self._hung: dict[asyncio.Future[Look], tuple[str, float]] = {}
        self._looking_since = 0.0
        self._patience_seconds = SCAN_PATIENCE_SECONDS
        self._answered_questions = 0

    def exchange(self, sources: Sequence[Source], discovery: Discovery) -> None:
        """Go by other sources from the next look on."""
        self._raw = {source.name for source in sources if source.binary == "always"}
        self._order = {source.name: index for index, source in enumerate(sources)}
        self._discovery = discovery
        self.settle_anew()

    def settle_anew(self) -> None:
        """Look at compressed files and other directories too, for some scans from now on."""
        self._settling = SCANS_TO_SETTLE

    @property
    def hangs(self) -> bool:
        """Whether so many looks do not come back that no other is begun."""
        return len(self._hung) >= MOST_HUNG

    def hung_seconds(self, now: float) -> float:
        """Return for how long a look at the directories has hung; 0 where none does."""
        return max((now - since for _, since in self._hung.values()), default=0.0)

    @property
    def at(self) -> str:
        """The places that do not answer."""
        return ", ".join(sorted(place for place, _ in self._hung.values()))

    async def look(
        self, files: Sequence[Followed], suspects: Collection[FileKey], done: Sequence[Known], now_ms: int
    ) -> Look | None:
        """Look for followed files and others at every directory that answers; None where one does no longer.

        Args:
            files: All that are followed.
            suspects: Those whose bytes must be looked at.
            done: Files that were let go, by which their copies are known.
            now_ms: The wall clock.
        """
        self._looking_since = time.monotonic()
        self._discovery.directories.dark = frozenset(place for place, _ in self._hung.values())
        discovery = self._discovery
        standing = Standing(files, frozenset(suspects), self._raw, lambda one: answer(self._step(discovery, one)))
        looking = asyncio.ensure_future(asyncio.to_thread(self._look, discovery, self._answers, standing, done, now_ms))
        before = -1
        while not looking.done() and before != self._steps and time.monotonic() - self._looking_since < LONGEST_LOOK:
            before = self._steps  # while it gets on it does not hang: there may be very many files
            await asyncio.wait({looking}, timeout=self._patience_seconds)
        if not looking.done():
            self._give_up(looking)
            return None
        look = looking.result()
        unsettled = look.scan.unsettled or look.hopeful
        self._settling = SCANS_TO_SETTLE if unsettled else max(self._settling - 1, 0)
        return look

    def _give_up(self, looking: asyncio.Future[Look]) -> None:
        """Leave *looking* where it stands, and look elsewhere from the next look on."""
        place = self._discovery.directories.at
        self._hung[looking] = far_mount_of(place) or place, self._looking_since
        self._patience_seconds = min(self._patience_seconds * 2, LONGEST_PATIENCE_SECONDS)
        self._discovery, self._answers = self._discovery.anew(), Answers()  # the thread still uses those
        looking.add_done_callback(self._answered)

    def _answered(self, looking: asyncio.Future[Look]) -> None:
        if not looking.cancelled():
            looking.exception()
        self._hung.pop(looking, None)
        self._wake()

    def _look(
        self, discovery: Discovery, answers: Answers, standing: Standing, done: Sequence[Known], now_ms: int
    ) -> Look:
        wide = self._settling > 0 or standing.any_doubt
        scan = discovery.scan(standing.paths, standing, goes_on=standing.goes_on, now_ns=now_ms * 1_000_000, wide=wide)
        known = standing.left(scan, done)
        hides = discovery.directories.hides
        unseen = unseen_of(known, scan, hides, self._order)
        scan.seen += unseen.values()
        asked = questions(known, scan.seen)
        found: dict[Question, Answer | None] = dict.fromkeys(asked)
        askable = (self._step(discovery, one) for one in asked if not hides(one.path))
        found |= answers.to(askable, scan.seen)
        return Look(scan, known, standing.changed.values(), found, frozenset(unseen))

    def _step(self, discovery: Discovery, question: Question) -> Question:
        self._answered_questions += 1
        discovery.directories.at = question.path
        return question

    @property
    def _steps(self) -> int:
        """Files that looks have come to so far."""
        return self._discovery.directories.steps + self._answered_questions


def unseen_of(
    known: Iterable[Known], scan: Scan, hides: Callable[[str], bool], order: Mapping[str, int]
) -> dict[FileKey, Seen]:
    """Return those of *known* of which *scan* says nothing, as they stood.

    Args:
        known: Followed files.
        scan: What was seen.
        hides: Says whether a path could not be looked at.
        order: The index of each source.
    """
    if not scan.unlisted:
        return {}
    met = {(file.device, file.inode) for file in scan.seen}
    return {
        one.key: Seen(
            one.path, one.device, one.inode, max(one.size, one.offset), one.mtime_ns,
            order.get(one.source) if one.live else None, packed="as before" if one.packed else "",
        )
        for one in known
        if not (one.orphan or one.done or one.kept) and (one.device, one.inode) not in met and hides(one.path)
    }  # fmt: skip
